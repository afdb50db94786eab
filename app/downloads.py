"""Files of a session's home, fetched from its sage server piece by piece."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from app.inquiry import Inquiry
from app.nodes import Node, NodeDown
from app.wire.messages_pb2 import FileData, Message, ReadFile

PATIENCE = 30.0  # seconds that a piece may take


class NoFile(Exception):
    """There is nothing to fetch; the text is for the person who asked."""


class Download:
    """One file. It asks for the next piece when the last one was taken: nothing piles up."""

    def __init__(self, node: Node, worksheet: str, path: str) -> None:
        """Begins it. Raises NoFile, NodeDown."""
        self._worksheet = worksheet
        self._path = path
        self._inquiry = Inquiry(node)
        try:
            self._first = self._ask(0)
        except (NoFile, NodeDown):
            self.close()
            raise
        self.size = self._first.size  # bytes

    def pieces(self) -> Iterator[bytes]:
        """All of it. Raises NoFile, NodeDown if it can't be fetched to its end."""
        piece, sent = self._first, 0
        try:
            while piece.data and sent < self.size:
                data = piece.data[: self.size - sent]
                sent += len(data)
                yield data
                if sent < self.size:
                    piece = self._ask(sent)
        finally:
            self.close()

    def close(self) -> None:
        self._inquiry.close()

    def _ask(self, offset: int) -> FileData:
        order = ReadFile(
            request=str(uuid.uuid4()), worksheet=self._worksheet, path=self._path, offset=offset
        )
        answer = self._inquiry.ask(Message(read_file=order), PATIENCE).file_data
        if answer.failure:
            raise NoFile(answer.failure)
        return answer

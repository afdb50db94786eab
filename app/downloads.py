"""Files of a session's home, fetched from its sage server piece by piece."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import gevent
from gevent.queue import SimpleQueue

from app.nodes import Node, NodeDown
from app.wire.decoder import Received
from app.wire.messages_pb2 import FileData, Message, ReadFile

PATIENCE = 30.0  # seconds that a piece may take


class NoFile(Exception):
    """There is nothing to fetch; the text is for the person who asked."""


class Download:
    """One file. It asks for the next piece when the last one was taken: nothing piles up."""

    def __init__(self, node: Node, worksheet: str, path: str) -> None:
        """Begins it. Raises NoFile, NodeDown."""
        self._node = node
        self._worksheet = worksheet
        self._path = path
        self._answers: SimpleQueue[FileData | str] = SimpleQueue()
        self._channel = node.open(self)
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
        self._node.close(self._channel)

    def _ask(self, offset: int) -> FileData:
        order = ReadFile(
            request=str(uuid.uuid4()), worksheet=self._worksheet, path=self._path, offset=offset
        )
        self._node.send(self._channel, Message(read_file=order))
        with gevent.Timeout(PATIENCE, NodeDown(f"no answer within {PATIENCE:g} s")):
            answer = self._answers.get()
        if isinstance(answer, str):
            raise NodeDown(answer)
        if answer.failure:
            raise NoFile(answer.failure)
        return answer

    # -- Called by the node ----------------------------------------------------------

    def receive(self, received: Received) -> None:
        if received.message.HasField("file_data"):
            self._answers.put(received.message.file_data)
        elif received.message.HasField("refused"):
            self._answers.put(received.message.refused.reason)

    def node_lost(self, reason: str) -> None:
        self._answers.put(reason)

    def node_found(self) -> None:
        """What was asked is lost with the old stream, which was told."""

    def servers_changed(self) -> None:
        """The file is where it is."""

    def node_given_up(self) -> None:
        """As when it was lost."""

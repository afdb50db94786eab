"""Questions to a sage server, and their answers, on a channel for these alone."""

from __future__ import annotations

from types import TracebackType

import gevent
from gevent.queue import SimpleQueue

from app.nodes import Node, NodeDown
from app.wire.decoder import Received
from app.wire.messages_pb2 import Message
from app.wire.messages_pb2 import Refused as Refusal


class Refused(NodeDown):
    """The server did nothing; another may."""


class RefusedForNow(Refused):
    """It is too often, for any server of the site, until `seconds` have passed."""

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.seconds = seconds


class Inquiry:
    """A node's channel until it is closed; one question at a time."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._answers: SimpleQueue[Message | NodeDown] = SimpleQueue()
        self._channel = node.open(self)

    def __enter__(self) -> Inquiry:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._node.close(self._channel)

    def ask(self, question: Message, seconds: float) -> Message:
        """The answer, within `seconds`. Raises NodeDown; Refused, or RefusedForNow, with what a
        refusal says."""
        self._node.send(self._channel, question)
        with gevent.Timeout(seconds, NodeDown(f"no answer within {seconds:g} s")):
            answer = self._answers.get()
        if isinstance(answer, NodeDown):
            raise answer
        if answer.HasField("refused"):
            raise _refusal(answer.refused)
        return answer

    def tell(self, message: Message) -> None:
        """Something that has no answer. Raises NodeDown."""
        self._node.send(self._channel, message)

    # -- Called by the node ----------------------------------------------------------

    def receive(self, received: Received) -> None:
        self._answers.put(received.message)

    def node_lost(self, reason: str) -> None:
        self._answers.put(NodeDown(reason))

    def node_found(self) -> None:
        """What was asked was lost with the old stream, which was told."""

    def node_given_up(self) -> None:
        """As when it was lost."""

    def servers_changed(self) -> None:
        """The answer comes from the one that was asked."""


def _refusal(said: Refusal) -> Refused:
    if said.HasField("too_many"):
        return RefusedForNow(said.reason, said.too_many.seconds)
    return Refused(said.reason)

"""A session of a sage server for somebody who is not at a page: one stream, one channel.

The stream is opened again, with growing pauses, when it is lost, and goes on behind the last
frame that has come. What was being run is sent once more then: a repeat is harmless.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from typing import Protocol

import gevent
from gevent.event import AsyncResult, Event

from app.wire.decoder import Malformed, ProtocolError, Received
from app.wire.messages_pb2 import Ack, Attach, End, Execute, Frame, Hello, Message, State
from app.wire.stream import Stream

CHANNEL = 1
ACK_BYTES = 1 << 16  # taken in before that is said; less than the server lets be under way
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0  # seconds between tries to reach the server again


class CallLost(Exception):
    """There is no stream to the server now; the text says why."""


class Hearer(Protocol):
    """Who is told what comes."""

    def hear(self, message: Message) -> None: ...
    def lost(self, reason: str) -> None: ...
    def found(self) -> None: ...


class Caller:
    def __init__(
        self,
        *,
        connect: Callable[[], tuple[Stream, Hello]],
        hearer: Hearer,
        account: str,
        kind: str,
    ) -> None:
        """`account`, `kind`: whose sessions these count as, and which limits hold for them."""
        self._connect = connect
        self._hearer = hearer
        self._account, self._kind = account, kind
        self._worksheet = str(uuid.uuid4())
        self._stream: Stream | None = None
        self._failure = "not yet connected"
        self._session, self._after = "", 0
        self._order: Execute | None = None  # until its first frame has come
        self._answers: dict[str, AsyncResult[Message]] = {}
        self._greenlet: gevent.Greenlet[[], None] | None = None
        self._is_used = False  # whether there may be a session
        self._over = Event()  # set while the latest one is over
        self._unacknowledged = 0  # bytes
        self.language = ""

    def start(self) -> None:
        """Connect. Raises OSError, ProtocolError."""
        self._open()
        self._greenlet = gevent.spawn(self._listen)

    def stop(self) -> None:
        if self._greenlet is not None:
            self._greenlet.kill()
        if self._stream is not None:
            self._stream.close()

    def send(self, **body: object) -> None:
        """Send a message, given as its body. Raises CallLost."""
        if self._stream is None:
            raise CallLost(self._failure)
        try:
            self._stream.send(Message(channel=CHANNEL, **body))  # type: ignore[arg-type]
        except OSError as error:
            raise CallLost(str(error)) from error

    def execute(self, order: Execute) -> None:
        """Run something; if the server is away, when it is back."""
        self._order = order
        self._use()
        try:
            self.send(execute=order)
        except CallLost:
            pass  # it is sent when there is a stream again

    def forget_order(self) -> None:
        """What was being run need not be sent again."""
        self._order = None

    def ask(self, request: str, seconds: float, **question: object) -> Message | None:
        """The answer to a question with this request id; None if it does not come in time."""
        answer = self._answers[request] = AsyncResult()
        self._use()
        try:
            self.send(**question)
            return answer.get(timeout=seconds)
        except (CallLost, gevent.Timeout):
            return None
        finally:
            del self._answers[request]

    def end(self, seconds: float) -> None:
        """End the session and wait until it is over, so long at most. Raises CallLost."""
        if self._is_used:
            self.send(end=End())
            self._over.wait(seconds)

    def _use(self) -> None:
        self._is_used = True
        self._over.clear()

    # -- The greenlet that reads --------------------------------------------------------

    def _listen(self) -> None:
        while True:
            reason = self._read()
            stream, self._stream, self._failure = self._stream, None, reason
            if stream is not None:
                stream.close()
            self._hearer.lost(reason)
            self._open_again()
            self._hearer.found()

    def _open(self) -> None:
        stream, hello = self._connect()
        self.language = hello.language
        attach = Attach(
            worksheet=self._worksheet,
            session=self._session,
            after=self._after,
            account=self._account,
            kind=self._kind,
        )
        stream.send(Message(channel=CHANNEL, attach=attach))
        if self._order is not None:
            stream.send(Message(channel=CHANNEL, execute=self._order))
        self._stream = stream

    def _open_again(self) -> None:
        pause = FIRST_PAUSE
        while True:
            gevent.sleep(pause * random.uniform(0.5, 1.0))
            try:
                self._open()
                return
            except (OSError, ProtocolError) as error:
                self._failure = str(error)
                pause = min(2 * pause, LONGEST_PAUSE)

    def _read(self) -> str:
        """Pass on what comes until the stream ends; why it did."""
        assert self._stream is not None
        while True:
            try:
                received = self._stream.receive()
                if received is None:
                    return "the server closed the connection"
                self._take(received)
            except Malformed:
                continue  # only that message is lost
            except (OSError, ProtocolError) as error:
                return str(error)
            gevent.sleep(0)  # a flood leaves room for signals

    def _take(self, received: Received) -> None:
        message = received.message
        kind = message.WhichOneof("body")
        if kind in ("complete_reply", "inspect_reply"):
            answer = self._answers.get(getattr(message, kind).request)
            if answer is not None:
                answer.set(message)
            return
        if kind == "gone":
            self._start_anew()
        elif kind == "state" and message.state.kind == State.DEAD:
            self._over.set()
        elif kind == "frame":
            self._session, self._after = message.frame.session, message.frame.seq
        if self._order and self._order.run in (message.frame.run, message.refused.about):
            self._order = None
        self._hearer.hear(message)
        if kind == "frame":
            self._acknowledge(message.frame, len(received.raw))

    def _acknowledge(self, frame: Frame, size: int) -> None:
        self._unacknowledged += size
        if self._unacknowledged >= ACK_BYTES and self._stream is not None:
            self._unacknowledged = 0
            ack = Ack(session=frame.session, seq=frame.seq)
            self._stream.send(Message(channel=CHANNEL, ack=ack))

    def _start_anew(self) -> None:
        """What we had is recorded elsewhere and no longer kept there."""
        assert self._stream is not None
        self._session, self._after = "", 0
        attach = Attach(worksheet=self._worksheet, account=self._account, kind=self._kind)
        self._stream.send(Message(channel=CHANNEL, attach=attach))

"""A stream of messages over a gevent socket: TLS between nodes, plain to a session.

Any greenlet may send, one at a time; one greenlet receives. A peer that falls silent is
pinged once, and the stream ends at the second silence. Nothing is queued here: a full
socket stops the sender.
"""

from __future__ import annotations

import socket
from collections import deque

from gevent.lock import RLock
from gevent.socket import wait_read

from app.wire.decoder import Decoder, Malformed, ProtocolError, Received, frame, parse
from app.wire.messages_pb2 import Hello, Message, Ping, Pong

READ = 1 << 18  # bytes asked of the socket at once


class Stream:
    def __init__(self, sock: socket.socket, *, max_message: int, silence: float | None) -> None:
        """`silence`: seconds without a byte before a ping, and again before the end."""
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(silence)
        self._socket = sock
        self._decoder = Decoder(max_message)
        self._payloads: deque[bytes] = deque()
        self._sending = RLock()

    def send(self, *messages: Message) -> None:
        """Send messages in one write. Raises OSError when the stream is gone."""
        self.send_raw(*(message.SerializeToString() for message in messages))

    def send_raw(self, *payloads: bytes) -> None:
        """Send encoded messages in one write."""
        data = frame(*payloads)
        with self._sending:
            self._socket.sendall(data)

    def receive(self) -> Received | None:
        """The next message, or None at the stream's end; pings are answered on the way.

        Raises Malformed for a payload to be refused (call again for the next one),
        ProtocolError or OSError when the stream can't go on.
        """
        while True:
            raw = self._next_payload()
            if raw is None:
                return None
            message = parse(raw)
            kind = message.WhichOneof("body")
            if kind == "ping":
                self.send(Message(pong=Pong()))
            elif kind != "pong":
                return Received(message, raw)

    def _next_payload(self) -> bytes | None:
        silent = False
        while not self._payloads:
            try:
                data = self._socket.recv(READ)
            except TimeoutError:
                if silent:
                    raise ProtocolError("the peer fell silent") from None
                silent = True
                self.send(Message(ping=Ping()))
                continue
            if not data:
                if self._decoder.pending:
                    raise ProtocolError("the stream ended in the middle of a message")
                return None
            silent = False
            self._payloads.extend(self._decoder.feed(data))
        return self._payloads.popleft()

    def wait_readable(self, seconds: float) -> None:
        """Wait until something has come, or `seconds` are over."""
        if not self._payloads:
            try:
                wait_read(self._socket.fileno(), timeout=seconds)
            except TimeoutError:
                pass

    def expect_hello(self, seconds: float) -> Hello:
        """The peer's hello, which must come next. Raises ProtocolError."""
        return self.expect("hello", seconds).hello

    def expect(self, kind: str, seconds: float) -> Message:
        """The next message, which must be of `kind` and come within `seconds`.

        Raises ProtocolError.
        """
        usual = self._socket.gettimeout()
        self._socket.settimeout(seconds)
        try:
            first = self.receive()
        except (TimeoutError, Malformed) as error:
            raise ProtocolError(f"no {kind}: {error}") from None
        finally:
            self._socket.settimeout(usual)
        if first is None:
            raise ProtocolError(f"the peer hung up before its {kind}")
        found = first.message.WhichOneof("body")
        if found == "refused":
            raise ProtocolError(f"refused: {first.message.refused.reason}")
        if found != kind:
            raise ProtocolError(f"the first message was no {kind}")
        return first.message

    def close(self) -> None:
        """End the stream; a greenlet that waits in `receive` gets its end."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the peer was faster
        self._socket.close()

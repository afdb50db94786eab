"""A WebSocket on the connection that gunicorn has accepted: frames in, frames out.

wsproto parses; this owns the socket. One greenlet receives, another may send. A peer that
falls silent is pinged once, and the connection ends at the second silence. Messages are
binary; the size of one is limited, which wsproto leaves to us.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Any

from gevent.lock import RLock
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Message,
    Ping,
    Request,
    TextMessage,
)
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

READ = 1 << 16


class Closed(Exception):
    """The connection is over; the text says why."""


class WebSocket:
    def __init__(self, environ: dict[str, Any], *, max_message: int, silence: float) -> None:
        """Accept the upgrade that `environ` asks for. Raises Closed if it is none.

        `silence`: seconds without a byte before a ping, and again before the end.
        """
        self._socket: socket.socket = environ["gunicorn.socket"]
        self._max = max_message
        self._connection = WSConnection(ConnectionType.SERVER)
        self._sending = RLock()
        self._partial = bytearray()
        self._pending: list[bytes] = []
        if self._socket.family in (socket.AF_INET, socket.AF_INET6):
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.settimeout(silence)
        try:
            self._connection.initiate_upgrade_connection(_headers(environ), environ["RAW_URI"])
            if not any(isinstance(event, Request) for event in self._connection.events()):
                raise Closed("no WebSocket was asked for")
            self._send_data(self._connection.send(AcceptConnection()))
        except (RemoteProtocolError, LocalProtocolError) as error:
            raise Closed(f"no WebSocket: {error}") from error

    def send(self, payloads: Iterable[bytes]) -> None:
        """Send binary messages in one write. Raises Closed."""
        with self._sending:
            try:
                data = b"".join(
                    self._connection.send(BytesMessage(data=each)) for each in payloads
                )
            except LocalProtocolError as error:
                raise Closed("the browser is leaving") from error
            self._send_data(data)

    def receive(self) -> bytes:
        """The next binary message. Raises Closed."""
        while not self._pending:
            self._receive_some()
        return self._pending.pop(0)

    def close(self, code: int, reason: str) -> None:
        """Say goodbye, if the browser still listens."""
        try:
            with self._sending:
                event = CloseConnection(code=code, reason=reason[:120])
                self._send_data(self._connection.send(event))
        except (Closed, LocalProtocolError):
            pass

    def _receive_some(self) -> None:
        try:
            self._connection.receive_data(self._read())
            for event in self._connection.events():
                self._take(event)
        except RemoteProtocolError as error:
            self.close(CloseReason.PROTOCOL_ERROR, str(error))
            raise Closed(f"not WebSocket's protocol: {error}") from error

    def _read(self) -> bytes:
        for last_try in (False, True):
            try:
                data = self._socket.recv(READ)
            except TimeoutError:
                if last_try:
                    raise Closed("the browser fell silent") from None
                with self._sending:
                    self._send_data(self._connection.send(Ping()))
            except OSError as error:
                raise Closed(str(error)) from error
            else:
                if not data:
                    raise Closed("the browser is gone")
                return data
        raise AssertionError("unreachable")

    def _take(self, event: Any) -> None:
        if isinstance(event, Ping):
            with self._sending:
                self._send_data(self._connection.send(event.response()))
        elif isinstance(event, CloseConnection):
            self.close(CloseReason(event.code), "")
            raise Closed("the browser left")
        elif isinstance(event, TextMessage):
            self.close(CloseReason.UNSUPPORTED_DATA, "binary messages only")
            raise Closed("it sent text")
        elif isinstance(event, Message):
            self._partial += event.data
            if len(self._partial) > self._max:
                self.close(CloseReason.MESSAGE_TOO_BIG, f"at most {self._max} bytes (app.max_code)")
                raise Closed(f"it sent a message of over {self._max} bytes")
            if event.message_finished:
                self._pending.append(bytes(self._partial))
                self._partial.clear()

    def _send_data(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise Closed(str(error)) from error


def _headers(environ: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    return [
        (key[5:].replace("_", "-").lower().encode("latin-1"), value.encode("latin-1"))
        for key, value in environ.items()
        if key.startswith("HTTP_")
    ]

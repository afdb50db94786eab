"""Where a node of the site takes connections of others: mutual TLS, and proof of the token.

Whoever connects says in which role it comes and as which node. A server's name begins with the
address of its host, which its certificate must be for: no host can pass for another.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
from collections.abc import Callable
from typing import Protocol

import gevent
from gevent.server import StreamServer

from app.settings import Wire
from app.wire.connection import admit
from app.wire.decoder import ProtocolError
from app.wire.messages_pb2 import Hello, Message, Refused
from app.wire.stream import Stream
from app.wire.tls import Context, names_of

BACKLOG = 1024
IP_FREEBIND = 15  # which Python does not name
SERVERS = ("app", "sage")  # roles whose names others go by

log = logging.getLogger(__name__)


class Proof(Protocol):
    """What knows the site's token."""

    def are_proved_by(self, hello: Hello, question: bytes) -> bool: ...


class Listener:
    def __init__(
        self,
        *,
        host: str,
        port: int,
        tokens: Proof,
        context: Context,
        wire: Wire,
        serve: Callable[[Stream, Hello], None],
        is_early: bool = False,
    ) -> None:
        """`port` 0: any that is free. `is_early`: the address may become this host's only
        later, with a VPN. `serve` has a stream from its caller's hello to its end,
        in a greenlet of its own. It may raise ProtocolError, which the caller is told, and
        OSError.
        """
        self._tokens = tokens
        self._context = context
        self._wire = wire
        self._serve = serve
        self._where = (host, port)
        self._is_early = is_early
        self._server = StreamServer((host, port), self._take, backlog=BACKLOG)

    def start(self) -> None:
        """Listen. Raises OSError if the port is taken."""
        if self._is_early:
            self._server.set_listener(_early_socket(self._where))
        self._server.start()

    @property
    def port(self) -> int:
        return int(self._server.server_port or 0)

    def stop(self) -> None:
        """Listen no more, and end the streams that are open."""
        self._server.stop(timeout=1)

    def _take(self, raw: socket.socket, address: tuple[str, int]) -> None:
        """One connection, from its first byte; a silent caller is not waited for long."""
        raw.settimeout(self._wire.hello_seconds)
        try:
            secured = self._context.current().wrap_socket(raw, server_side=True)
        except OSError as error:
            log.info("%s:%d: no TLS: %s", *address[:2], error)
            raw.close()
            return
        stream = Stream(
            secured, max_message=self._wire.max_message, silence=self._wire.silence
        )
        try:
            hello = admit(
                stream, has_token=self._tokens.are_proved_by, seconds=self._wire.hello_seconds
            )
            if hello.role in SERVERS:
                require_own_name(hello, names_of(secured), address[0])
            self._serve(stream, hello)
        except ProtocolError as error:
            log.warning("%s:%d: %s", *address[:2], error)
            _part(stream, str(error))
        except OSError as error:
            log.info("%s:%d: %s", *address[:2], error)
        finally:
            stream.close()


def _early_socket(address: tuple[str, int]) -> socket.socket:
    """Raises OSError."""
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def require_own_name(hello: Hello, names: tuple[str, ...], address: str) -> None:
    """Raises ProtocolError if a caller whose certificate is for `names`, and who comes from
    `address`, has no right to the name it gives itself: that of a node of another host.
    """
    host = hello.node.rpartition(":")[0].strip("[]")
    if host not in names or (_is_loopback(host) and not _is_loopback(address)):
        raise ProtocolError(f"its certificate is not for a node called {hello.node!r}")


def _is_loopback(host: str) -> bool:
    """Every host has such addresses, and every certificate is for them."""
    try:
        return ipaddress.ip_address(host.removeprefix("::ffff:")).is_loopback
    except ValueError:
        return host == "localhost"


def _part(stream: Stream, reason: str) -> None:
    """Say why before hanging up, if the caller still listens."""
    try:
        with gevent.Timeout(1):
            stream.send(Message(refused=Refused(reason=reason)))
    except (OSError, gevent.Timeout):
        pass

"""The one way out of a session that has a network: an HTTP proxy for what the site allows.

A session's network namespace has nothing but this proxy's listening socket, which was made
inside and handed to the server; what is accepted there leaves from here. CONNECT carries
HTTPS and anything else over TCP; plain HTTP is passed on, one request a connection.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import gevent
import h11
from gevent import socket
from gevent.server import StreamServer

READ = 1 << 16
CONNECTIONS = 32  # at a time
SILENCE = 300.0  # seconds after which a connection that carries nothing is closed
PATIENCE = 20.0  # seconds to reach somebody
HOP_BY_HOP = (b"connection", b"proxy-connection", b"proxy-authorization", b"keep-alive")

log = logging.getLogger(__name__)


class Refusal(Exception):
    """What the session is told, with the HTTP status."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True)
class Destination:
    host: str
    port: int


class Proxy:
    def __init__(self, listener: int, *, allowed: Callable[[], tuple[str, ...]]) -> None:
        """`listener`: a descriptor, ours from now on; `allowed`: see `may_reach`."""
        self._allowed = allowed
        self._server = StreamServer(
            socket.socket(fileno=listener), self._serve, spawn=CONNECTIONS
        )
        self._server.start()

    def close(self) -> None:
        self._server.stop(timeout=0)

    def _serve(self, client: socket.socket, address: object) -> None:
        client.settimeout(SILENCE)
        try:
            request, rest = _read_request(client)
            destination = destination_of(request)
            rule = may_reach(destination, self._allowed())
            with _connect(destination, rule) as upstream:
                upstream.settimeout(SILENCE)
                if request.method == b"CONNECT":
                    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                else:
                    upstream.sendall(_passed_on(request))
                upstream.sendall(rest)
                _join(client, upstream)
        except Refusal as error:
            _answer(client, error)
        except OSError as error:
            log.debug("a session's connection ended: %s", error)
        finally:
            client.close()


def destination_of(request: h11.Request) -> Destination:
    """Where a request wants to go. Raises Refusal."""
    target = request.target.decode("ascii", "replace")
    parts = urlsplit(f"//{target}" if request.method == b"CONNECT" else target)
    usual = None if request.method == b"CONNECT" else 80
    try:
        port = parts.port or usual
    except ValueError:
        port = None
    if parts.scheme not in ("", "http") or not parts.hostname or port is None:
        raise Refusal(400, "only http:// and CONNECT to a host and port can be asked for")
    return Destination(parts.hostname.lower().rstrip("."), port)


def may_reach(destination: Destination, allowed: tuple[str, ...]) -> str:
    """The rule ("host:port" or "*.domain:port") that allows it. Raises Refusal."""
    for rule in allowed:
        host, _, port = rule.lower().rpartition(":")
        host = host.strip("[]")
        fits = destination.host.endswith(host[1:]) if host[0] == "*" else destination.host == host
        if fits and destination.port == int(port):
            return rule
    wanted = f"{destination.host}:{destination.port}"
    raise Refusal(403, f"{wanted} is not among what this site allows: {', '.join(allowed)}")


def is_trustworthy(address: str, rule: str) -> bool:
    """Whether a name that `rule` allows may stand for `address`.

    A name must not lead to this host or its neighbours: whoever owns a domain decides what
    its names stand for. An address that the rule itself names is what the operator wants.
    """
    found = ipaddress.ip_address(address)
    if rule.rpartition(":")[0].strip("[]") in (address, "localhost"):
        return True
    if found.is_loopback or found.is_link_local or found.is_multicast or found.is_unspecified:
        return False
    return found.is_global or not rule.startswith("*")


def _read_request(client: socket.socket) -> tuple[h11.Request, bytes]:
    """The head of a request, and what came behind it."""
    parser = h11.Connection(h11.SERVER)
    raw = b""
    try:
        while True:
            event = parser.next_event()
            if isinstance(event, h11.Request):
                head, _, _ = raw.partition(b"\r\n\r\n")
                return event, raw[len(head) + 4 :]
            data = client.recv(READ)
            if not data:
                raise ConnectionResetError("it hung up before its request")
            raw += data
            parser.receive_data(data)
    except h11.RemoteProtocolError as error:
        raise Refusal(400, str(error)) from error


def _passed_on(request: h11.Request) -> bytes:
    """The head of a plain request as the server itself wants it."""
    parts = urlsplit(request.target.decode("ascii", "replace"))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [b"%s %s HTTP/1.1" % (request.method, path.encode("ascii", "replace"))]
    lines += [b"%s: %s" % pair for pair in request.headers if pair[0] not in HOP_BY_HOP]
    return b"\r\n".join([*lines, b"connection: close", b"", b""])


def _connect(destination: Destination, rule: str) -> socket.socket:
    """A connection to it. Raises Refusal."""
    try:
        found = socket.getaddrinfo(
            destination.host, destination.port, type=socket.SOCK_STREAM
        )
    except OSError as error:
        raise Refusal(502, f"{destination.host}: {error.strerror}") from error
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        if not is_trustworthy(address, rule):
            continue
        try:
            return socket.create_connection((address, destination.port), timeout=PATIENCE)
        except OSError as error:
            reason = error.strerror or str(error)
            raise Refusal(502, f"{destination.host}:{destination.port}: {reason}") from error
    raise Refusal(403, f"{destination.host} leads to {addresses[0]}, which is not allowed")


def _join(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until both sides are done, or either fails."""
    pumps = [gevent.spawn(_pump, one, other), gevent.spawn(_pump, other, one)]
    try:
        gevent.joinall(pumps)
    finally:
        gevent.killall(pumps)


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(READ):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, target):
            end.close()


def _answer(client: socket.socket, refusal: Refusal) -> None:
    body = f"{refusal}\n".encode()
    head = f"HTTP/1.1 {refusal.status} {refusal}".encode("latin-1", "replace")[:500]
    try:
        client.sendall(
            head + b"\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n"
            b"Connection: close\r\n\r\n" % len(body) + body
        )
    except OSError:
        pass  # whoever asked has gone

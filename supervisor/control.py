"""Where a supervisor takes orders: a unix socket for this host, TLS for the site's others.

The socket is its owner's alone (0600), so who can open it may give orders. From another host
comes proof of the site's token first, over TLS with certificates of the site's CA both ways. A
connection has one order; what it says is answered while it is carried out, and it is carried
out whether or not anybody still listens.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import gevent
from gevent.queue import Queue
from gevent.server import StreamServer

from app.settings import Settings
from app.wire.connection import admit, proves
from app.wire.decoder import PROTOCOL_VERSION, Malformed, ProtocolError
from app.wire.messages_pb2 import (
    Done,
    Hello,
    HostReport,
    LogText,
    Message,
    Order,
    Progress,
    Refused,
)
from app.wire.stream import Stream
from app.wire.tls import Context
from supervisor import locations
from supervisor.keeper import ServiceSnapshot
from supervisor.logs import Follower
from supervisor.operations import Operations
from supervisor.service import CannotStart, State
from supervisor.supervisor import UnknownService

LOOK_SECONDS = 0.2  # between looks at a log that is followed
SUPERVISOR = "supervisor"  # its own log, in orders
IP_FREEBIND = 15  # which Python does not name

log = logging.getLogger(__name__)
Send = Callable[[Message], None]


class Control:
    """Listens from `start` to `stop`."""

    def __init__(
        self,
        *,
        operations: Operations,
        settings: Settings,
        token: Callable[[], str],
        context: Context,
    ) -> None:
        """`token`: the site's, as it is now; `context`: a server's."""
        self._operations = operations
        self._wire = settings.wire
        self._token = token
        self._context = context
        self._started = time.monotonic()
        self._path = socket_path(settings)
        self._servers: list[StreamServer] = []
        self._elsewhere = (settings.here.address, settings.supervisor.port)
        self._has_others = len(settings.hosts) > 1

    def start(self) -> None:
        """Raises CannotStart."""
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        mask = os.umask(0o177)
        try:
            listener.bind(str(self._path))
        except OSError as error:
            raise CannotStart(f"{self._path}: {error.strerror}") from error
        finally:
            os.umask(mask)
        listener.listen()
        listener.setblocking(False)
        self._servers = [StreamServer(listener, self._serve_here)]
        try:
            if self._has_others:
                others = _listening(self._elsewhere)
                self._servers.append(StreamServer(others, self._serve_elsewhere))
            for server in self._servers:
                server.start()
        except OSError as error:
            where = "{}:{}".format(*self._elsewhere)
            raise CannotStart(
                f"cannot listen on {where}: {error.strerror}; change [supervisor] port"
            ) from error

    def stop(self) -> None:
        for server in self._servers:
            server.stop(timeout=1)
        self._path.unlink(missing_ok=True)

    def _serve_here(self, connection: socket.socket, address: object) -> None:
        stream = Stream(connection, max_message=self._wire.max_message, silence=None)
        self._converse(stream)

    def _serve_elsewhere(self, raw: socket.socket, address: tuple[str, int]) -> None:
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
            self._welcome(stream)
        except (ProtocolError, OSError) as error:
            log.warning("%s:%d: %s", *address[:2], error)
            with contextlib.suppress(OSError):
                stream.send(Message(refused=Refused(reason=str(error))))
            stream.close()
            return
        self._converse(stream)

    def _welcome(self, stream: Stream) -> None:
        admit(
            stream,
            has_token=lambda hello, question: proves(hello, question, self._token()),
            seconds=self._wire.hello_seconds,
        )
        host = self._operations.settings.host_name
        ours = Hello(version=PROTOCOL_VERSION, node=host, role="supervisor")
        stream.send(Message(hello=ours))

    def _converse(self, stream: Stream) -> None:
        try:
            received = stream.receive()
            if received is None or received.message.WhichOneof("body") != "order":
                raise ProtocolError("that was no order")
            self._follow(stream, received.message.order)
        except (ProtocolError, Malformed) as error:
            with contextlib.suppress(OSError):
                stream.send(Message(refused=Refused(reason=str(error))))
        except OSError:
            pass  # whoever asked has gone
        finally:
            stream.close()

    def _follow(self, stream: Stream, order: Order) -> None:
        """Answer an order to its end. Raises OSError if nobody listens any more."""
        operations = self._operations
        try:
            names = operations.host.named([name for name in order.services if name != SUPERVISOR])
        except UnknownService as error:
            stream.send(Message(done=Done(failure=str(error))))
            return
        if order.verb == Order.STATUS:
            stream.send(Message(host_report=self._report()), Message(done=Done()))
        elif order.verb == Order.LOGS:
            self._send_logs(stream, order, names)
        else:
            self._carry_out(stream, order, names)

    def _carry_out(self, stream: Stream, order: Order, names: list[str]) -> None:
        """In a greenlet of its own, so that it goes on when nobody listens."""
        operations = self._operations
        actions: dict[int, Callable[[], str]] = {
            Order.START: lambda: operations.start(names),
            Order.STOP: lambda: operations.stop(names),
            Order.RESTART: lambda: operations.restart(names, gently=not order.now),
            Order.RELOAD: operations.reload,
        }
        said: Queue[Message] = Queue()

        def hear(name: str, state: State, reason: str) -> None:
            said.put(Message(progress=Progress(service=name, state=state, reason=reason)))

        def act() -> None:
            with operations.changes.heard_by(hear):
                failure = actions[order.verb]()
            said.put(Message(done=Done(failure=failure)))

        gevent.spawn(act).link_exception(
            lambda greenlet: said.put(Message(done=Done(failure=repr(greenlet.exception))))
        )
        while True:
            message = said.get()
            stream.send(message)
            if message.HasField("done"):
                return

    def _send_logs(self, stream: Stream, order: Order, names: list[str]) -> None:
        """Of several, each piece with its name."""
        if not order.services or SUPERVISOR in order.services:
            names = [SUPERVISOR, *(names if order.services[:] != [SUPERVISOR] else [])]
        settings = self._operations.settings
        followers = {
            name: Follower(locations.log_file(settings, name), lines=order.lines) for name in names
        }
        leaving = gevent.spawn(_wait_end, stream)
        try:
            while not leaving.ready():
                for name, follower in followers.items():
                    if text := follower.read():
                        stream.send(Message(log_text=LogText(service=name, text=text)))
                if not order.follow:
                    stream.send(Message(done=Done()))
                    return
                leaving.join(LOOK_SECONDS)
        finally:
            leaving.kill()
            for follower in followers.values():
                follower.close()

    def _report(self) -> HostReport:
        operations = self._operations
        return HostReport(
            host=operations.settings.host_name,
            pid=os.getpid(),
            seconds=time.monotonic() - self._started,
            services=[_service(one) for one in operations.host.snapshot()],
            notices=operations.notices(),
        )


def socket_path(settings: Settings) -> Path:
    return locations.sockets(settings) / "control"


def _service(one: ServiceSnapshot) -> HostReport.Service:
    return HostReport.Service(
        name=one["name"],
        type=one["type"],
        state=one["state"],
        reason=one["reason"],
        wanted=one["wanted"],
        pid=one["pid"] or 0,
        address=one["address"],
        port=one["port"] or 0,
        seconds=one["seconds"],
        deaths=one["deaths"],
    )


def _wait_end(stream: Stream) -> None:
    """Until whoever follows a log has gone."""
    with contextlib.suppress(OSError, ProtocolError, Malformed):
        while stream.receive() is not None:
            pass


def _listening(address: tuple[str, int]) -> socket.socket:
    """A socket that listens there, also if the address will be ours only when the VPN is up.
    Raises OSError."""
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        listener.bind(address)
        listener.listen()
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener

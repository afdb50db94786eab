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
from collections.abc import Callable, Collection
from pathlib import Path

import gevent
from gevent.queue import Queue
from gevent.server import StreamServer

from app.listener import Listener, Proof
from app.settings import Settings
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

log = logging.getLogger(__name__)


class Control:
    """Listens from `start` to `stop`."""

    def __init__(
        self,
        *,
        operations: Operations,
        settings: Settings,
        tokens: Proof,
        context: Context,
    ) -> None:
        """For other hosts: `tokens`, the site's, and `context`, a server's."""
        self._operations = operations
        self._max_message = settings.wire.max_message
        self._started = time.monotonic()
        self._path = socket_path(settings)
        self._server: StreamServer | None = None
        self._where = (settings.here.address, settings.supervisor.port)
        self._listener: Listener | None = None
        if len(settings.hosts) > 1:
            self._listener = Listener(
                host=self._where[0],
                port=self._where[1],
                tokens=tokens,
                context=context,
                wire=settings.wire,
                serve=self._serve_elsewhere,
                is_early=True,
            )

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
        self._server = StreamServer(listener, self._serve_here)
        self._server.start()
        if self._listener is None:
            return
        try:
            self._listener.start()
        except OSError as error:
            where = "{}:{}".format(*self._where)
            raise CannotStart(
                f"cannot listen on {where}: {error.strerror}; change [supervisor] port"
            ) from error

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop(timeout=1)
        if self._listener is not None:
            self._listener.stop()
        self._path.unlink(missing_ok=True)

    def _serve_here(self, connection: socket.socket, address: object) -> None:
        stream = Stream(connection, max_message=self._max_message, silence=None)
        self._converse(stream)

    def _serve_elsewhere(self, stream: Stream, hello: Hello) -> None:
        host = self._operations.settings.host_name
        ours = Hello(version=PROTOCOL_VERSION, node=host, role="supervisor")
        stream.send(Message(hello=ours))
        self._converse(stream)

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
        try:
            if order.verb == Order.STATUS:
                stream.send(Message(host_report=self._report()), Message(done=Done()))
            elif order.verb == Order.LOGS:
                self._send_logs(stream, order)
            else:
                self._carry_out(stream, order, self._operations.host.named(order.services))
        except UnknownService as error:
            stream.send(Message(done=Done(failure=str(error))))

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

    def _send_logs(self, stream: Stream, order: Order) -> None:
        """Of several, each piece with its name. Raises UnknownService."""
        settings = self._operations.settings
        followers = {
            name: Follower(locations.log_file(settings, name), lines=order.lines)
            for name in self._with_logs(order.services)
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

    def _with_logs(self, words: Collection[str]) -> list[str]:
        """What these names and types mean; the supervisor itself has a log, too."""
        others = [word for word in words if word != SUPERVISOR]
        ours = [SUPERVISOR] if len(others) < len(words) or not words else []
        return ours + (self._operations.host.named(others) if others or not words else [])

    def _report(self) -> HostReport:
        operations = self._operations
        return HostReport(
            host=operations.settings.host_name,
            pid=os.getpid(),
            seconds=time.monotonic() - self._started,
            services=[service_report(one) for one in operations.host.snapshot()],
            notices=operations.notices(),
        )


def socket_path(settings: Settings) -> Path:
    return locations.sockets(settings) / "control"


def service_report(one: ServiceSnapshot) -> HostReport.Service:
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

"""Gives orders to a supervisor: of this host over its socket, of another one over TLS."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent
from gevent import socket

from app.settings import Settings
from app.wire.connection import connect
from app.wire.decoder import PROTOCOL_VERSION, Malformed, ProtocolError
from app.wire.messages_pb2 import Hello, HostReport, Message, Order
from app.wire.stream import Stream
from app.wire.tls import Context
from supervisor.control import socket_path

REPORT_SECONDS = 5.0  # that it may take to say how it fares


class NoSupervisor(Exception):
    """It can't be reached; the text says why."""


class Client:
    def __init__(
        self, *, settings: Settings, token: Callable[[], str], context: Callable[[], Context]
    ) -> None:
        """For other hosts: `token`, the site's, and `context`, a client's."""
        self._settings = settings
        self._token = token
        self._context = context

    def ask(self, order: Order, host: str = "") -> Iterator[Message]:
        """What the supervisor of `host` (empty: this one) answers; the last is Done.

        Raises NoSupervisor.
        """
        with self._connected(host) as stream:
            try:
                stream.send(Message(order=order))
                while (received := stream.receive()) is not None:
                    message = received.message
                    if message.HasField("refused"):
                        raise NoSupervisor(message.refused.reason)
                    yield message
                    if message.HasField("done"):
                        return
            except (OSError, ProtocolError, Malformed) as error:
                raise NoSupervisor(f"the supervisor has gone: {error}") from error
        raise NoSupervisor("the supervisor has ended")

    def report(self, host: str = "") -> HostReport:
        """How the services of `host` are. Raises NoSupervisor."""
        late = NoSupervisor(f"the supervisor has not answered for {REPORT_SECONDS:g} s")
        with gevent.Timeout(REPORT_SECONDS, late):
            for message in self.ask(Order(verb=Order.STATUS), host):
                return message.host_report
        raise NoSupervisor("the supervisor has said nothing")

    @contextmanager
    def _connected(self, host: str) -> Iterator[Stream]:
        stream = self._elsewhere(host) if self._is_elsewhere(host) else self._here()
        try:
            yield stream
        finally:
            stream.close()

    def _is_elsewhere(self, host: str) -> bool:
        return bool(host) and host != self._settings.host_name

    def _here(self) -> Stream:
        connection = socket.socket(socket.AF_UNIX)
        path = socket_path(self._settings)
        try:
            connection.connect(str(path))
        except PermissionError as error:
            connection.close()
            raise NoSupervisor(f"{path}: it is for the user who runs `supervise`") from error
        except OSError as error:
            connection.close()
            raise NoSupervisor(
                f"no `supervise` runs with {self._settings.data_dir} ({path}: {error.strerror})"
            ) from error
        return Stream(
            connection, max_message=self._settings.wire.max_message, silence=None
        )

    def _elsewhere(self, host: str) -> Stream:
        known = self._settings.hosts.get(host)
        if known is None:
            hosts = ", ".join(self._settings.hosts) or "this one alone"
            raise NoSupervisor(f"the site has no host {host}; it has {hosts}")
        wire = self._settings.wire
        try:
            stream, _ = connect(
                f"{known.address}:{self._settings.supervisor.port}",
                Hello(version=PROTOCOL_VERSION, role="operator"),
                token=self._token(),
                context=self._context(),
                max_message=wire.max_message,
                silence=wire.silence,
                seconds=wire.hello_seconds,
            )
        except (OSError, ssl.CertificateError, ProtocolError) as error:
            raise NoSupervisor(f"{host} ({known.address}): {error}") from error
        return stream

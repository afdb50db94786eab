"""Whether a port of this host is free, and who has it."""

from __future__ import annotations

import contextlib
import socket

import psutil

from supervisor.service import CannotStart


def require(host: str, port: int, setting: str, *, shared: bool = False) -> None:
    """Raise CannotStart if `port` cannot be listened on; `setting` is the key that names it.

    `shared`: others of our user may listen, too, if they share it.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise CannotStart(f"{setting}: host {host!r} is not known: {error.strerror}") from error
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            probe.bind(address)
            probe.listen(1)
        except OSError as error:
            raise CannotStart(
                f"cannot listen on {host}:{port}: {error.strerror}{_holder(port)};"
                f" stop what uses it, or change {setting}"
            ) from error


def _holder(port: int) -> str:
    """Who listens on `port`, as far as we may know."""
    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            listening = connection.status == psutil.CONN_LISTEN
            if listening and connection.laddr[1:] == (port,) and connection.pid:
                name = psutil.Process(connection.pid).name()
                return f" (used by {name}, pid {connection.pid})"
    return ""

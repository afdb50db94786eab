"""A private memcached, for sites that were given no other: on a unix socket if one host makes
the site, else at the host's address in the site's own network, as it believes everybody.

Traps: as root it must run as another user, and must become that user before it is
executed: by changing itself (-u) it would lose the signal that ends it with us.
"""

from __future__ import annotations

import contextlib
import resource
import socket
from pathlib import Path

from app import layout
from app.settings import Settings
from supervisor import free_port, locations, privileges, programs
from supervisor.service import CannotStart, Command

PROBE_SECONDS = 1.0
RESERVED_FILES = 64  # files that memcached opens besides its connections
USERS = ("memcache", "memcached", "nobody")


def memcached_servers(settings: Settings) -> tuple[str, ...]:
    """Those of the settings, else the site's own; nothing if none can be run."""
    if settings.memcached.servers:
        return settings.memcached.servers
    if settings.hosts and (len(settings.hosts) > 1 or "cache" not in settings.here.roles):
        return layout.cache_addresses(settings)
    return (str(socket_path(settings)),) if find_binary(settings) else ()


def socket_path(settings: Settings) -> Path:
    return locations.sockets(settings) / "memcached" / "socket"


def find_binary(settings: Settings) -> Path | None:
    """The program, None if it is not installed."""
    return programs.find(settings.memcached.binary, "memcached")


def prepare(settings: Settings) -> Command:
    """Raises CannotStart."""
    binary = find_binary(settings)
    if binary is None:
        raise CannotStart("memcached is not installed any more")
    user = privileges.system_user("memcached", *USERS)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1] - RESERVED_FILES
    connections = min(settings.memcached.connections, most)
    limits = ("-m", str(settings.memcached.memory), "-c", str(connections))
    return Command(
        arguments=(str(binary), *_listening(settings, user), *limits),
        log=locations.log_file(settings, "memcached"),
        user=user,
    )


def is_shared(settings: Settings) -> bool:
    """Whether other hosts ask it, too."""
    return bool(layout.cache_addresses(settings))


def _listening(settings: Settings, user: str) -> tuple[str, ...]:
    """Its arguments for where; what is in the way there is removed. Raises CannotStart."""
    if is_shared(settings):
        address, port = settings.here.address, settings.memcached.port
        free_port.require(address, port, "[memcached] port")
        return ("-l", address, "-p", str(port), "-U", "0")
    path = socket_path(settings)
    if user:
        locations.check_reachable(path.parent, user)
    locations.make_folder(path.parent, 0o700, user)
    path.unlink(missing_ok=True)
    return ("-s", str(path), "-a", "0700")


def probe(settings: Settings) -> str | None:
    """Whether it answers: None if so, else why not."""
    try:
        with contextlib.closing(_connected(settings)) as connection:
            connection.sendall(b"version\r\n")
            said = connection.recv(100)
    except OSError as error:
        return f"{address(settings)}: {error.strerror or error}"
    return None if said.startswith(b"VERSION") else f"answered {said!r}"


def address(settings: Settings) -> str:
    """Where it is: a host's address or a socket's path."""
    return settings.here.address if is_shared(settings) else str(socket_path(settings))


def _connected(settings: Settings) -> socket.socket:
    if is_shared(settings):
        there = (settings.here.address, settings.memcached.port)
        return socket.create_connection(there, timeout=PROBE_SECONDS)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(PROBE_SECONDS)
    try:
        connection.connect(str(socket_path(settings)))
    except OSError:
        connection.close()
        raise
    return connection

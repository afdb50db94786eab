"""A private memcached on a unix socket, for hosts that were given no other.

Traps: as root it must run as another user, and must become that user before it is
executed: by changing itself (-u) it would lose the signal that ends it with us.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import resource
import shutil
import socket
from pathlib import Path

from app.settings import Settings
from supervisor import locations
from supervisor.service import CannotStart, Command

RESERVED_FILES = 64  # files that memcached opens besides its connections
USERS = ("memcache", "memcached", "nobody")


def memcached_servers(settings: Settings) -> tuple[str, ...]:
    """Those of the settings, else the private one's socket; nothing if it can't be run."""
    if settings.memcached.servers:
        return settings.memcached.servers
    return (str(socket_path(settings)),) if find_binary(settings) else ()


def socket_path(settings: Settings) -> Path:
    return locations.sockets(settings) / "memcached" / "socket"


def find_binary(settings: Settings) -> Path | None:
    """The program, None if it is not installed."""
    if settings.memcached.binary:
        return Path(settings.memcached.binary).expanduser()
    found = shutil.which("memcached") or shutil.which("memcached", path="/usr/bin:/usr/local/bin")
    return Path(found) if found else None


def prepare(settings: Settings) -> Command:
    """Raises CannotStart."""
    binary = find_binary(settings)
    if binary is None:
        raise CannotStart("memcached is not installed any more")
    user = system_user()
    path = socket_path(settings)
    if user:
        locations.check_reachable(path.parent, user)
    locations.make_folder(path.parent, 0o700, user)
    path.unlink(missing_ok=True)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1] - RESERVED_FILES
    connections = min(settings.memcached.connections, most)
    limits = ("-m", str(settings.memcached.memory), "-c", str(connections))
    return Command(
        arguments=(str(binary), "-s", str(path), "-a", "0700", *limits),
        log=locations.log_file(settings, "memcached"),
        user=user,
    )


def probe(settings: Settings) -> str | None:
    """Whether it answers: None if so, else why not."""
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as connection:
        connection.settimeout(1.0)
        try:
            connection.connect(str(socket_path(settings)))
            connection.sendall(b"version\r\n")
            said = connection.recv(100)
        except OSError as error:
            return f"{socket_path(settings)}: {error.strerror or error}"
    return None if said.startswith(b"VERSION") else f"answered {said!r}"


def system_user() -> str:
    """Who runs memcached: nobody else (empty) unless we are root. Raises CannotStart."""
    if os.geteuid() != 0:
        return ""
    for name in USERS:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise CannotStart(f"memcached refuses to run as root, and there is no user {', '.join(USERS)}")

"""How large PostgreSQL is made on a host: rules of thumb, each with where it comes from.

"The manual" is PostgreSQL's, chapter Resource Consumption; "the wiki" is its Tuning Your
PostgreSQL Server; "pgtune" is the calculator that most people use (pgtune.leopard.in.ua).
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

import psutil

from app import layout
from app.settings import Settings

MIB = 1 << 20
RESERVE = 20  # connections for the operator, backups, commands and migrations
SHARE = 4  # of a host's memory, where people compute, too: pgtune's "desktop" says as much
CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


@dataclass(frozen=True)
class Sizes:
    """In MiB, but `connections`."""

    connections: int
    shared_buffers: int
    effective_cache_size: int
    maintenance_work_mem: int
    work_mem: int


def of(settings: Settings) -> Sizes:
    """For the PostgreSQL of this host."""
    memory = settings.database.memory * MIB or host_memory()
    alone = not {"app", "sage"} & set(settings.here.roles)
    if not (alone or settings.database.memory):
        memory //= SHARE
    return sizes(memory, connections(settings))


def sizes(memory: int, connections: int) -> Sizes:
    """`memory`: bytes that PostgreSQL may count on, the kernel's cache of its files included."""
    whole = memory // MIB
    # The manual: a quarter, and never more than 40 %; 128 MB is the least it comes with.
    shared = max(whole // 4, min(128, whole * 2 // 5))
    # pgtune: what a query may sort in, if each connection runs one with three sorts; the
    # manual's default is the least.
    work = max(4, (whole - shared) // (3 * connections))
    return Sizes(
        connections=connections,
        shared_buffers=max(16, shared),
        # The wiki: half of the memory is cautious, three quarters is bold; pgtune takes these.
        effective_cache_size=max(64, whole * 3 // 4),
        # pgtune: a sixteenth; vacuum uses no more than 1 GB of it (the manual).
        maintenance_work_mem=max(16, min(whole // 16, 1024)),
        # One connection alone shall not take what all were to share.
        work_mem=min(work, 256),
    )


def connections(settings: Settings) -> int:
    """How many the site's processes may open: of app and sage servers there are two while one
    is replaced; each host's supervisor has a pool, too."""
    servers = len(layout.app_servers(settings)) + len(layout.sage_servers(settings))
    processes = 2 * servers + max(1, len(settings.hosts))
    return processes * settings.database.connections + RESERVE


def host_memory() -> int:
    """Bytes of memory: the host's, or what its container may use."""
    found = [psutil.virtual_memory().total]
    for file in CGROUP_LIMITS:
        with contextlib.suppress(OSError, ValueError):  # "max", or not this version
            found.append(int(file.read_text(encoding="ascii")))
    return min(found)

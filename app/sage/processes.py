"""What the processes of a session use, as /proc tells: for hosts without control groups.

A session is known by one of its processes; the others are those in the same pid namespace,
or where there are no namespaces, its descendants. Reading everything takes some 50 µs a
process, so a table is read once for all sessions that are looked at.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    namespace: int  # inode of its pid namespace
    cpu_seconds: float  # of children that it has waited for, too
    threads: int
    memory: int  # bytes: resident and not of a file


@dataclass(frozen=True)
class Total:
    cpu_seconds: float
    processes: int  # threads, too
    memory: int


class Table:
    """Those processes of the host that we may look at, now."""

    def __init__(self) -> None:
        self._own = os.stat("/proc/self/ns/pid").st_ino
        self._found = {found.pid: found for found in _all()}

    def total(self, pid: int) -> Total:
        """Of the session that `pid` belongs to. Memory that forks share counts for each."""
        members = list(self._members(pid))
        ours = sum(member.namespace != self._own for member in members[:1])  # its namespace's init
        return Total(
            cpu_seconds=sum(member.cpu_seconds for member in members),
            processes=sum(member.threads for member in members) - ours,
            memory=sum(member.memory for member in members),
        )

    def private_memory(self, pid: int) -> int:
        """Bytes of memory that the session shares with nobody; takes milliseconds."""
        return sum(_private(member.pid) for member in self._members(pid))

    def _members(self, pid: int) -> Iterator[Process]:
        first = self._found.get(pid)
        if first is None:
            return
        if first.namespace != self._own:
            yield from (each for each in self._found.values() if each.namespace == first.namespace)
            return
        family = {pid}
        for each in sorted(self._found.values(), key=lambda each: each.pid):
            if each.parent in family:
                family.add(each.pid)
        yield from (self._found[each] for each in family)


def memory_of(pid: int) -> int:
    """Bytes of memory of one process, as in `Process`; 0 if it is gone."""
    try:
        return _process(pid).memory
    except (OSError, ValueError, IndexError):
        return 0


def pid_of(pidfd: int) -> int:
    """The process behind a descriptor, as we count; 0 if it is gone."""
    for line in Path(f"/proc/self/fdinfo/{pidfd}").read_text(encoding="ascii").splitlines():
        if line.startswith("Pid:"):
            return max(0, int(line.split()[1]))
    return 0


def _all() -> Iterator[Process]:
    for name in os.listdir(PROC):
        if name.isdigit():
            try:
                yield _process(int(name))
            except (OSError, ValueError, IndexError):
                continue  # it has ended, or is none of ours


def _process(pid: int) -> Process:
    folder = PROC / str(pid)
    namespace = os.stat(folder / "ns" / "pid").st_ino
    fields = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    resident, shared = (folder / "statm").read_text(encoding="ascii").split()[1:3]
    return Process(
        pid=pid,
        parent=int(fields[1]),
        namespace=namespace,
        cpu_seconds=sum(map(int, fields[11:15])) / TICKS,
        threads=int(fields[17]),
        memory=(int(resident) - int(shared)) * PAGE,
    )


def _private(pid: int) -> int:
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))

"""What a session uses, what it may, and what is said when that was too much."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from app.sage.cgroups import Group
from app.sage.processes import Table, memory_of, pid_of
from app.settings import Limits
from app.wire.messages_pb2 import Usage

UNITS = ("bytes", "kB", "MB", "GB", "TB")


@dataclass(frozen=True)
class Use:
    memory: int = 0  # bytes, besides what its home and /tmp hold
    cpu_seconds: float = 0.0
    processes: int = 0
    disk: int = 0  # bytes in home and /tmp
    entries: int = 0
    output: int = 0  # bytes of all its runs
    run_seconds: float = 0.0  # of what runs now
    seconds: float = 0.0  # since it began to serve
    runs: int = 0  # of its person, within an hour


@dataclass(frozen=True)
class Excess:
    """A limit that was exceeded, in words; `run` if only of the run."""

    reason: str
    run: bool = False


class Gauge:
    """Reads what one session uses: from its control groups, else from /proc."""

    def __init__(self, *, home: int, process: int, group: Group | None) -> None:
        """`home`, `process`: descriptors of its home and its first process; ours from now on."""
        self._home = home
        self._process = process
        self._group = group
        self._pid = pid_of(process)
        self._before = memory_of(self._pid)  # what it has from the zygote

    @property
    def home(self) -> int:
        return self._home

    def read(self, table: Callable[[], Table], limits: Limits) -> Use:
        """All but the times; `table` is only asked for what the control groups don't tell."""
        group = self._group
        cpu = group.cpu_seconds() if group else None
        processes = group.processes() if group else None
        memory = self._memory_of_group()
        if cpu is None or processes is None:
            total = table().total(self._pid)
            cpu = total.cpu_seconds if cpu is None else cpu
            processes = total.processes if processes is None else processes
        disk, entries = self._disk(limits.disk)
        if memory is None:
            memory = self._memory_of_processes(table(), limits.memory)
        else:
            memory = max(0, memory - disk)
        return Use(
            memory=memory, cpu_seconds=cpu, processes=processes, disk=disk, entries=entries
        )

    def close(self) -> None:
        os.close(self._home)
        os.close(self._process)

    def _memory_of_group(self) -> int | None:
        try:
            return self._group.memory() if self._group else None
        except OSError:
            return None

    def _memory_of_processes(self, table: Table, limit: int) -> int:
        """The growth since the fork; counted exactly when that might be too much."""
        growth = max(0, table.total(self._pid).memory - self._before)
        return growth if growth < limit / 2 else table.private_memory(self._pid)

    def _disk(self, limit: int) -> tuple[int, int]:
        """Bytes and entries in its home and /tmp, where these are a file system of their own."""
        found = os.fstatvfs(self._home)
        if found.f_blocks * found.f_frsize > limit + found.f_frsize:
            return 0, 0
        used = (found.f_blocks - found.f_bfree) * found.f_frsize
        return used, found.f_files - found.f_ffree


def excess(use: Use, limits: Limits) -> Excess | None:
    """The limit that `use` exceeds, if there is one."""
    if use.memory > limits.memory:
        return Excess(memory_excess(use.memory, limits))
    times = (
        ("processor time", use.cpu_seconds, limits.cpu_seconds),
        ("a session's time", use.seconds, limits.session_seconds),
        ("a run's time", use.run_seconds, limits.run_seconds),
    )
    for what, used, allowed in times:
        if 0 < allowed < used:
            return Excess(_words(what, used, allowed, _seconds), run=what == "a run's time")
    return None


def memory_excess(used: int, limits: Limits) -> str:
    return _words("memory", used, limits.memory, size)


def meters(session: str, use: Use, limits: Limits) -> Usage:
    """What the page shows; what is not limited comes without an allowed amount."""
    found = [
        ("memory", use.memory, limits.memory, Usage.BYTES),
        ("CPU time", use.cpu_seconds, limits.cpu_seconds, Usage.SECONDS),
        ("time of this run", use.run_seconds, limits.run_seconds, Usage.SECONDS),
        ("time of the session", use.seconds, limits.session_seconds, Usage.SECONDS),
        ("processes", use.processes, limits.processes, Usage.COUNT),
        ("disk", use.disk, limits.disk, Usage.BYTES),
        ("files", use.entries, limits.entries, Usage.COUNT),
        ("output", use.output, limits.session_output, Usage.BYTES),
    ]
    if limits.runs_per_hour:
        found.append(("runs within an hour", use.runs, limits.runs_per_hour, Usage.COUNT))
    return Usage(
        session=session,
        meters=[
            Usage.Meter(what=what, used=used, allowed=allowed, unit=unit)
            for what, used, allowed, unit in found
        ],
    )


def size(count: float) -> str:
    """Bytes for people: 1234567 → "1.2 MB"."""
    for unit in UNITS[:-1]:
        if count < 999.5:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} {UNITS[-1]}"


def _seconds(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def _words(what: str, used: float, allowed: float, amount: Callable[[float], str]) -> str:
    return f"limit of {what}: used {amount(used)} of {amount(allowed)}"

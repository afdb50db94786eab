"""What services use: CPU, memory and time of their processes; and how late our hub is.

The process table is read once for all services, a small file for each process (some 20 µs),
with a turn of the hub now and then.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import gevent
import psutil

from app.loop import Loop
from monitor.memory import Memory, Resident
from monitor.vitals import Vitals

PROCESSES_A_TURN = 50
LAG_PERIOD = 0.1  # seconds between looks at the hub
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Watched:
    """A service as its owner knows it. `pid` is None while it is not running, and `reason`
    then says why."""

    type: str
    name: str
    pid: int | None
    address: str = ""
    port: int | None = None
    reason: str = ""
    alone: bool = False  # whether its children are services of their own

    @property
    def at(self) -> str:
        return f"{self.address}:{self.port}"


@dataclass(frozen=True)
class Sample(Vitals):
    """Of one service's process and its descendants: columns and units of table status.

    `resident_size` counts pages that they share once.
    """

    time: datetime
    load: float
    percent_mem: float
    percent_cpu: float
    cputime: float
    walltime: float
    virtual_size: int
    resident_size: int

    def says_more_than(self, before: Sample) -> bool:
        """Whether somebody who looks at both would see a difference."""
        return (
            (self.sessions, self.sessions_free, self.browsers)
            != (before.sessions, before.sessions_free, before.browsers)
            or _differ(self.percent_cpu, before.percent_cpu, least=1.0)
            or _differ(self.load, before.load, least=0.25)
            or _differ(self.resident_size, before.resident_size, least=1 << 20)
            or _differ(self.hub_lag or 0.0, before.hub_lag or 0.0, least=0.02)
        )


def _differ(one: float, other: float, *, least: float) -> bool:
    """By `least` or a twentieth, whichever is more."""
    return abs(one - other) > max(least, 0.05 * max(one, other))


@dataclass(frozen=True)
class Process:
    parent: int
    cputime: float  # seconds, also of children that it has waited for
    started: float  # seconds since the host's start
    virtual_size: int
    memory: Resident


class Sampler:
    """Takes samples and remembers the last, as the share of CPU is a difference."""

    def __init__(self) -> None:
        self._cputimes: dict[int, tuple[float, float]] = {}  # pid → (when, seconds)
        self._host_memory = psutil.virtual_memory().total
        self._memory = Memory()

    def take(
        self,
        pids: Iterable[int],
        *,
        alone: Collection[int] = (),
        vitals: Mapping[int, Vitals] | None = None,
    ) -> dict[int, Sample]:
        """A sample for each of `pids` that is alive: of those `alone` without their descendants,
        with `vitals` of those who told theirs."""
        table = processes()
        told = vitals or {}
        children: dict[int, list[int]] = {}
        for pid, process in table.items():
            children.setdefault(process.parent, []).append(pid)
        trees = {
            pid: [pid] if pid in alone else _tree(pid, children) for pid in pids if pid in table
        }
        self._memory.look({table[each].memory for tree in trees.values() for each in tree})
        samples = {
            pid: self._sample(pid, [table[each] for each in tree], told.get(pid))
            for pid, tree in trees.items()
        }
        self._cputimes = {pid: self._cputimes[pid] for pid in samples}
        return samples

    def _sample(self, pid: int, tree: list[Process], told: Vitals | None) -> Sample:
        cputime = sum(process.cputime for process in tree)
        resident = self._memory.of(process.memory for process in tree)
        told = told or Vitals()
        return Sample(
            time=datetime.now(UTC),
            load=os.getloadavg()[0],
            percent_mem=100 * resident / self._host_memory,
            percent_cpu=self._percent_cpu(pid, cputime),
            cputime=cputime,
            walltime=max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - tree[0].started),
            virtual_size=sum(process.virtual_size for process in tree),
            resident_size=resident,
            sessions=told.sessions,
            sessions_free=told.sessions_free,
            browsers=told.browsers,
            hub_lag=told.hub_lag,
        )

    def _percent_cpu(self, pid: int, cputime: float) -> float:
        """Of one core since the last sample; what a descendant used that nobody has waited for
        is forgotten with it."""
        now = time.monotonic()
        before, earlier = self._cputimes.get(pid, (now, cputime))
        self._cputimes[pid] = (now, cputime)
        return 100 * max(0.0, cputime - earlier) / (now - before) if now > before else 0.0


class HubLag(Loop):
    """How late our greenlets run: the worst of the last `window` seconds, or a bit longer."""

    def __init__(self, *, window: float) -> None:
        self._window = window
        self._worst = self._worst_before = 0.0

    @property
    def seconds(self) -> float:
        return max(self._worst, self._worst_before)

    def _run(self) -> None:
        since = time.monotonic()
        while True:
            before = time.monotonic()
            gevent.sleep(LAG_PERIOD)
            now = time.monotonic()
            self._worst = max(self._worst, now - before - LAG_PERIOD)
            if now - since >= self._window:
                self._worst_before, self._worst, since = self._worst, 0.0, now


def processes() -> dict[int, Process]:
    """Those of this host, by pid."""
    found = {}
    for count, name in enumerate(filter(str.isdigit, os.listdir("/proc"))):
        process = _process(int(name))
        if process is not None:
            found[int(name)] = process
        if count % PROCESSES_A_TURN == 0:
            gevent.sleep(0)
    return found


def stat_of(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the state on; None if there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    fields = stat.rpartition(b")")[2].decode("ascii").split()  # the name before may hold anything
    return None if fields[0] in ("Z", "X") else fields


def _process(pid: int) -> Process | None:
    fields = stat_of(pid)
    if fields is None:
        return None
    return Process(
        parent=int(fields[1]),
        cputime=sum(map(int, fields[11:15])) / TICKS,
        started=int(fields[19]) / TICKS,
        virtual_size=int(fields[20]),
        memory=Resident(pid, int(fields[19]) / TICKS, int(fields[21]) * PAGE),
    )


def _tree(pid: int, children: Mapping[int, list[int]]) -> list[int]:
    """`pid` and its descendants."""
    found = [pid]
    for member in found:
        found += [child for child in children.get(member, ()) if child != pid]
    return found

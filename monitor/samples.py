"""What services use: CPU, memory and time of their processes; and how late our hub is.

Traps: reading the whole process table takes about 70 µs a process and does not yield, so
it is read once for all services, with a turn of the hub now and then. Memory of a tree is
the sum of its processes' resident sets: pages that forked children share count for each.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import gevent
import psutil

PROCESSES_A_TURN = 16
LAG_PERIOD = 0.1  # seconds between looks at the hub


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


@dataclass(frozen=True)
class Sample:
    """Of one service's process and its descendants: columns and units of table status."""

    time: datetime
    load: float
    percent_mem: float
    percent_cpu: float
    cputime: float
    walltime: float
    virtual_size: int
    resident_size: int


class Sampler:
    """Takes samples and remembers the last, as the share of CPU is a difference."""

    def __init__(self) -> None:
        self._cputimes: dict[int, tuple[float, float]] = {}  # pid → (when, seconds)

    def take(self, pids: Iterable[int]) -> dict[int, Sample]:
        """A sample for each of `pids` that is alive."""
        children = children_by_parent()
        samples = {}
        for pid in pids:
            sample = self._sample(pid, children)
            if sample is not None:
                samples[pid] = sample
        self._cputimes = {pid: self._cputimes[pid] for pid in samples}
        return samples

    def _sample(self, pid: int, children: dict[int, list[int]]) -> Sample | None:
        cputime, virtual, resident = 0.0, 0, 0
        started = None
        for member in _tree(pid, children):
            try:
                process = psutil.Process(member)
                times, memory = process.cpu_times(), process.memory_info()
                started = process.create_time() if member == pid else started
            except psutil.Error:
                continue
            cputime += times.user + times.system
            virtual += memory.vms
            resident += memory.rss
        if started is None:
            return None
        return Sample(
            time=datetime.now(UTC),
            load=os.getloadavg()[0],
            percent_mem=100 * resident / psutil.virtual_memory().total,
            percent_cpu=self._percent_cpu(pid, cputime),
            cputime=cputime,
            walltime=max(0.0, time.time() - started),
            virtual_size=virtual,
            resident_size=resident,
        )

    def _percent_cpu(self, pid: int, cputime: float) -> float:
        """Of one core since the last sample; a descendant that ended takes its time along."""
        now = time.monotonic()
        before, earlier = self._cputimes.get(pid, (now, cputime))
        self._cputimes[pid] = (now, cputime)
        return 100 * max(0.0, cputime - earlier) / (now - before) if now > before else 0.0


class HubLag:
    """How late our greenlets run: the worst of the last `window` seconds, or a bit longer."""

    def __init__(self, *, window: float) -> None:
        self._window = window
        self._worst = self._worst_before = 0.0
        self._greenlet: gevent.Greenlet[[], None] | None = None

    @property
    def seconds(self) -> float:
        return max(self._worst, self._worst_before)

    def start(self) -> None:
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        if self._greenlet:
            self._greenlet.kill()

    def _run(self) -> None:
        since = time.monotonic()
        while True:
            before = time.monotonic()
            gevent.sleep(LAG_PERIOD)
            now = time.monotonic()
            self._worst = max(self._worst, now - before - LAG_PERIOD)
            if now - since >= self._window:
                self._worst_before, self._worst, since = self._worst, 0.0, now


def children_by_parent() -> dict[int, list[int]]:
    """The host's process table, upside down."""
    children: dict[int, list[int]] = {}
    for count, process in enumerate(psutil.process_iter(["ppid"])):
        children.setdefault(process.info["ppid"], []).append(process.pid)
        if count % PROCESSES_A_TURN == 0:
            gevent.sleep(0)
    return children


def _tree(pid: int, children: dict[int, list[int]]) -> list[int]:
    """`pid` and its descendants."""
    found = [pid]
    for member in found:
        found += [child for child in children.get(member, ()) if child not in found]
    return found

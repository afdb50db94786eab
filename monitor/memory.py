"""What trees of processes take of the host's memory, with pages that they share counted once.

Trap: forked processes share most of their pages, so the sum of their resident sizes can be
many times what the host has. How much of a process is its own costs the kernel some
milliseconds to tell (it walks the page table), so it is asked of so many processes at once:
of those whose resident size has changed, until then the change counts as their own, and of
some others in turn, as what was a process's own is shared when it forks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import gevent

CHANGED, OTHERS = 40, 4  # processes that are read at once
CHANGE = 1 << 20  # bytes, or ...
RATIO = 0.05  # of the resident size: a change that is worth a read
PRIVATE = (b"Private_Clean:", b"Private_Dirty:", b"Private_Hugetlb:")


@dataclass(frozen=True)
class Resident:
    """A process, known by its id and its start, and its resident size in bytes."""

    pid: int
    started: float
    size: int


@dataclass(frozen=True)
class _Read:
    size: int  # resident, when it was read
    private: int


class Memory:
    def __init__(self, *, changed: int = CHANGED, others: int = OTHERS) -> None:
        """How many processes are read at once, of either kind."""
        self._changed = changed
        self._others = others
        self._known: dict[tuple[int, float], _Read] = {}  # the longest unread first

    def look(self, processes: Iterable[Resident]) -> None:
        """Read of some; forget all others than `processes`."""
        present = {_key(one): one for one in processes}
        self._known = {key: read for key, read in self._known.items() if key in present}
        changes = {key: self._change(one) for key, one in present.items()}
        reading = [key for key in present if changes[key] > max(CHANGE, RATIO * present[key].size)]
        reading = sorted(reading, key=changes.__getitem__, reverse=True)[: self._changed]
        reading += [key for key in self._known if key not in reading][: self._others]
        for key in reading:
            one = present[key]
            self.know(one, _private(one.pid, default=one.size))
            gevent.sleep(0)

    def know(self, one: Resident, private: int) -> None:
        """So many bytes of a process are its own now."""
        self._known.pop(_key(one), None)
        self._known[_key(one)] = _Read(one.size, private)

    def of(self, tree: Iterable[Resident]) -> int:
        """Bytes that these processes take, none of whose pages others share."""
        tree = list(tree)
        known = [self._private(one) for one in tree if _key(one) in self._known]
        usual = fmean(known) if known else None  # of those that were not read yet
        own = shared = 0
        for one in tree:
            private = self._private(one) if _key(one) in self._known else usual
            private = one.size if private is None else min(round(private), one.size)
            own += private
            shared = max(shared, one.size - private)
        return own + shared

    def _private(self, one: Resident) -> int:
        read = self._known[_key(one)]
        return min(one.size, max(0, read.private + one.size - read.size))

    def _change(self, one: Resident) -> int:
        read = self._known.get(_key(one))
        return one.size if read is None else abs(one.size - read.size)


def _key(one: Resident) -> tuple[int, float]:
    return one.pid, one.started


def _private(pid: int, *, default: int) -> int:
    """The bytes of a process that no other has; `default` where we may not know."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_bytes()
    except OSError:
        return default
    return sum(
        int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith(PRIVATE)
    )

"""Makes this process quick to fork: what the kernel copies is not its memory, but the maps of it.

That is an entry for each small page it has written, and a record for each mapping: of a warm
Sage, 90,000 and 2,900. A fork of it and the end of the child take some 20 ms of a processor.
Here memory is gathered from the start where large pages fit (one entry instead of 512),
made into such pages in the end, and mappings are joined with their neighbours: 5 ms. A child
that writes still gets copies of small pages only.
"""

from __future__ import annotations

import contextlib
import ctypes
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from app.sage import kernel

LARGE = 1 << 21  # bytes of a large page: of x86-64, and of arm64 with pages of 4 KiB
ARENAS = 200  # of Python's small objects, as many as a warm Sage uses and some more
ARENA = 1 << 20  # bytes (of Python 3.10 and later)
SMALL = 512  # bytes: the largest objects that lie in arenas
OVERHEAD = sys.getsizeof(b"")
# As glibc chooses for itself once large blocks were freed; and room to grow in, meanwhile.
SEPARATE, TRIM, GROW = 32 << 20, 64 << 20, 64 << 20  # bytes
LINE = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ (\d+) *(.*)")


class Mapping(NamedTuple):
    """A line of /proc/self/maps; `inode` is 0 for memory that is no file's."""

    start: int
    end: int
    rights: str  # "r-xp"
    inode: int
    path: str


class Layout:
    """Of this process's memory: make it before anything large is imported."""

    def __init__(self) -> None:
        """Have Python's arenas side by side, and C's blocks on one heap."""
        kernel.choose_heap(separate=SEPARATE, trim=TRIM, grow=GROW)
        objects = [bytes(SMALL - OVERHEAD) for _ in range(ARENAS * ARENA // SMALL)]
        self._reserve = objects[:: ARENA // SMALL // 2]  # keeps the arenas, all but empty

    def settle(self) -> None:
        """Everything is there: lay it out for many forks. What can't be done is left as it is."""
        self._reserve.clear()
        ctypes.pythonapi.PyOS_AfterFork_Child()  # what it drops (fonts, …) no child has to drop
        kernel.choose_heap(separate=SEPARATE, trim=TRIM, grow=0)
        kernel.fill_heap()  # or what a child allocates would lie here and there, a page each
        for mapping in mappings():
            if mapping.rights.startswith("rw") and not mapping.inode:
                enlarge(mapping)
        found = list(mappings())
        for before, mapping, behind in zip(found, found[1:], found[2:], strict=False):
            if rights := rights_to_join(before, mapping, behind):
                with contextlib.suppress(OSError):
                    kernel.protect(mapping.start, mapping.end - mapping.start, rights)


def mappings() -> Iterator[Mapping]:
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        if match := LINE.fullmatch(line):
            start, end, rights, inode, path = match.groups()
            yield Mapping(int(start, 16), int(end, 16), rights, int(inode), path)


def enlarge(mapping: Mapping) -> None:
    """Have large pages where one fits and something lies already."""
    for start in range(-(-mapping.start // LARGE) * LARGE, mapping.end - LARGE + 1, LARGE):
        with contextlib.suppress(OSError):
            kernel.collapse(start, LARGE)


def rights_to_join(before: Mapping, mapping: Mapping, behind: Mapping) -> str:
    """With which rights constants of a library become one with its data or code; "": with none.

    Whoever runs code here could change them as well: they protect from mistakes alone.
    """
    if mapping.rights != "r--p" or not mapping.inode:
        return ""
    if _continues(mapping, behind) and behind.rights == "rw-p":
        return "rw"
    code = (_continues(before, mapping) and before.rights == "r-xp") or (
        _continues(mapping, behind) and behind.rights == "r-xp"
    )
    return "rx" if code else ""


def _continues(mapping: Mapping, behind: Mapping) -> bool:
    return mapping.end == behind.start and mapping.inode == behind.inode

"""Which sage server a session begins at. No I/O.

By the highest hash of server and worksheet, among those that are not busier than the others
("consistent hashing with bounded loads", Mirrokni, Thorup and Zadimoghaddam 2016). So every
app server chooses the same, few worksheets move when servers come and go, and a thousand
people who come between two looks at the load are spread.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from statistics import fmean

MORE_SESSIONS = 1.1  # times the mean, and ...
SPARE_SESSIONS = 2  # ... so many: a server with more than that is busy
MORE_LOAD = 1.5
SPARE_LOAD = 0.5  # of a core's work, for each core


@dataclass(frozen=True)
class Load:
    """Of one sage server, a few seconds ago."""

    sessions: int
    free: int  # sessions that may begin
    load: float  # of its host, for each core


def best_sage_server(key: str, addresses: Collection[str], loads: Mapping[str, Load]) -> str:
    """The server, of `addresses` (at least one), for what has this key."""
    return max(able(addresses, loads), key=lambda each: _hash(each, key))


def able(addresses: Collection[str], loads: Mapping[str, Load]) -> tuple[str, ...]:
    """Those that have room and are not busier than the others, or all, if that leaves none.

    One whose load is not known is as good as any.
    """
    with_room = tuple(each for each in addresses if each not in loads or loads[each].free > 0)
    known = [loads[each] for each in with_room if each in loads]
    if not known:
        return with_room or tuple(addresses)
    sessions = MORE_SESSIONS * fmean(each.sessions for each in known) + SPARE_SESSIONS
    load = MORE_LOAD * fmean(each.load for each in known) + SPARE_LOAD
    quiet = (
        each
        for each in with_room
        if each not in loads or (loads[each].sessions <= sessions and loads[each].load <= load)
    )
    return tuple(quiet) or with_room


def _hash(address: str, key: str) -> bytes:
    return hashlib.sha256(f"{address} {key}".encode()).digest()

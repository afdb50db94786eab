"""Who computes without pause for hours, as programs that mine coins do.

The sage servers add up processor time by slices of time (app/sage/consumption.py). A slice is full
if nearly all of a core was used in it; whoever has full slices for long enough is a suspect. Many
who compute now and then, as a class does, have none. Nothing is ended by itself: people decide.

A guest may come back as another one. So guests count by address, too, all together that computed
for a good part of a slice (`GOOD_PART`): who takes turns with himself does, a class does not.
Strangers, whose code is evaluated once (`/service`), have no account at all: all of an address
count as one guest there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg2.extensions import cursor as Cursor

from app import roles
from app.settings import Mining

GOOD_PART = 0.25  # of a slice
STRANGERS = "00000000-0000-0000-0000-000000000000"  # as one guest, all of an address


@dataclass(frozen=True)
class Slice:
    """What somebody has used in a slice of time."""

    since: float  # Unix seconds
    seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class Verdict:
    """Somebody has computed without pause."""

    since: float  # Unix seconds
    full_hours: float  # within the last `within_hours`
    cpu_seconds: float  # since then


@dataclass(frozen=True)
class Suspect:
    """A verdict, and whom it is of."""

    account: str  # empty: several guests from one address, or strangers
    name: str
    kind: str  # "anonymous": strangers
    network: str  # of guests and strangers, where they come from
    since: datetime
    full_hours: float
    cpu_seconds: float
    worksheets: tuple[str, ...]  # that have a session now


def judge(slices: Iterable[Slice], rules: Mining, now: float) -> Verdict | None:
    """What is to be said of one who used that. `now`: Unix seconds, by the clock of the slices.

    Slices that are yet to come, as clocks jump, do not count, and no time counts twice.
    """
    if not rules.hours:
        return None
    past = sorted((one for one in slices if one.since <= now), key=lambda one: one.since)
    full = [one for one in past if _is_full(one, rules, now)]
    start = now - rules.within_hours * 3600
    hours = _covered(full, start, now) / 3600
    if hours < rules.hours:
        return None
    pause = (rules.within_hours - rules.hours) * 3600
    since = full[-1].since
    for one in reversed(full):
        if since - (one.since + one.seconds) > pause:
            break
        since = one.since
    used = sum(one.cpu_seconds for one in past if one.since >= since)
    return Verdict(since=since, full_hours=hours, cpu_seconds=used)


def together(used: Iterable[tuple[Slice, str]]) -> list[Slice]:
    """Slices of several guests (`str`: who) as those of one; who used little is left out."""
    of_guest: dict[tuple[float, str], float] = defaultdict(float)
    seconds: dict[float, float] = {}
    for one, guest in used:
        of_guest[one.since, guest] += one.cpu_seconds
        seconds[one.since] = max(one.seconds, seconds.get(one.since, 0.0))
    sums: dict[float, float] = defaultdict(float)
    for (since, _), cpu_seconds in of_guest.items():
        if cpu_seconds >= GOOD_PART * seconds[since]:
            sums[since] += cpu_seconds
    return [Slice(since, seconds[since], used) for since, used in sums.items()]


def _is_full(one: Slice, rules: Mining, now: float) -> bool:
    """Of the slice that is not over, the part that is."""
    return one.cpu_seconds >= rules.share * min(one.seconds, now - one.since)


def _covered(slices: Sequence[Slice], start: float, end: float) -> float:
    """Seconds from `start` to `end` that are in one of the slices, which are sorted."""
    total, reached = 0.0, start
    for one in slices:
        until = min(one.since + one.seconds, end)
        total += max(0.0, until - max(one.since, reached))
        reached = max(reached, until)
    return total


# --- Asking the database --------------------------------------------------------


def suspects(cursor: Cursor, rules: Mining) -> list[Suspect]:
    """Who computes without pause, the longest first."""
    if not rules.hours:
        return []
    cursor.execute("SELECT extract(epoch FROM now())::float")
    (now,) = cursor.fetchone() or (0.0,)
    found = [*_accounts(cursor, rules, now)]
    named = {one.network for one in found if one.network}
    if "guest" in rules.kinds:
        found += [one for one in _networks(cursor, rules, now) if one.network not in named]
    return sorted(found, key=lambda one: one.since)


def _accounts(cursor: Cursor, rules: Mining, now: float) -> Iterable[Suspect]:
    cursor.execute(
        """
        WITH much AS (
            SELECT account FROM consumption WHERE since > now() - make_interval(secs => %(within)s)
            GROUP BY account HAVING sum(cpu_seconds) >= %(least)s)
        SELECT account::text, accounts.name, role,
               coalesce((SELECT network FROM guest_consumption WHERE guest = account LIMIT 1), ''),
               extract(epoch FROM since)::float, max(seconds), sum(cpu_seconds)
        FROM consumption JOIN much USING (account) JOIN accounts ON accounts.id = account
        WHERE role = ANY(%(kinds)s)
        GROUP BY account, accounts.name, role, since
        """,
        _bounds(rules) | {"kinds": list(rules.kinds)},
    )
    used: dict[tuple[str, str, str, str], list[Slice]] = defaultdict(list)
    for account, name, kind, network, *slice in cursor.fetchall():
        used[account, name, kind, network].append(Slice(*slice))
    for (account, name, kind, network), slices in used.items():
        verdict = judge(slices, rules, now)
        if verdict is not None:
            yield _suspect(cursor, verdict, (account, name, kind, network), [account])


def _networks(cursor: Cursor, rules: Mining, now: float) -> Iterable[Suspect]:
    cursor.execute(
        """
        WITH much AS (
            SELECT network FROM guest_consumption
            WHERE since > now() - make_interval(secs => %(within)s)
            GROUP BY network HAVING sum(cpu_seconds) >= %(least)s)
        SELECT network, guest::text, extract(epoch FROM since)::float, seconds, cpu_seconds
        FROM guest_consumption JOIN much USING (network)
        """,
        _bounds(rules),
    )
    used: dict[str, list[tuple[Slice, str]]] = defaultdict(list)
    for network, guest, *slice in cursor.fetchall():
        used[network].append((Slice(*slice), guest))
    for network, slices in used.items():
        verdict = judge(together(slices), rules, now)
        if verdict is not None:
            guests = {guest for one, guest in slices if one.since >= verdict.since}
            kind = roles.STRANGER if guests == {STRANGERS} else "guest"
            yield _suspect(cursor, verdict, ("", "", kind, network), sorted(guests))


def _bounds(rules: Mining) -> dict[str, Any]:
    """Who has used less than this can't be one."""
    least = rules.share * rules.hours * 3600
    return {"within": rules.within_hours * 3600 + rules.slice_seconds, "least": least}


def _suspect(
    cursor: Cursor, verdict: Verdict, who: tuple[str, str, str, str], accounts: list[str]
) -> Suspect:
    cursor.execute(
        "SELECT worksheet::text FROM sessions WHERE account = ANY(%s) AND ended IS NULL"
        " ORDER BY started",
        (accounts,),
    )
    account, name, kind, network = who
    return Suspect(
        account=account,
        name=name,
        kind=kind,
        network=network,
        since=datetime.fromtimestamp(verdict.since, UTC),
        full_hours=verdict.full_hours,
        cpu_seconds=verdict.cpu_seconds,
        worksheets=tuple(row[0] for row in cursor.fetchall()),
    )

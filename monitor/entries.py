"""What the database has of logs, asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import cursor as Cursor

from monitor.lines import LEVELS

LATE_SECONDS = 30.0  # in which transactions that began earlier may still add entries


@dataclass(frozen=True)
class Entry:
    """A row of table `log`; `host` is the one that wrote it."""

    id: int
    time: datetime
    host: str
    service: str
    level: str | None
    message: str


@dataclass(frozen=True)
class Wanted:
    """Which entries: what is empty or None does not matter. `services` are names or types
    ("app" has "app-1"); `level` is the least; `pattern` a regular expression of PostgreSQL's.
    """

    services: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    level: str = ""
    since: datetime | None = None
    pattern: str = ""


def latest(cursor: Cursor, wanted: Wanted, count: int) -> list[Entry]:
    """The last entries, oldest first, as they were recorded."""
    found = _select(cursor, wanted, "", [], f"ORDER BY id DESC LIMIT {count:d}")
    return found[::-1]


def fresh(cursor: Cursor, wanted: Wanted, known: Sequence[int]) -> list[Entry]:
    """What was recorded lately but for `known`, ids of those seen already, in order.

    Ids are given when a row is added, and seen when its transaction is committed: a lower one
    may come later.
    """
    more = "AND recorded > now() - make_interval(secs => %s) AND NOT id = ANY(%s)"
    return _select(cursor, wanted, more, [LATE_SECONDS, list(known)], "ORDER BY id")


def _select(
    cursor: Cursor, wanted: Wanted, more: str, values: list[object], order: str
) -> list[Entry]:
    levels = LEVELS[LEVELS.index(wanted.level) :] if wanted.level else ()
    cursor.execute(
        f"""
        SELECT id, time, split_part(logfile, ':', 1), service, level, message FROM log
        WHERE (%s OR service = ANY(%s) OR regexp_replace(service, '-[0-9]+$', '') = ANY(%s))
              AND (%s OR split_part(logfile, ':', 1) = ANY(%s))
              AND (%s OR level = ANY(%s)) AND (%s::timestamptz IS NULL OR time >= %s)
              AND (%s = '' OR message ~* %s) {more} {order}
        """,
        [
            not wanted.services, list(wanted.services), list(wanted.services),
            not wanted.hosts, list(wanted.hosts),
            not levels, list(levels), wanted.since, wanted.since,
            wanted.pattern, wanted.pattern, *values,
        ],
    )  # fmt: skip
    return [Entry(*row) for row in cursor.fetchall()]

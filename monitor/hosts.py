"""Heartbeats: which hosts of the site are heard of, and what follows from silence.

Times are the database's alone, so hosts' clocks may differ.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor

FOUND_LOST = "its host was not heard of any more"


@dataclass(frozen=True)
class Beat:
    """What the database knows, once it has heard of us."""

    running: frozenset[str]  # ids of the rows that it says are running, of those asked for
    hosts: tuple[str, ...]  # that were heard of lately


def beat(
    cursor: Cursor, *, site: str, host: str, pid: int, rows: Collection[str], silence: float
) -> Beat:
    """Say that `host` is there. `silence`: seconds after which a host is lost."""
    cursor.execute(
        """
        WITH ours AS (
            INSERT INTO monitors (site, host, pid, seen) VALUES (%(site)s, %(host)s, %(pid)s, now())
            ON CONFLICT (site, host) DO UPDATE SET pid = excluded.pid, seen = excluded.seen
            RETURNING host
        )
        SELECT ARRAY(SELECT id::text FROM services WHERE running AND id = ANY(%(rows)s::uuid[])),
               ARRAY(SELECT host FROM monitors WHERE site = %(site)s
                     AND seen > now() - make_interval(secs => %(silence)s)
                     UNION SELECT host FROM ours ORDER BY host)
        """,
        {"site": site, "host": host, "pid": pid, "rows": list(rows), "silence": silence},
    )
    row = cursor.fetchone()
    assert row is not None
    return Beat(frozenset(row[0]), tuple(row[1]))


def close_lost(cursor: Cursor, *, site: str, silence: float) -> int:
    """Close the rows of hosts that have been silent for so many seconds; how many."""
    cursor.execute(
        "UPDATE services SET running = false, stopped = seen, exit = %s FROM monitors"
        " WHERE running AND services.site = %s AND monitors.site = services.site"
        " AND monitors.host = services.host AND seen < now() - make_interval(secs => %s)",
        (FOUND_LOST, site, silence),
    )
    return int(cursor.rowcount)

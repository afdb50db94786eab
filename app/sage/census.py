"""Counts sessions and runs of the whole site, for the limits that hold for all its sage servers.

Each server says at intervals that it is alive and what it has counted, and asks what the others
have, and which limits are raised for whom. So a limit of
the site is exact on one server, and on several late by the interval. Without the database
the last answer goes on to hold. One that was silent for long learns here which of its sessions
the others have given up (app/losses.py). What administrators want to know and have done to
sessions comes with it (roll.py), and what was deleted (sexton.py).
"""

from __future__ import annotations

import logging
import math
import time
from collections import Counter

import gevent
import psycopg2
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from app import limits
from app.db import Database, Unavailable
from app.loop import Loop
from app.sage.pool import Pool
from app.sage.roll import Roll
from app.sage.sexton import Sexton

INTERVAL = 2.0  # seconds
# After a cut the kernel waits about as long again before it tries a connection that hung; a new
# one is quicker. But a slow database must be waited for.
PATIENCE, LONGEST_PATIENCE = 2.0, 16.0  # seconds that one try may take
RETRY = 0.2  # seconds
PRUNE_SECONDS = 60.0  # between looks for counts that are old
OVERLAP = 10.0  # seconds that a transaction may take: what it has changed is read after that, too
SILENCE = 30.0  # seconds after which a server's sessions do not count any more

log = logging.getLogger(__name__)


class Census(Loop):
    def __init__(self, *, pool: Pool, database: Database, address: str) -> None:
        """`address`: of this server (host:port), as its sessions are recorded with it."""
        self._pool = pool
        self._database = database
        self._address = address
        self._roll = Roll(pool=pool, address=address)
        self._sexton = Sexton(pool=pool)
        self._counted = 0.0  # the database's time when we read last what was counted
        self._pruned = -math.inf  # on the monotonic clock

    def step(self) -> None:
        """Say that we are here and what we have, ask what others have. Raises Unavailable."""
        with self._database.reading() as cursor:
            cursor.execute(
                "INSERT INTO sage_servers (address, seen) VALUES (%s, now())"
                " ON CONFLICT (address) DO UPDATE SET seen = now()"
                " RETURNING extract(epoch FROM seen)::float",
                (self._address,),
            )
            (seconds,) = cursor.fetchone() or (time.time(),)
            self._pool.allowances.tell_time(seconds)
            self._pool.tell_raised(limits.raised(cursor))
            self._count_runs(cursor, seconds)
            cursor.execute(
                "SELECT account, sessions.address, count(*)"
                " FROM sessions JOIN sage_servers ON sage_servers.address = server"
                " WHERE ended IS NULL AND server <> %s"
                " AND seen > now() - make_interval(secs => %s) GROUP BY 1, 2",
                (self._address, SILENCE),
            )
            by_account: Counter[str] = Counter()
            by_address: Counter[str] = Counter()
            for account, address, count in cursor.fetchall():
                by_account[account] += count
                by_address[address] += count
            self._pool.tell_elsewhere(by_account, by_address)
            cursor.execute(
                "SELECT id::text, coalesce(reason, '') FROM sessions"
                " WHERE id = ANY(%s::uuid[]) AND ended IS NOT NULL",
                (self._pool.live_sessions,),
            )
            for session, reason in cursor.fetchall():
                self._pool.end_session(session, reason)
            self._roll.step(cursor)
            self._sexton.step(cursor)

    def _count_runs(self, cursor: Cursor, now: float) -> None:
        """Take what others have counted since last time, and hand over what was counted here.
        `now`: the database's time."""
        counts = self._pool.allowances.counts
        cursor.execute(
            "SELECT server, subject, slot, count FROM run_counts WHERE changed > to_timestamp(%s)",
            (self._counted - OVERLAP,),
        )
        for server, subject, minute, count in cursor.fetchall():
            if server != self._address:
                counts.tell(server, subject, minute, count)
            elif not self._counted:
                counts.restore(subject, minute, count)
        self._counted = now
        counts.forget_old(now)
        rows = counts.unwritten()
        if rows:
            execute_values(
                cursor,
                "INSERT INTO run_counts (subject, server, slot, count) VALUES %s"
                " ON CONFLICT (subject, server, slot)"
                " DO UPDATE SET count = excluded.count, changed = now()",
                [(subject, self._address, minute, count) for subject, minute, count in rows],
            )
            counts.note_written(rows)
        if time.monotonic() - self._pruned > PRUNE_SECONDS:
            cursor.execute("DELETE FROM run_counts WHERE changed < now() - interval '62 minutes'")
            self._pruned = time.monotonic()

    def _run(self) -> None:
        pause, patience = INTERVAL, PATIENCE
        while True:
            gevent.sleep(pause)
            try:
                with gevent.Timeout(patience, Unavailable(f"no answer within {patience:g} s")):
                    self.step()
                pause, patience = INTERVAL, PATIENCE
            except (Unavailable, psycopg2.Error) as error:
                log.debug("sessions of other servers are not known: %s", error)
                pause, patience = RETRY, min(2 * patience, LONGEST_PATIENCE)

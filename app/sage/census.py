"""Counts the sessions of the whole site, for the limits that hold for all its sage servers.

Each server says at intervals that it is alive, and asks what the others have. So a limit of
the site is exact on one server, and on several late by the interval. Without the database
the last answer goes on to hold. One that was silent for long learns here which of its sessions
the others have given up (app/losses.py). What administrators want to know and have done to
sessions comes with it (roll.py).
"""

from __future__ import annotations

import logging
from collections import Counter

import gevent
import psycopg2

from app.db import Database, Unavailable
from app.sage.pool import Pool
from app.sage.roll import Roll

INTERVAL = 2.0  # seconds
# After a cut the kernel waits about as long again before it tries a connection that hung; a new
# one is quicker. But a slow database must be waited for.
PATIENCE, LONGEST_PATIENCE = 2.0, 16.0  # seconds that one try may take
RETRY = 0.2  # seconds
SILENCE = 30.0  # seconds after which a server's sessions do not count any more

log = logging.getLogger(__name__)


class Census:
    def __init__(self, *, pool: Pool, database: Database, address: str) -> None:
        """`address`: of this server (host:port), as its sessions are recorded with it."""
        self._pool = pool
        self._database = database
        self._address = address
        self._roll = Roll(pool=pool, address=address)
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def start(self) -> None:
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        if self._greenlet is not None:
            self._greenlet.kill()

    def step(self) -> None:
        """Say that we are here and what we have, ask what others have. Raises Unavailable."""
        with self._database.reading() as cursor:
            cursor.execute(
                "INSERT INTO sage_servers (address, seen) VALUES (%s, now())"
                " ON CONFLICT (address) DO UPDATE SET seen = now()",
                (self._address,),
            )
            cursor.execute(
                "SELECT account, count(*) FROM sessions"
                " JOIN sage_servers ON sage_servers.address = server"
                " WHERE ended IS NULL AND server <> %s"
                " AND seen > now() - make_interval(secs => %s) GROUP BY account",
                (self._address, SILENCE),
            )
            self._pool.tell_elsewhere(Counter(dict(cursor.fetchall())))
            cursor.execute(
                "SELECT id::text, coalesce(reason, '') FROM sessions"
                " WHERE id = ANY(%s::uuid[]) AND ended IS NOT NULL",
                (self._pool.live_sessions,),
            )
            for session, reason in cursor.fetchall():
                self._pool.end_session(session, reason)
            self._roll.step(cursor)

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

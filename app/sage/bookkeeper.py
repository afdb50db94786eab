"""Writes the processor time that sessions use, in batches, and forgets what is old.

Nothing that runs waits for it. While the database is away, lines wait in memory; only a Sage
server that is killed loses those of the last seconds.
"""

from __future__ import annotations

import logging
import time

import gevent
import psycopg2
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from app import attempts
from app.db import Database, Unavailable
from app.loop import Loop
from app.mining import STRANGERS
from app.sage.consumption import Consumption, Line
from app.skew import Skew

LONGEST_PAUSE = 60.0  # seconds between tries while the database is away
PRUNE_SECONDS = 600.0  # between looks for what is old

log = logging.getLogger(__name__)


class Bookkeeper(Loop):
    def __init__(
        self, *, consumption: Consumption, database: Database, interval: float, keep_days: float
    ) -> None:
        """`interval`: seconds between writes."""
        self._consumption = consumption
        self._database = database
        self._interval = interval
        self._keep_days = keep_days
        self._networks: dict[str, str] = {}  # of guests whose sessions were seen here
        self._pruned = float("-inf")
        self._skew = Skew()

    def stop(self) -> None:
        """Write what there is, if the database takes it, and end."""
        super().stop()
        try:
            self.write()
        except (Unavailable, psycopg2.Error) as error:
            log.warning("processor time of the last %g s is not recorded: %s",
                        self._interval, error)  # fmt: skip

    def write(self) -> None:
        """Write what is new. Raises Unavailable."""
        lines = self._consumption.news()
        if lines:
            with self._database.transaction() as cursor:
                self._skew.look(cursor)
                self._write_lines(cursor, lines)
            self._consumption.forget(lines)

    def prune(self) -> None:
        """Delete what is old. Raises Unavailable."""
        with self._database.transaction() as cursor:
            for table in ("consumption", "guest_consumption"):
                cursor.execute(
                    f"DELETE FROM {table} WHERE since < now() - make_interval(secs => %s)",
                    (self._keep_days * 86400,),
                )

    def _run(self) -> None:
        pause = self._interval
        while True:
            gevent.sleep(pause)
            try:
                self.write()
                if time.monotonic() - self._pruned > PRUNE_SECONDS:
                    self.prune()
                    self._pruned = time.monotonic()
                pause = self._interval
            except (Unavailable, psycopg2.Error) as error:
                log.info("processor time is recorded later: %s", error)
                pause = min(2 * pause, LONGEST_PAUSE)
            except Exception:
                log.exception("processor time can't be recorded; the next try may go well")
                pause = LONGEST_PAUSE

    def _write_lines(self, cursor: Cursor, lines: list[Line]) -> None:
        length = self._consumption.slice_seconds
        rows = [
            (line.session, self._skew.when(line.since), length, line.account, line.cpu_seconds)
            for line in lines
            if line.account
        ]
        execute_values(
            cursor,
            "INSERT INTO consumption (session, since, seconds, account, cpu_seconds)"
            " SELECT session::uuid, since, seconds, accounts.id, cpu_seconds"
            " FROM (VALUES %s) AS new (session, since, seconds, account, cpu_seconds)"
            " JOIN accounts ON accounts.id = new.account::uuid"  # others are deleted by now
            " ON CONFLICT (session, since) DO UPDATE SET cpu_seconds = excluded.cpu_seconds",
            rows,
        )
        self._find_networks(cursor, {line.account for line in lines if line.account})
        strangers = [
            (line.session, self._skew.when(line.since), length, STRANGERS, line.network,
             line.cpu_seconds)
            for line in lines
            if not line.account
        ]  # fmt: skip
        execute_values(
            cursor,
            "INSERT INTO guest_consumption (session, since, seconds, guest, network, cpu_seconds)"
            " SELECT session::uuid, since, seconds, guest::uuid, network, cpu_seconds"
            " FROM (VALUES %s) AS new (session, since, seconds, guest, network, cpu_seconds)"
            " ON CONFLICT (session, since) DO UPDATE SET cpu_seconds = excluded.cpu_seconds",
            strangers
            + [
                (session, since, seconds, account, self._networks[account], cpu_seconds)
                for session, since, seconds, account, cpu_seconds in rows
                if account in self._networks
            ],
        )

    def _find_networks(self, cursor: Cursor, accounts: set[str]) -> None:
        """Where guests come from. Remembered, as one who signs out goes on computing."""
        cursor.execute(
            "SELECT accounts.id::text, address FROM accounts JOIN sign_ins"
            " ON account = accounts.id WHERE role = 'guest' AND address <> ''"
            " AND accounts.id = ANY(%s::uuid[]) ORDER BY sign_ins.created",
            (list(accounts),),
        )
        found = {account: attempts.network(address) for account, address in cursor.fetchall()}
        known = {one: self._networks[one] for one in accounts if one in self._networks}
        self._networks = known | found

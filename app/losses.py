"""Sage servers that are not heard of any more: what they ran is over for the rest of the site.

A server may be cut off and go on. So its sessions are ended in the database, by whoever notices
first; it reads that when it is back (sage/census.py), ends them itself, and hands over what they
put out meanwhile. Silence is measured by whoever looks, on its monotonic clock: a server was silent
while its row has not changed, so that a wall clock that jumps ends nothing. And only while the
database answers: else the silence may have been the database's.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime

import gevent
import psycopg2

from app.db import Database, Unavailable
from app.loop import Loop
from app.nodes import Nodes

INTERVAL = 2.0  # seconds between looks

log = logging.getLogger(__name__)


class Losses(Loop):
    def __init__(self, *, database: Database, nodes: Nodes, limit: float) -> None:
        """`limit`: seconds of silence."""
        self._database = database
        self._nodes = nodes
        self._limit = limit
        # When each server was seen, by the database's clock, and since when, by ours, that is so
        self._seen: dict[str, tuple[datetime, float]] = {}

    def step(self, now: float) -> None:
        """Look once; `now` is monotonic. Raises Unavailable."""
        with self._database.transaction() as cursor:
            cursor.execute("SELECT address, seen FROM sage_servers")
            before, self._seen = self._seen, {}
            for address, seen in cursor.fetchall():
                known = before.get(address)
                self._seen[address] = known if known and known[0] == seen else (seen, now)
            silent = [
                each for each, (_, since) in self._seen.items() if now - since >= self._limit
            ]
            cursor.execute(
                "UPDATE sessions SET ended = now(), address = '', reason ="
                " 'the Sage server ' || server || ' was not heard of for ' || %s || ' s'"
                " WHERE server = ANY(%s) AND ended IS NULL",
                (f"{self._limit:g}", silent),
            )
        self._nodes.give_up(silent)

    def forget(self) -> None:
        """What was silent until now may have been so because of the database."""
        self._seen = {}

    def _run(self) -> None:
        while True:
            gevent.sleep(INTERVAL)
            try:
                self.step(time.monotonic())
            except (Unavailable, psycopg2.Error) as error:
                log.debug("which Sage servers are heard of is not known: %s", error)
                self.forget()

"""The greenlet that keeps the cache's ring to those memcached servers that run.

All app servers and monitors of the site ask the database the same, so they have the same ring
within an interval. A server that nobody watches is believed to run.
"""

from __future__ import annotations

import logging

import gevent
import psycopg2

from app.cache import Cache
from app.db import Database, Unavailable
from app.loop import Loop
from monitor import queries

log = logging.getLogger(__name__)


class Ring(Loop):
    def __init__(self, *, database: Database, cache: Cache, site: str, interval: float) -> None:
        """`interval`: seconds between looks."""
        self._database = database
        self._cache = cache
        self._site = site
        self._interval = interval

    def start(self) -> None:
        if len(self._cache.servers) > 1:
            super().start()

    def look(self) -> None:
        """Raises Unavailable."""
        with self._database.reading() as cursor:
            self._cache.leave_out(queries.ended_memcached(cursor, site=self._site))

    def _run(self) -> None:
        while True:
            try:
                self.look()
            except (Unavailable, psycopg2.Error) as error:
                log.debug("the ring of memcached servers stays as it is: %s", error)
            gevent.sleep(self._interval)

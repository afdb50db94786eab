"""Where the next session of each worksheet begins, on a site with several sage servers.

The choice follows from the servers' loads, which change. So it is written down when a run
begins a session: app servers that begin one at the same moment find the same server, and
those whose browsers wait for a session elsewhere move them there.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping

import gevent
import psycopg2

from app import worksheets
from app.balance import Load
from app.cache import Cache
from app.db import Database, Unavailable
from app.nodes import Node, Nodes

SETTLED_SECONDS = 30.0  # for which a choice holds; by then the session itself is recorded
LOOK_SECONDS = 1.0  # between looks at what others have chosen
REMEMBERED_SECONDS = 86400.0  # by the cache, for a database that is away
SETTLED_LIMIT = 10_000  # worksheets

log = logging.getLogger(__name__)


class Placements:
    def __init__(
        self,
        *,
        database: Database,
        cache: Cache,
        nodes: Nodes,
        loads: Callable[[], Mapping[str, Load]],
        interval: float,
    ) -> None:
        """`loads`, by host:port, is asked every `interval` seconds; it may raise Unavailable."""
        self._database = database
        self._cache = cache
        self._nodes = nodes
        self._loads = loads
        self._interval = interval
        self._settled: OrderedDict[str, tuple[float, str]] = OrderedDict()  # when, server
        self._greenlets: list[gevent.Greenlet[[], None]] = []

    def start(self) -> None:
        self._greenlets = [gevent.spawn(self._weigh), gevent.spawn(self._look)]

    def stop(self) -> None:
        gevent.killall(self._greenlets)

    def node(self, worksheet: str) -> Node:
        """Where the next session of this worksheet begins, as far as can be told now."""
        when, server = self._settled.get(worksheet, (0.0, ""))
        if time.monotonic() - when < SETTLED_SECONDS and server in self._nodes.addresses:
            return self._nodes.at(server)
        return self._nodes.choice(worksheet)

    def remembered(self, worksheet: str) -> str:
        """Where (host:port) its last session was, for when the database can't be asked."""
        found = self._cache.get(_key(worksheet))
        return found.decode() if found else ""

    def settle(self, worksheet: str, *, over_at: str) -> None:
        """A session of this worksheet is to begin, or is about to elsewhere: write down where.

        At the server `over_at` its last one is over, whatever the database says.
        """
        addresses = self._nodes.addresses
        if len(addresses) < 2:
            return
        chosen = self.node(worksheet).address
        try:
            with self._database.transaction() as cursor:
                live = worksheets.live_server(cursor, worksheet, addresses)
                if live and live != over_at:
                    chosen = live
                cursor.execute(
                    "INSERT INTO placements VALUES (%(worksheet)s, %(server)s, now())"
                    " ON CONFLICT (worksheet) DO UPDATE SET chosen = now(), server ="
                    " CASE WHEN placements.server = ANY(%(addresses)s) AND NOT %(sure)s"
                    " AND placements.chosen > now() - make_interval(secs => %(seconds)s)"
                    " THEN placements.server ELSE excluded.server END"
                    " RETURNING server",
                    {
                        "worksheet": worksheet,
                        "server": chosen,
                        "addresses": list(addresses),
                        "sure": chosen == live,
                        "seconds": SETTLED_SECONDS,
                    },
                )
                (chosen,) = cursor.fetchone() or (chosen,)
        except Unavailable as error:
            log.warning("where a session of %s begins is not written down: %s", worksheet, error)
        self._note(worksheet, chosen)
        self._cache.set(_key(worksheet), chosen.encode(), REMEMBERED_SECONDS)

    def look(self) -> None:
        """Hear what other app servers have chosen. Raises Unavailable."""
        with self._database.reading() as cursor:
            cursor.execute(
                "SELECT worksheet::text, server FROM placements"
                " WHERE chosen > now() - make_interval(secs => %s)",
                (3 * LOOK_SECONDS,),
            )
            found = dict(cursor.fetchall())
        news = [one for one, server in found.items() if self._server(one) != server]
        for worksheet in news:
            self._note(worksheet, found[worksheet])
        if news:
            self._nodes.say_changed()

    def _server(self, worksheet: str) -> str:
        return self._settled.get(worksheet, (0.0, ""))[1]

    def _note(self, worksheet: str, server: str) -> None:
        self._settled[worksheet] = (time.monotonic(), server)
        self._settled.move_to_end(worksheet)
        while len(self._settled) > SETTLED_LIMIT:
            self._settled.popitem(last=False)

    def _weigh(self) -> None:
        while True:
            try:
                self._nodes.loads = self._loads()
                self._trim()
            except (Unavailable, psycopg2.Error) as error:
                log.debug("the loads of sage servers are not known: %s", error)
                self._nodes.loads = {}
            gevent.sleep(self._interval)

    def _trim(self) -> None:
        """Delete what says nothing any more."""
        with self._database.reading() as cursor:
            cursor.execute(
                "DELETE FROM placements WHERE chosen < now() - make_interval(secs => %s)",
                (10 * SETTLED_SECONDS,),
            )

    def _look(self) -> None:
        while True:
            gevent.sleep(LOOK_SECONDS)
            if len(self._nodes.addresses) < 2:
                continue
            try:
                self.look()
            except (Unavailable, psycopg2.Error) as error:
                log.debug("what others have chosen is not known: %s", error)


def _key(worksheet: str) -> str:
    return f"placement/{worksheet}"

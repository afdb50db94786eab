"""Which app server each browser is connected to: the table `browsers`, and this server's part.

A browser is written down before it is shown anything. So whoever saves a change and then asks
who must hear of it misses nobody: a browser that is not yet there loads what was saved.

What is connected here is the truth about this server's rows: whenever they may differ, as after
a time without the database, they are made to agree. The rows of a server that has been silent
are removed by the others, as are those that a dead one left behind at the same address.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable

import gevent
import psycopg2
from gevent.event import Event
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from app.browsers import Browser, Browsers
from app.cache import Cache
from app.db import Database, Unavailable

BEAT = 2.0  # seconds between two signs of life
SILENCE = 15.0  # seconds after which a server counts as dead
PARTING = 2.0  # seconds for saying so before the end
REMEMBERED = 60.0  # seconds for which memcached keeps where a browser is

log = logging.getLogger(__name__)


class Directory:
    def __init__(
        self,
        *,
        database: Database,
        cache: Cache,
        browsers: Browsers,
        on_others: Callable[[tuple[str, ...]], None],
    ) -> None:
        """`on_others`: told the addresses of the other app servers with every sign of life."""
        self._database = database
        self._cache = cache
        self._browsers = browsers
        self._tell_others = on_others
        self._left: list[str] = []  # browsers whose rows are still there
        self._differs = True  # the rows may not be what is connected here
        self._is_regular = False  # the last beat came when it should
        self._is_away = False  # the database, when it was asked last
        self._wake = Event()
        self._greenlet: gevent.Greenlet[[], None] | None = None
        self.here = ""
        self.others: tuple[str, ...] = ()

    def start(self, here: str) -> None:
        """`here`: where other app servers reach this one (host:port)."""
        self.here = here
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """Leave: the others need not wait for us."""
        if self._greenlet is None:
            return
        self._greenlet.kill()
        try:
            with gevent.Timeout(PARTING), self._database.transaction() as cursor:
                cursor.execute("DELETE FROM browsers WHERE server = %s", (self.here,))
                cursor.execute("DELETE FROM app_servers WHERE address = %s", (self.here,))
        except (Unavailable, psycopg2.Error, gevent.Timeout) as error:
            log.info("the others will notice that this server is gone: %s", error)

    def enter(self, browser: Browser) -> None:
        """Write down that `browser`, which is among those connected here, has come."""
        if self._is_away:
            self._differs = True
            return
        row = (browser.id, browser.account, browser.worksheet, self.here)
        try:
            with self._database.reading() as cursor:
                cursor.execute(
                    "INSERT INTO browsers (id, account, worksheet, server)"
                    " VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
                    row,
                )
        except (Unavailable, psycopg2.Error) as error:
            log.debug("browser %s is written down later: %s", browser.id, error)
            self._is_away = self._differs = True

    def leave(self, browser: Browser) -> None:
        """Strike out a browser that is not connected any more, soon."""
        self._left.append(browser.id)
        self._wake.set()

    def server_of(self, browser: str, *, again: bool = False) -> str:
        """Where a browser is connected, "" if nowhere. Raises Unavailable.

        `again`: the last answer was wrong, so the database is asked itself.
        """
        if not again and (known := self._cache.get(_key(browser))):
            return known.decode()
        if not _is_uuid(browser):
            return ""
        with self._database.reading() as cursor:
            cursor.execute("SELECT server FROM browsers WHERE id = %s", (browser,))
            row = cursor.fetchone()
        if row:
            self._cache.set(_key(browser), row[0].encode(), REMEMBERED)
        return row[0] if row else ""

    def with_account(self, account: str) -> tuple[str, ...]:
        """The other servers to which a person is connected."""
        return self._asked("SELECT DISTINCT server FROM browsers WHERE account = %s", account)

    def with_worksheet(self, worksheet: str) -> tuple[str, ...]:
        """The other servers to which somebody is connected who has a worksheet open."""
        return self._asked("SELECT DISTINCT server FROM browsers WHERE worksheet = %s", worksheet)

    def all_others(self) -> tuple[str, ...]:
        """Every other server, also one that has only just begun."""
        try:
            with self._database.reading() as cursor:
                return self._alive(cursor)
        except (Unavailable, psycopg2.Error):
            return self.others

    def shared_with(self, server: str) -> tuple[str, ...]:
        """The worksheets that are open both here and there. Raises Unavailable."""
        with self._database.reading() as cursor:
            cursor.execute(
                "SELECT worksheet::text FROM browsers WHERE server = %s INTERSECT"
                " SELECT worksheet::text FROM browsers WHERE server = %s",
                (self.here, server),
            )
            return tuple(row[0] for row in cursor.fetchall())

    def _asked(self, question: str, id: str) -> tuple[str, ...]:
        """The servers that `question` names; without the database, all: too many do no harm."""
        if not _is_uuid(id):
            return ()
        try:
            with self._database.reading() as cursor:
                cursor.execute(question, (id,))
                return tuple(row[0] for row in cursor.fetchall() if row[0] != self.here)
        except (Unavailable, psycopg2.Error):
            return self.others

    # -- The greenlet ----------------------------------------------------------------

    def _run(self) -> None:
        while True:
            try:
                self.step()
                self._is_regular, self._is_away = True, False
            except (Unavailable, psycopg2.Error) as error:
                log.debug("who is connected is written down later: %s", error)
                self._is_regular, self._is_away, self._differs = False, True, True
            next_beat = time.monotonic() + BEAT
            while (left := next_beat - time.monotonic()) > 0:
                if self._wake.wait(left):
                    self._wake.clear()
                    self._strike_out()

    def step(self) -> None:
        """A sign of life, and what follows from those of others. Raises Unavailable."""
        with self._database.transaction() as cursor:
            cursor.execute(
                "INSERT INTO app_servers (address, seen) VALUES (%s, now())"
                " ON CONFLICT (address) DO UPDATE SET seen = now() RETURNING xmax = 0",
                (self.here,),
            )
            row = cursor.fetchone()
            is_new = bool(row and row[0])  # at first, or others have taken us for dead
            if self._is_regular:  # else the silence may have been the database's
                _forget_dead(cursor)
            if is_new or self._differs:
                self._differs = False
                self._make_agree(cursor)
            self.others = self._alive(cursor)
        self._strike_out()
        self._tell_others(self.others)

    def _make_agree(self, cursor: Cursor) -> None:
        cursor.execute("SELECT id::text FROM browsers WHERE server = %s", (self.here,))
        written = {row[0] for row in cursor.fetchall()}
        connected = {browser.id: browser for browser in self._browsers}
        gone = list(written - set(connected))
        cursor.execute("DELETE FROM browsers WHERE id = ANY(%s::uuid[])", (gone,))
        missing = [
            (browser.id, browser.account, browser.worksheet, self.here)
            for browser in connected.values()
            if browser.id not in written
        ]
        if missing:
            execute_values(
                cursor,
                "INSERT INTO browsers (id, account, worksheet, server) VALUES %s"
                " ON CONFLICT DO NOTHING",
                missing,
            )

    def _strike_out(self) -> None:
        left, self._left = self._left, []
        if not left:
            return
        try:
            with self._database.reading() as cursor:
                cursor.execute("DELETE FROM browsers WHERE id = ANY(%s::uuid[])", (left,))
        except (Unavailable, psycopg2.Error) as error:
            log.debug("%d browsers are struck out later: %s", len(left), error)
            self._differs = True

    def _alive(self, cursor: Cursor) -> tuple[str, ...]:
        cursor.execute(
            "SELECT address FROM app_servers WHERE address <> %s"
            " AND seen > now() - make_interval(secs => %s) ORDER BY address",
            (self.here, SILENCE),
        )
        return tuple(row[0] for row in cursor.fetchall())


def _forget_dead(cursor: Cursor) -> None:
    """Remove servers that have been silent, and who was connected to them."""
    cursor.execute(
        "WITH gone AS (DELETE FROM app_servers WHERE seen < now() - make_interval(secs => %s)"
        " RETURNING address) DELETE FROM browsers WHERE server IN (SELECT address FROM gone)",
        (SILENCE,),
    )


def _key(browser: str) -> str:
    return f"browser:{browser}"


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True

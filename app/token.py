"""The site's token: what its own processes and tools know each other by.

It is in the database, where all hosts find it, and in a file of each host for when the
database is away. `rotate` makes another; the one before stays good for a while, until
everybody has heard of it. A token that nobody here knows may be newer than what we know: the
database is asked before it is refused.
"""

from __future__ import annotations

import hmac
import logging
import math
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path

import gevent
import psycopg2
from gevent.lock import RLock
from psycopg2.extensions import cursor as Cursor

from app.db import Database, Unavailable
from app.loop import Loop
from app.wire.connection import proves
from app.wire.messages_pb2 import Hello

INTERVAL = 5.0  # seconds between two looks at the database
PAUSE = 1.0  # seconds in which an unknown token makes the database be asked only once
NAME = "token"

log = logging.getLogger(__name__)


def site_token(data_dir: Path) -> str:
    """The token as this host knows it, made when it is first asked for. Raises OSError."""
    path = data_dir / NAME
    data_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
    if not path.exists():
        fresh = _written(data_dir, secrets.token_urlsafe(32))
        try:
            os.link(fresh, path)  # unlike a rename, never replaces that of another process
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text(encoding="ascii").strip()


def keep(data_dir: Path, token: str) -> None:
    """Have this host know `token`. Raises OSError."""
    os.replace(_written(data_dir, token), data_dir / NAME)


def rotate(cursor: Cursor, grace: float) -> str:
    """A new token for the site; the one before is good for `grace` more seconds."""
    token = secrets.token_urlsafe(32)
    cursor.execute(
        "UPDATE tokens SET expires = now() + make_interval(secs => %s) WHERE expires IS NULL",
        (grace,),
    )
    cursor.execute("DELETE FROM tokens WHERE expires <= now()")
    cursor.execute("INSERT INTO tokens (token) VALUES (%s)", (token,))
    return token


class Tokens(Loop):
    """The site's token and those before it that are still good, as the database has them."""

    def __init__(self, *, data_dir: Path, database: Database) -> None:
        """Until the database has been asked, what the host's file says. Raises OSError."""
        self._data_dir = data_dir
        self._database = database
        self.current = site_token(data_dir)
        self._until = {self.current: math.inf}  # token → when it ends, on the monotonic clock
        self._looked = -math.inf
        self._looking = RLock()

    def accepts(self, given: str) -> bool:
        """Whether a tool has named a token that is good."""
        return self._holds(lambda token: hmac.compare_digest(given.encode(), token.encode()))

    def are_proved_by(self, hello: Hello, question: bytes) -> bool:
        """Whether a caller that was asked `question` has one that is good."""
        return self._holds(lambda token: proves(hello, question, token))

    def look_again(self) -> None:
        """Somebody has another token than we: see what the database says, if it answers."""
        with self._looking:
            if time.monotonic() - self._looked < PAUSE:
                return
            try:
                self.look()
            except (Unavailable, psycopg2.Error, OSError) as error:
                log.warning("the site's token can't be looked up: %s", error)
            self._looked = time.monotonic()

    def look(self) -> None:
        """See what the database says. Raises Unavailable, psycopg2.Error, OSError."""
        with self._database.reading() as cursor:
            cursor.execute("SELECT to_regclass('tokens')")
            if cursor.fetchone() == (None,):
                return  # a new database, about to get its tables
            # The first host of a site brings its own token, the others take that
            cursor.execute(
                "INSERT INTO tokens (token) SELECT %s WHERE NOT EXISTS"
                " (SELECT FROM tokens WHERE expires IS NULL) ON CONFLICT DO NOTHING",
                (self.current,),
            )
            cursor.execute(
                "SELECT token, extract(epoch FROM expires - now())::float FROM tokens"
                " WHERE expires IS NULL OR expires > now()"
            )
            found = cursor.fetchall()
        now = time.monotonic()
        in_use = next((token for token, left in found if left is None), self.current)
        if in_use != self.current:
            log.info("the site has another token")
            keep(self._data_dir, in_use)
        self.current = in_use
        self._until = {token: math.inf if left is None else now + left for token, left in found}

    def _holds(self, check: Callable[[str], bool]) -> bool:
        """Whether it holds for a token that is good; if for none that is known, look again."""
        if any(map(check, self._good())):
            return True
        self.look_again()
        return any(map(check, self._good()))

    def _good(self) -> list[str]:
        now = time.monotonic()
        return [token for token, until in self._until.items() if now < until]

    def _run(self) -> None:
        while True:
            try:
                self.look()
            except (Unavailable, psycopg2.Error, OSError) as error:
                log.debug("the site's token stays as it is: %s", error)
            gevent.sleep(INTERVAL)


def _written(data_dir: Path, token: str) -> Path:
    """A file of ours alone that holds it."""
    file = data_dir / f"{NAME}.{os.getpid()}.{secrets.token_hex(4)}"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="ascii") as opened:
        opened.write(token)
    return file

"""PostgreSQL: transactions on a small pool of connections, and numbered migrations.

A greenlet that wants a transaction waits in line for one of a few connections, so that
hundreds of greenlets share them. Whatever keeps the database from answering is told as
`Unavailable`; mistakes in our SQL stay psycopg2's errors.

Traps: two greenlets on one psycopg2 connection raise ProgrammingError, so a connection
belongs to one transaction at a time; COPY is refused once app.green is active; libpq's
connect_timeout does not count then either, so connecting is timed here.
"""

from __future__ import annotations

import hashlib
import re
import select
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import gevent
import psycopg2
from gevent import monkey
from gevent.event import AsyncResult
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

MIGRATION_LOCK = 0x53616C767573  # "Salvus": the key of the advisory lock
CHECK_MILLISECONDS = 500  # after which the server notices that who asked is gone (from 14 on)
MIGRATION_NAME = re.compile(r"(\d{3})_(\w+)\.sql")

# The cooperative poll costs a turn of the hub even when asked not to wait.
_poll = monkey.get_original("select", "poll")


class Unavailable(Exception):
    """The database cannot be asked now; the text says why."""


class MigrationError(Exception):
    """The schema's files and the database do not fit together; the text says where."""


@dataclass(frozen=True)
class Migration:
    number: int
    name: str
    sql: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


class Database:
    """At most `connections` connections to `url`, opened when first needed.

    `wait_seconds` bounds the wait for a free connection and for a new one;
    `statement_seconds` is the server's limit for one statement.
    """

    def __init__(
        self, *, url: str, connections: int, wait_seconds: float, statement_seconds: float
    ) -> None:
        self._url = url
        self._wait_seconds = wait_seconds
        self._statement_seconds = statement_seconds
        self._places = connections
        self._free_places = connections
        self._line: deque[AsyncResult[None]] = deque()
        self._idle: list[Connection] = []
        self._closed = False

    def transaction(self) -> AbstractContextManager[Cursor]:
        """A cursor whose work is committed at the end, or undone if the block raises."""
        return self._lent(autocommit=False)

    def reading(self) -> AbstractContextManager[Cursor]:
        """A cursor for questions: each stands alone, which saves BEGIN's and COMMIT's trips."""
        return self._lent(autocommit=True)

    @contextmanager
    def _lent(self, *, autocommit: bool) -> Iterator[Cursor]:
        self._take_place()
        try:
            connection = self._connection()
            connection.autocommit = autocommit
            keep = False
            try:
                with connection.cursor() as cursor:
                    yield cursor
                connection.commit()
                keep = True
            except Exception as error:
                keep = _rolled_back(connection)
                if isinstance(error, psycopg2.OperationalError) or (
                    isinstance(error, psycopg2.Error) and not keep
                ):
                    raise Unavailable(_words(error)) from error
                raise
            finally:
                # Not kept after a kill or a timeout either: it may be in mid-answer.
                if keep and not connection.closed and not self._closed:
                    self._idle.append(connection)
                else:
                    connection.close()
        finally:
            self._leave_place()

    def migrate(self, folder: Path) -> int:
        """Apply what of `folder`'s NNN_name.sql is new, all or nothing; how many were.

        Safe to call from several processes at once. Raises MigrationError if a file
        fails, or if one applied earlier has been changed or is gone.
        """
        migrations = read_migrations(folder)
        with self.transaction() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (MIGRATION_LOCK,))
            cursor.execute(
                "CREATE TABLE IF NOT EXISTS migrations (number integer PRIMARY KEY,"
                " name text NOT NULL, digest text NOT NULL,"
                " applied timestamptz NOT NULL DEFAULT now())"
            )
            cursor.execute("SELECT number, name, digest FROM migrations ORDER BY number")
            new = pending(migrations, cursor.fetchall(), folder)
            for migration in new:
                _apply(cursor, migration, folder)
        return len(new)

    def close(self) -> None:
        """Close what is idle now, and the rest when their transactions end."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def _take_place(self) -> None:
        """Wait for one of the places, first come first served."""
        if self._closed:
            raise Unavailable("the connection pool is closed")
        if self._free_places:
            self._free_places -= 1
            return
        turn: AsyncResult[None] = AsyncResult()
        self._line.append(turn)
        try:
            turn.get(timeout=self._wait_seconds)
        except BaseException as error:
            if turn.ready():  # our turn came while we were giving up
                self._leave_place()
            else:
                self._line.remove(turn)
            if isinstance(error, gevent.Timeout) and error.seconds == self._wait_seconds:
                raise Unavailable(
                    f"all {self._places} connections have been busy for"
                    f" {self._wait_seconds:g} s ([database] connections, wait_seconds)"
                ) from None
            raise

    def _leave_place(self) -> None:
        if self._line:
            self._line.popleft().set(None)
        else:
            self._free_places += 1

    def _connection(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed and not _has_something_to_say(connection):
                return connection
            connection.close()
        return self._connect()

    def _connect(self) -> Connection:
        timeout = gevent.Timeout(self._wait_seconds)
        options = (
            f"-c statement_timeout={int(self._statement_seconds * 1000)}"
            f" -c client_connection_check_interval={CHECK_MILLISECONDS}"
        )
        try:
            with timeout:
                return psycopg2.connect(
                    self._url, application_name="salvus", options=options
                )
        except BaseException as error:
            # Of a half-made connection psycopg2 may tell another error, which hides why.
            first = error.__context__ or error
            if first is timeout:
                raise Unavailable(f"no connection within {self._wait_seconds:g} s") from None
            if isinstance(first, psycopg2.OperationalError):
                raise Unavailable(_words(first)) from first
            raise first from None


def read_migrations(folder: Path) -> list[Migration]:
    """The migrations of `folder`, by number. Raises MigrationError for a bad name."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = MIGRATION_NAME.fullmatch(path.name)
        if not match:
            raise MigrationError(f"{path}: expected a name like 001_first.sql")
        found.append(Migration(int(match[1]), match[2], path.read_text(encoding="utf-8")))
    numbers = [migration.number for migration in found]
    if len(set(numbers)) < len(numbers):
        raise MigrationError(f"{folder}: expected each number once, found {numbers}")
    return found


def pending(
    migrations: list[Migration], applied: list[tuple[int, str, str]], folder: Path
) -> list[Migration]:
    """Those of `migrations` that are not among `applied` (number, name, digest)."""
    by_number = {migration.number: migration for migration in migrations}
    for number, name, digest in applied:
        migration = by_number.pop(number, None)
        if migration is None:
            raise MigrationError(
                f"the database has migration {number:03}_{name}, which {folder} lacks:"
                " a newer Salvus has used it; run that version or another database"
            )
        if (migration.name, migration.digest) != (name, digest):
            raise MigrationError(
                f"{folder}/{number:03}_{migration.name}.sql is not the {number:03}_{name}"
                " that was applied to the database: restore the file,"
                " and make the change in a new, higher number"
            )
    return [by_number[number] for number in sorted(by_number)]


def _apply(cursor: Cursor, migration: Migration, folder: Path) -> None:
    try:
        cursor.execute(migration.sql)
    except psycopg2.OperationalError:
        raise
    except psycopg2.Error as error:
        file = f"{folder}/{migration.number:03}_{migration.name}.sql"
        raise MigrationError(f"{file}: {_words(error)}") from error
    cursor.execute(
        "INSERT INTO migrations (number, name, digest) VALUES (%s, %s, %s)",
        (migration.number, migration.name, migration.digest),
    )


def _rolled_back(connection: Connection) -> bool:
    """Undo what `connection` has begun; whether it can be used again."""
    try:
        connection.rollback()
    except psycopg2.Error:
        return False
    return not connection.closed


def _has_something_to_say(connection: Connection) -> bool:
    """Whether an idle connection's server has closed it or told it to go away."""
    poll = _poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _words(error: psycopg2.Error) -> str:
    """The error's first line; what follows is libpq's guesses and the statement."""
    return str(error).strip().partition("\n")[0] or type(error).__name__

"""Transactions on the waiting pool, against a real PostgreSQL; migrations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gevent
import psycopg2
import pytest
from gevent.event import Event

from app.db import Database, MigrationError, Unavailable, read_migrations
from app.settings import ROOT, Settings
from supervisor.postgresql import database_url
from tests import host


def connect(settings: Settings, connections: int = 2, wait_seconds: float = 10) -> Database:
    return Database(
        url=database_url(settings),
        connections=connections,
        wait_seconds=wait_seconds,
        statement_seconds=30,
    )


@pytest.fixture
def scratch(database: Database) -> Iterator[Database]:
    """With a table `scratch (number)`."""
    with database.transaction() as cursor:
        cursor.execute("CREATE TABLE scratch (number integer)")
    yield database
    with database.transaction() as cursor:
        cursor.execute("DROP TABLE scratch")


def numbers(database: Database) -> list[int]:
    with database.transaction() as cursor:
        cursor.execute("SELECT number FROM scratch ORDER BY number")
        return [row[0] for row in cursor.fetchall()]


def test_a_transaction_is_kept_whole_or_not_at_all(scratch: Database) -> None:
    with scratch.transaction() as cursor:
        cursor.execute("INSERT INTO scratch VALUES (1)")
    with pytest.raises(ZeroDivisionError), scratch.transaction() as cursor:
        cursor.execute("INSERT INTO scratch VALUES (2)")
        raise ZeroDivisionError
    with pytest.raises(psycopg2.errors.UndefinedTable), scratch.transaction() as cursor:
        cursor.execute("INSERT INTO scratch VALUES (3)")
        cursor.execute("SELECT * FROM no_such_table")
    assert numbers(scratch) == [1]


def test_many_greenlets_share_few_connections(scratch: Database) -> None:
    def add(number: int) -> None:
        with scratch.transaction() as cursor:
            cursor.execute("INSERT INTO scratch VALUES (%s)", (number,))
            cursor.execute("SELECT pg_sleep(0.01)")

    gevent.joinall([gevent.spawn(add, number) for number in range(150)], raise_error=True)
    assert numbers(scratch) == list(range(150))
    with scratch.transaction() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'salvus'")
        row = cursor.fetchone()
    assert row
    assert row[0] <= 8


def test_the_line_is_first_come_first_served(host_settings: Settings) -> None:
    database = connect(host_settings, connections=1)
    order: list[int] = []

    def take(number: int) -> None:
        with database.transaction():
            order.append(number)

    with database.transaction():
        waiting = [gevent.spawn(take, number) for number in range(20)]
        gevent.sleep(0)
    gevent.joinall(waiting, raise_error=True)
    assert order == list(range(20))
    database.close()


def test_waiting_too_long_for_a_connection_is_told(host_settings: Settings) -> None:
    database = connect(host_settings, connections=1, wait_seconds=0.1)
    with (
        database.transaction(),
        pytest.raises(Unavailable, match="all 1 connections have been busy"),
        database.transaction(),
    ):
        pass
    with database.transaction() as cursor:
        cursor.execute("SELECT 1")
    database.close()


@pytest.mark.parametrize("how", ["kill", "timeout"])
def test_a_greenlet_ended_in_mid_query_leaves_the_pool_whole(
    host_settings: Settings, how: str
) -> None:
    database = connect(host_settings, connections=1)

    def dawdle() -> None:
        with gevent.Timeout(0.1 if how == "timeout" else None), database.transaction() as cursor:
            cursor.execute("SELECT pg_sleep(600)")

    victim = gevent.spawn(dawdle)
    if how == "kill":
        gevent.sleep(0.1)
        victim.kill()
    victim.join()
    with database.transaction() as cursor:
        cursor.execute("SELECT 42")
        assert cursor.fetchone() == (42,)
    with gevent.Timeout(10), database.reading() as cursor:
        asleep = 1
        while asleep:  # the server ends by itself what nobody waits for
            gevent.sleep(0.1)
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
            )
            (asleep,) = cursor.fetchone() or (1,)
    database.close()


def test_a_greenlet_killed_in_line_gives_its_turn_up(host_settings: Settings) -> None:
    database = connect(host_settings, connections=1)
    release = Event()

    def hold() -> None:
        with database.transaction():
            release.wait()

    holder = gevent.spawn(hold)
    gevent.sleep(0)
    victim, heir = gevent.spawn(hold), gevent.spawn(hold)
    gevent.sleep(0)
    victim.kill()
    release.set()
    gevent.joinall([holder, heir], raise_error=True)
    database.close()


def test_a_statement_has_a_limit(host_settings: Settings) -> None:
    database = Database(
        url=database_url(host_settings), connections=1, wait_seconds=5, statement_seconds=0.1
    )
    with (
        pytest.raises(Unavailable, match="statement timeout"),
        database.transaction() as cursor,
    ):
        cursor.execute("SELECT pg_sleep(600)")
    database.close()


def test_a_lost_connection_is_replaced(host_settings: Settings) -> None:
    """As after a restart of the server: unnoticed if idle, told if in mid-transaction."""
    database, other = connect(host_settings), connect(host_settings)

    def cut(pid: int) -> None:
        with other.transaction() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 10000)", (pid,))

    with database.transaction() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        idle = cursor.fetchone()
    assert idle
    cut(idle[0])
    with database.transaction() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        busy = cursor.fetchone()
        assert busy
        assert busy != idle
    with pytest.raises(Unavailable), database.transaction() as cursor:
        cut(busy[0])
        cursor.execute("SELECT 1")
    with database.transaction() as cursor:
        cursor.execute("SELECT 1")
    database.close()
    other.close()


def test_no_server_is_told_in_words() -> None:
    port = host.free_port()
    database = Database(
        url=f"postgresql://salvus@127.0.0.1:{port}/salvus",
        connections=1,
        wait_seconds=5,
        statement_seconds=5,
    )
    with pytest.raises(Unavailable, match="refused"), database.transaction():
        pass


def test_a_server_that_never_answers_is_told_in_words() -> None:
    with host.silent_server() as port:
        database = Database(
            url=f"postgresql://salvus@127.0.0.1:{port}/salvus",
            connections=1,
            wait_seconds=0.2,
            statement_seconds=5,
        )
        with pytest.raises(Unavailable, match="no connection within"), database.transaction():
            pass


def test_a_closed_pool_says_so(host_settings: Settings) -> None:
    database = connect(host_settings)
    database.close()
    with pytest.raises(Unavailable, match="closed"), database.transaction():
        pass


# Migrations


@pytest.fixture
def empty(database: Database, host_settings: Settings) -> Iterator[Database]:
    """A pool whose tables are in a schema of their own, which is empty."""
    with database.transaction() as cursor:
        cursor.execute("CREATE SCHEMA fresh; ALTER ROLE salvus SET search_path = fresh")
    pool = connect(host_settings, connections=4)
    yield pool
    pool.close()
    with database.transaction() as cursor:
        cursor.execute("DROP SCHEMA fresh CASCADE; ALTER ROLE salvus RESET search_path")


def write(folder: Path, **files: str) -> Path:
    for name, sql in files.items():
        (folder / f"{name.lstrip('_')}.sql").write_text(sql)
    return folder


def test_migrations_are_applied_once_and_in_order(empty: Database, tmp_path: Path) -> None:
    write(tmp_path, _001_a="CREATE TABLE a (x int)", _002_b="INSERT INTO a VALUES (1)")
    assert empty.migrate(tmp_path) == 2
    assert empty.migrate(tmp_path) == 0
    write(tmp_path, _003_c="INSERT INTO a SELECT x + 1 FROM a")
    assert empty.migrate(tmp_path) == 1
    with empty.transaction() as cursor:
        cursor.execute("SELECT x FROM a ORDER BY x")
        assert cursor.fetchall() == [(1,), (2,)]


def test_two_may_migrate_at_once(empty: Database) -> None:
    racing = [gevent.spawn(empty.migrate, ROOT / "app" / "schema") for _ in range(4)]
    gevent.joinall(racing, raise_error=True)
    assert sorted(one.value or 0 for one in racing)[:3] == [0, 0, 0]


def test_a_migration_that_fails_changes_nothing(empty: Database, tmp_path: Path) -> None:
    write(tmp_path, _001_a="CREATE TABLE a (x int)", _002_b="CREATE TABEL b (x int)")
    with pytest.raises(MigrationError, match=r"002_b\.sql: syntax error"):
        empty.migrate(tmp_path)
    write(tmp_path, _002_b="CREATE TABLE b (x int)")
    assert empty.migrate(tmp_path) == 2


def test_a_changed_or_missing_migration_is_refused(empty: Database, tmp_path: Path) -> None:
    write(tmp_path, _001_a="CREATE TABLE a (x int)", _002_b="CREATE TABLE b (x int)")
    empty.migrate(tmp_path)
    write(tmp_path, _002_b="CREATE TABLE b (x int, y int)")
    with pytest.raises(MigrationError, match=r"002_b\.sql is not .* higher number"):
        empty.migrate(tmp_path)
    (tmp_path / "002_b.sql").unlink()
    with pytest.raises(MigrationError, match=r"has migration 002_b, which .* lacks"):
        empty.migrate(tmp_path)


@pytest.mark.parametrize("names", [("1_a",), ("001-a",), ("002_a", "002_b")])
def test_misnamed_migrations_are_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (tmp_path / f"{name}.sql").write_text("SELECT 1")
    with pytest.raises(MigrationError):
        read_migrations(tmp_path)


def test_a_migration_may_come_later_with_a_lower_number(empty: Database, tmp_path: Path) -> None:
    write(tmp_path, _001_a="CREATE TABLE a (x int)", _020_b="CREATE TABLE b (x int)")
    assert empty.migrate(tmp_path) == 2
    write(tmp_path, _010_c="CREATE TABLE c (x int)")
    assert empty.migrate(tmp_path) == 1

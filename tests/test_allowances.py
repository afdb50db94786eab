"""What people may use, as several sage servers learn it from the database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import gevent
import pytest

from app import accounts, audit, limits
from app.db import Database
from app.limits import Raised
from app.sage.allowances import Allowances, TooManyRuns
from app.sage.census import Census
from app.sage.journal import Journal
from app.sage.places import Person
from app.sage.session import Session
from app.settings import Settings
from tests.host import settings_in


class FakePool:
    """What a census tells its pool."""

    live_sessions: ClassVar[list[str]] = []

    def __init__(self, settings: Settings) -> None:
        self.allowances = Allowances(settings)
        self.changed: set[str] = set()

    def serving(self) -> list[Session]:
        return []

    def journals(self) -> list[Journal]:
        return []

    def tell_raised(self, raised: Iterable[Raised]) -> None:
        self.changed = self.allowances.tell_raised(raised)

    def tell_elsewhere(self, sessions: Counter[str], by_address: Counter[str]) -> None:
        self.elsewhere, self.by_address = sessions, by_address


class Server:
    def __init__(self, database: Database, settings: Settings, address: str) -> None:
        self.pool = FakePool(settings)
        self.census = Census(pool=self.pool, database=database, address=address)  # type: ignore[arg-type]

    def refuses(self, person: Person) -> TooManyRuns | None:
        try:
            self.pool.allowances.take_run(person)
        except TooManyRuns as refusal:
            return refusal
        return None


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(
        tmp_path,
        limits_member_runs_per_hour="3",
        limits_guest_runs_per_hour="2",
        limits_guest_address_runs_per_hour="3",
    )


@pytest.fixture
def emmy(database: Database) -> Person:
    with database.transaction() as cursor:
        return Person(accounts.create(cursor, name="Emmy", role="member"), "member", "10.0.0.1")


def test_runs_are_counted_on_all_servers_together(
    database: Database, settings: Settings, emmy: Person
) -> None:
    one, two = (Server(database, settings, f"127.0.0.1:{port}") for port in (1, 2))
    assert not one.refuses(emmy)
    one.census.step()
    two.census.step()
    assert not two.refuses(emmy)
    assert not two.refuses(emmy)
    refusal = two.refuses(emmy)
    assert refusal is not None
    assert (refusal.allowed, refusal.network) == (3, False)
    assert 3500 < refusal.seconds <= 3600
    two.census.step()
    one.census.step()
    assert one.refuses(emmy)
    with database.reading() as cursor:
        assert limits.runs_within_an_hour(cursor, emmy.account) == 3
    again = Server(database, settings, "127.0.0.1:1")  # which was killed
    again.census.step()
    assert again.refuses(emmy)
    again.census.step()
    assert again.pool.allowances.runs_of(emmy.account) == 3


def test_without_limit_nothing_is_counted(database: Database, settings: Settings) -> None:
    server = Server(database, settings, "127.0.0.1:1")
    for _ in range(10):
        assert not server.refuses(Person("o", "owner", "10.0.0.1"))
    server.census.step()
    with database.reading() as cursor:
        cursor.execute("SELECT count(*) FROM run_counts")
        assert cursor.fetchone() == (0,)


def test_of_one_address_many_guests_have_no_more(database: Database, settings: Settings) -> None:
    server = Server(database, settings, "127.0.0.1:1")
    near = [Person(name, "guest", "2001:db8::/64") for name in "abc"]
    assert [server.refuses(near[number]) is None for number in (0, 0, 0, 1)] == [
        True, True, False, True,
    ]  # fmt: skip
    refusal = server.refuses(near[2])
    assert refusal is not None
    assert (refusal.allowed, refusal.network) == (3, True)
    assert str(refusal).startswith("all from your network together may run 3 cells an hour; the")
    assert not server.refuses(Person("d", "guest", "2001:db8:0:1::/64"))
    assert not server.refuses(Person("m", "member", "2001:db8::/64"))


def test_what_is_raised_holds_on_the_servers_until_it_ends(
    database: Database, settings: Settings, emmy: Person
) -> None:
    server = Server(database, settings, "127.0.0.1:1")
    usual = settings.limits_of("member")
    with database.transaction() as cursor:
        limits.raise_limit(
            cursor, emmy.account, "runs_per_hour", "4", lasting="1h", reason="Exam.",
            actor=audit.OPERATOR, usual=usual,
        )  # fmt: skip
    server.census.step()
    assert server.pool.changed == {emmy.account}
    assert [server.refuses(emmy) is None for _ in range(5)] == [True, True, True, True, False]
    server.census.step()
    assert server.pool.changed == set()
    with database.transaction() as cursor:
        cursor.execute("UPDATE raised_limits SET expires = now() + interval '0.3 seconds'")
    server.census.step()
    assert server.pool.allowances.limits_of(emmy.account, "member").runs_per_hour == 4
    gevent.sleep(0.4)  # the database is not asked
    assert server.pool.allowances.limits_of(emmy.account, "member") == usual
    server.census.step()
    assert server.pool.changed == {emmy.account}


def test_counts_go_by_the_database_s_clock(database: Database, settings: Settings) -> None:
    server = Server(database, settings, "127.0.0.1:1")
    server.pool.allowances.tell_time(1000.0)  # a host whose clock is far behind
    server.census.step()
    with database.reading() as cursor:
        cursor.execute("SELECT extract(epoch FROM now())::float")
        (now,) = cursor.fetchone() or (0.0,)
    assert abs(server.pool.allowances.now - now) < 5

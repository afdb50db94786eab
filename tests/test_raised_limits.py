"""Limits that are raised for one person, for a time: what can be said, what holds."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from dataclasses import replace
from pathlib import Path

import gevent
import pytest

from app import accounts, audit, limits, people
from app.db import Database
from app.limits import BadRaise, Raised
from app.quantities import parse_duration, parse_size
from app.settings import Limits
from tests.web_app import WebApp

USUAL = Limits(sessions=2, memory=1 << 30, run_seconds=300.0)


@pytest.fixture
def account(database: Database) -> str:
    with database.transaction() as cursor:
        return accounts.create(cursor, name="Emmy", role="member")


def raise_limit(
    database: Database, account: str, name: str = "memory", value: str = "2 GiB", *,
    lasting: str = "2h", reason: str = "Her thesis.", actor: str = audit.OPERATOR,
) -> Raised:  # fmt: skip
    with database.transaction() as cursor:
        return limits.raise_limit(
            cursor, account, name, value, lasting=lasting, reason=reason, actor=actor, usual=USUAL
        )


def raised(database: Database, account: str = "") -> dict[str, object]:
    with database.reading() as cursor:
        return {one.name: one.value for one in limits.raised(cursor, account)}


@pytest.mark.parametrize(
    ("text", "bytes"),
    [("4096", 4096), ("2 GiB", 2 << 30), ("1.5gb", 1_500_000_000), ("500 MB", 500_000_000),
     ("10 bytes", 10), (" 64KiB ", 1 << 16)],
)  # fmt: skip
def test_sizes_as_people_write_them(text: str, bytes: int) -> None:
    assert parse_size(text) == bytes


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90 s", 90), ("15 min", 900), ("2h", 7200), ("1d 12h", 129_600), ("1.5h", 5400),
     ("2h30m", 9000)],
)  # fmt: skip
def test_times_as_people_write_them(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "much", "-1 GB", "2 GX", "1e9", "1,5 GB", "2 GB 3 MB", "\u0663 GB"]
)
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="expected a size"):
        parse_size(text)


@pytest.mark.parametrize("text", ["", "90", "soon", "-2h", "2 h ago", "h", "1y"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="expected a time"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("name", "text", "value", "words"),
    [
        ("memory", "2 GiB", 2 << 30, "2.1 GB"),
        ("sessions", "5", 5, "5"),
        ("run_seconds", "1h", 3600.0, "1 h 0 min"),
        ("run_seconds", "90", 90.0, "1 min 30 s"),
        ("cpu_seconds", "no limit", 0.0, "no limit"),
        ("network", "pypi.org:443, *.example.org:80", ("pypi.org:443", "*.example.org:80"),
         "pypi.org:443, *.example.org:80"),
    ],
)  # fmt: skip
def test_values_as_people_write_and_read_them(
    name: str, text: str, value: object, words: str
) -> None:
    parsed = limits.parse(name, text)
    assert (parsed, type(parsed)) == (value, type(value))
    assert limits.words_of(name, parsed) == words


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("memory", "much", "memory = 'much': expected a size"),
        ("memory", "1 MB", "from 6.71089e+07 to"),
        ("memory", "none", "expected a size"),
        ("sessions", "2.5", "expected a whole number"),
        ("sessions", "0", "expected from 1 to"),
        ("run_seconds", "-1", "expected a time"),
        ("network", "pypi.org", 'a list of "host:port"'),
        ("network", "", 'a list of "host:port"'),
        ("colour", "red", "'colour' is no limit that can be raised; these are: sessions,"),
    ],
)
def test_nonsense_is_refused_with_what_was_expected(name: str, text: str, said: str) -> None:
    with pytest.raises(BadRaise) as refused:
        limits.parse(name, text)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("name", "usual", "raised", "holds"),
    [
        ("sessions", 2, 5, 5),
        ("sessions", 5, 2, 5),  # the site's own limit has been raised meanwhile
        ("run_seconds", 300.0, 600, 600.0),
        ("run_seconds", 300.0, 0, 0.0),
        ("run_seconds", 0.0, 600, 0.0),
        ("folder", 0, 1000, 1000),
        ("network", ("a:1",), ["b:2", "a:1"], ("a:1", "b:2")),
        ("gone", None, 5, None),
    ],
)
def test_a_raise_gives_more_and_never_less(
    name: str, usual: object, raised: object, holds: object
) -> None:
    before = replace(Limits(), **{name: usual} if usual is not None else {})  # type: ignore[arg-type]
    after = limits.with_raised(before, [(name, raised)])  # type: ignore[list-item]
    assert getattr(after, name, None) == holds
    assert type(getattr(after, name, None)) is type(holds)


def test_a_raise_holds_is_noted_and_can_be_taken_back(database: Database, account: str) -> None:
    made = raise_limit(database, account)
    assert (made.person, made.words, made.by) == ("Emmy", "2.1 GB", "operator")
    assert 7190 < made.seconds <= 7200
    raise_limit(database, account, "network", "pypi.org:443")
    assert raised(database, account) == {"memory": 2 << 30, "network": ("pypi.org:443",)}
    assert raised(database) == raised(database, account)
    with database.transaction() as cursor:
        holds = limits.of_person(cursor, USUAL, account)
        assert (holds.memory, holds.network, holds.sessions) == (2 << 30, ("pypi.org:443",), 2)
        assert limits.take_back(cursor, account, "memory", actor=audit.OPERATOR)
        assert not limits.take_back(cursor, account, "memory", actor=audit.OPERATOR)
        said = [(one.actor, one.action, one.subject, one.detail) for one in audit.entries(cursor)]
    assert raised(database, account) == {"network": ("pypi.org:443",)}
    assert said == [
        ("operator", "took back a raised limit of", "Emmy", "memory"),
        ("operator", "raised a limit of", "Emmy",
         "network to pypi.org:443 for 2 h 0 min: Her thesis."),
        ("operator", "raised a limit of", "Emmy", "memory to 2.1 GB for 2 h 0 min: Her thesis."),
    ]  # fmt: skip


def test_a_raise_ends_by_itself_by_the_database_s_clock(database: Database, account: str) -> None:
    raise_limit(database, account)
    with database.transaction() as cursor:
        cursor.execute("UPDATE raised_limits SET expires = now() + interval '0.2 seconds'")
    assert raised(database, account)
    gevent.sleep(0.3)
    assert not raised(database, account)
    with database.transaction() as cursor:
        assert limits.of_person(cursor, USUAL, account) == USUAL
        assert not limits.take_back(cursor, account, "memory", actor=audit.OPERATOR)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"value": "1 GiB"}, "they may have 1.1 GB anyway"),
        ({"name": "run_seconds", "value": "60"}, "they may have 5 min 0 s anyway"),
        ({"name": "cpu_seconds", "value": "60"}, "they may have no limit anyway"),
        ({"lasting": "for ever"}, "for 'for ever': expected a time"),
        ({"lasting": "1 s"}, "expected 1 min to 366 d"),
        ({"lasting": "400d"}, "expected 1 min to 366 d"),
        ({"reason": "  "}, "why: the person is shown it"),
        ({"reason": "x" * 501}, "why: the person is shown it"),
        ({"account": str(uuid.UUID(int=1))}, "does not exist any more"),
    ],
)
def test_what_can_t_be_raised_changes_nothing(
    database: Database, account: str, keys: dict[str, str], said: str
) -> None:
    with pytest.raises(BadRaise, match=said):
        raise_limit(database, **({"account": account} | keys))
    with database.reading() as cursor:
        assert not limits.raised(cursor)
        assert not audit.entries(cursor)


def test_of_those_that_raise_the_same_at_a_time_the_last_one_counts(
    database: Database, account: str
) -> None:
    sizes = ["3 GiB", "4 GiB", "5 GiB", "6 GiB"]
    tasks = [gevent.spawn(raise_limit, database, account, "memory", one) for one in sizes]
    gevent.joinall(tasks, raise_error=True)
    with database.reading() as cursor:
        latest = audit.entries(cursor)
    assert len(latest) == 4
    holds = limits.words_of("memory", raised(database, account)["memory"])  # type: ignore[arg-type]
    assert holds in {limits.words_of("memory", parse_size(one)) for one in sizes}


def test_it_goes_with_the_account_and_is_in_what_a_person_takes(
    database: Database, tmp_path: Path
) -> None:
    web = WebApp(database, tmp_path)
    client, account = web.person("member", "Emmy")
    raise_limit(database, account)
    archive = zipfile.ZipFile(io.BytesIO(client.get("/account/export").data))
    told = json.loads(archive.read("account.json"))["raised_limits"]
    assert [(one["name"], one["value"], one["reason"]) for one in told] == [
        ("memory", 2 << 30, "Her thesis.")
    ]
    with database.transaction() as cursor:
        people.delete(cursor, account, actor=audit.OPERATOR)
        cursor.execute("SELECT count(*) FROM raised_limits")
        assert cursor.fetchone() == (0,)


def test_a_larger_folder_takes_larger_files(database: Database, tmp_path: Path) -> None:
    web = WebApp(database, tmp_path, limits_folder="1000")
    client, account = web.person("member", "Emmy")
    worksheet = client.post("/worksheets").location.rpartition("/")[2]
    upload = {"path": "data.csv", "size": "1500", "mark": "m"}
    assert client.post(f"/w/{worksheet}/uploads", data=upload).status_code == 409
    with database.transaction() as cursor:
        limits.raise_limit(
            cursor, account, "folder", "2 kB", lasting="2h", reason="Data.",
            actor=audit.OPERATOR, usual=web.settings.limits_of("member"),
        )  # fmt: skip
    assert client.get(f"/w/{worksheet}/files").json["limit"] == 2000  # type: ignore[index]
    assert client.post(f"/w/{worksheet}/uploads", data=upload).status_code == 200

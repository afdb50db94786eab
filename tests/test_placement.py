"""Where sessions begin: rules, and what is written down."""

from __future__ import annotations

import uuid
from collections import Counter
from typing import Any

import pytest

from app.balance import Load, able, best_sage_server
from app.cache import Cache
from app.db import Database
from app.nodes import Nodes
from app.placements import Placements
from app.settings import Settings
from bench.placement import SERVERS, placed

QUIET = Load(sessions=10, free=90, load=0.2)


@pytest.mark.parametrize(
    ("loads", "found"),
    [
        ({}, "abc"),
        ({"a": QUIET, "b": QUIET, "c": QUIET}, "abc"),
        ({"a": QUIET, "b": QUIET}, "abc"),  # as good as any
        ({"a": QUIET, "b": QUIET, "c": Load(14, 86, 0.2)}, "abc"),
        ({"a": QUIET, "b": QUIET, "c": Load(40, 60, 0.2)}, "ab"),
        ({"a": QUIET, "b": QUIET, "c": Load(10, 90, 3.0)}, "ab"),
        ({"a": QUIET, "b": QUIET, "c": Load(0, 0, 0.0)}, "ab"),
        ({"a": Load(100, 0, 0.2), "b": Load(100, 0, 0.2), "c": Load(100, 0, 9.0)}, "abc"),
        ({"a": Load(100, 0, 0.0), "b": Load(9, 1, 4.0), "c": Load(9, 1, 5.0)}, "bc"),
        ({"a": Load(90, 10, 0.0), "b": Load(0, 100, 9.0), "c": Load(0, 0, 0.0)}, "ab"),
    ],
)
def test_who_is_able(loads: dict[str, Load], found: str) -> None:
    assert able("abc", loads) == tuple(found)


def test_sessions_are_spread_evenly() -> None:
    even = 10_000 / SERVERS
    assert all(abs(count - even) < 0.2 * even for count in placed(10_000).values())


def test_worksheets_stay_when_a_server_goes() -> None:
    servers = [f"server {number}" for number in range(10)]
    keys = [str(number) for number in range(1000)]
    before = {key: best_sage_server(key, servers, {}) for key in keys}
    after = {key: best_sage_server(key, servers[1:], {}) for key in keys}
    assert {before[key] for key in keys if before[key] != after[key]} == {servers[0]}
    assert min(Counter(after.values()).values()) > 50


class AppServer:
    """Of a site with two sage servers that nobody can reach."""

    def __init__(self, settings: Settings, database: Database, cache: Cache) -> None:
        nothing: Any = None
        self.nodes = Nodes(name="test", tokens=nothing, context=nothing, wire=settings.wire)
        for address in ("a:1", "b:1"):  # not to be connected
            self.nodes._nodes[address] = Unreached(address)  # type: ignore[assignment]
        self.nodes.use(["a:1", "b:1"])
        self.placements = Placements(
            database=database, cache=cache, nodes=self.nodes, loads=dict, interval=60
        )

    def prefer(self, address: str) -> None:
        self.nodes.loads = {each: Load(5, 0, 0.0) for each in ("a:1", "b:1") if each != address}

    def place(self, worksheet: str) -> str:
        return self.placements.node(worksheet).address


class Unreached:
    is_up = is_draining = False
    channels = ()

    def __init__(self, address: str) -> None:
        self.address = address

    def stop(self) -> None:
        pass


@pytest.fixture
def two(
    database: Database, memcached: Cache, host_settings: Settings
) -> tuple[AppServer, AppServer]:
    found = [AppServer(host_settings, database, memcached) for _ in range(2)]
    found[0].prefer("a:1")
    found[1].prefer("b:1")
    return found[0], found[1]


def test_two_who_begin_a_session_at_once_find_the_same_server(
    two: tuple[AppServer, AppServer],
) -> None:
    one, other = two
    worksheet = str(uuid.uuid4())
    assert (one.place(worksheet), other.place(worksheet)) == ("a:1", "b:1")
    one.placements.settle(worksheet, over_at="")
    other.placements.settle(worksheet, over_at="")
    assert (one.place(worksheet), other.place(worksheet)) == ("a:1", "a:1")


def test_others_hear_where_a_session_has_begun(two: tuple[AppServer, AppServer]) -> None:
    one, other = two
    worksheet = str(uuid.uuid4())
    one.placements.settle(worksheet, over_at="")
    other.placements.look()
    assert other.place(worksheet) == "a:1"
    assert other.placements.remembered(worksheet) == "a:1"


def test_a_choice_that_is_not_in_use_any_more_is_overruled(
    two: tuple[AppServer, AppServer],
) -> None:
    one, other = two
    worksheet = str(uuid.uuid4())
    one.placements.settle(worksheet, over_at="")
    other.placements.look()
    assert other.place(worksheet) == "a:1"
    other.nodes.use(["b:1"])
    assert other.place(worksheet) == "b:1"


def test_a_session_that_lives_is_joined(
    two: tuple[AppServer, AppServer], database: Database
) -> None:
    one, _ = two
    worksheet, session = str(uuid.uuid4()), str(uuid.uuid4())
    with database.transaction() as cursor:
        cursor.execute(
            "INSERT INTO sessions (id, worksheet, server, language, started)"
            " VALUES (%s, %s, 'b:1', '', now())",
            (session, worksheet),
        )
    one.placements.settle(worksheet, over_at="")
    assert one.place(worksheet) == "b:1"
    one.placements.settle(worksheet, over_at="b:1")  # it knows better
    assert one.place(worksheet) == "b:1"  # as was written down a moment ago

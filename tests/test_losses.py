"""Sage servers that are not heard of any more, by any clock but the wall's."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from app.db import Database, Unavailable
from app.losses import Losses
from app.nodes import Nodes
from app.settings import Settings
from tests import host

LIMIT = 30.0  # seconds
SERVER = "127.0.0.1:7001"


@pytest.fixture
def losses(host_settings: Settings, database: Database) -> Losses:
    with database.transaction() as cursor:
        cursor.execute("INSERT INTO sage_servers (address, seen) VALUES (%s, now())", (SERVER,))
        cursor.execute(
            "INSERT INTO sessions (id, worksheet, server, language, started)"
            " VALUES (%s, %s, %s, 'sage', now())",
            (str(uuid.uuid4()), str(uuid.uuid4()), SERVER),
        )
    return Losses(database=database, nodes=_nodes(host_settings), limit=LIMIT)


def _nodes(settings: Settings) -> Nodes:
    nothing: Any = None
    return Nodes(name="test", tokens=nothing, context=nothing, wire=settings.wire)


def heard(database: Database, clock: str = "") -> None:
    """The server says that it is here, by a database whose clock is wrong by `clock`."""
    with database.transaction() as cursor:
        cursor.execute("UPDATE sage_servers SET seen = now() + %s::interval", (clock or "0 s",))


def ended(database: Database) -> str | None:
    """Why the session is over, None if it is not."""
    with database.transaction() as cursor:
        cursor.execute("SELECT reason FROM sessions")
        ((reason,),) = cursor.fetchall()
    assert reason is None or isinstance(reason, str)
    return reason


def test_a_silent_server_is_given_up(losses: Losses, database: Database) -> None:
    losses.step(100.0)
    losses.step(100.0 + LIMIT - 1)
    assert ended(database) is None
    losses.step(100.0 + LIMIT)
    assert ended(database) == f"the Sage server {SERVER} was not heard of for 30 s"


def test_one_that_is_heard_of_is_not(losses: Losses, database: Database) -> None:
    for now in (100.0, 100.0 + LIMIT - 1, 100.0 + 2 * LIMIT - 2):
        heard(database)
        losses.step(now)
    assert ended(database) is None


@pytest.mark.parametrize("clock", ["1 hour", "-1 hour"])
def test_a_jump_of_the_wall_clock_is_no_silence(
    losses: Losses, database: Database, clock: str
) -> None:
    losses.step(100.0)
    heard(database, clock)
    losses.step(100.0 + LIMIT - 1)
    losses.step(100.0 + LIMIT + 1)
    assert ended(database) is None
    losses.step(100.0 + 2 * LIMIT - 1)
    assert ended(database) is not None


def test_a_silence_of_the_database_is_not_the_servers(losses: Losses, database: Database) -> None:
    losses.step(100.0)
    losses.forget()  # as it does when the database does not answer
    losses.step(100.0 + LIMIT)
    assert ended(database) is None
    losses.step(100.0 + 2 * LIMIT)
    assert ended(database) is not None


def test_a_database_that_is_away_is_told_apart(host_settings: Settings) -> None:
    away = Database(
        url=f"postgresql://127.0.0.1:{host.free_port()}/x",
        connections=1,
        wait_seconds=1,
        statement_seconds=1,
    )
    with pytest.raises(Unavailable):
        Losses(database=away, nodes=_nodes(host_settings), limit=LIMIT).step(0.0)
    away.close()

"""Tables that grow are kept within the rows and the age of the settings."""

from __future__ import annotations

import uuid
from typing import Any

import gevent
import pytest

from app.db import Database
from app.settings import Monitor
from monitor.caps import BATCH, Capped, cap

SERVICE = str(uuid.uuid4())


def ask(database: Database, question: str) -> Any:
    with database.transaction() as cursor:
        cursor.execute(question)
        row = cursor.fetchone()
        return row[0] if row else None


@pytest.fixture
def full(database: Database) -> Database:
    """5,000 samples and 5,000 log lines, one a minute, the latest now."""
    with database.transaction() as cursor:
        cursor.execute(
            "INSERT INTO services (id, type, name, site, host, running, username, pid, monitor_pid,"
            " started) VALUES (%s, 'app', 'app-1', 'salvus', 'here', true, 'me', 1, 1, now())",
            (SERVICE,),
        )
        cursor.execute(
            "INSERT INTO status SELECT %s, now() - age * interval '1 min', 1, 1, 1, 1, 1, 1, 1"
            " FROM generate_series(0, 4999) AS age",
            (SERVICE,),
        )
        cursor.execute(
            'INSERT INTO log (service, logfile, "offset", time, recorded, message)'
            " SELECT 'app-1', 'here:app-1.log', number, now(),"
            " now() - (5000 - number) * interval '1 min', 'line ' || number"
            " FROM generate_series(1, 5000) AS number"
        )
    return database


def test_what_is_too_old_goes(full: Database) -> None:
    two_days = 2 * 24 * 60
    assert cap(full, Monitor(keep_days=2, log_days=2)) == Capped(
        status=5000 - two_days, log=5000 - two_days
    )
    assert ask(full, "SELECT min(message) FROM log") == f"line {5000 - two_days + 1}"


def test_what_is_too_much_goes_the_oldest_first(full: Database) -> None:
    settings = Monitor(status_rows=1234, log_rows=2345)
    assert cap(full, settings) == Capped(status=5000 - 1234, log=5000 - 2345)
    assert ask(full, "SELECT count(*) FROM status") == 1234
    assert ask(full, "SELECT count(*) FROM log") == 2345
    assert ask(full, "SELECT max(message) FROM log WHERE id = (SELECT max(id) FROM log)") == (
        "line 5000"
    )
    assert cap(full, settings) == Capped(status=0, log=0)


def test_nothing_is_deleted_without_need(full: Database) -> None:
    assert cap(full, Monitor()) == Capped(status=0, log=0)


def test_writers_go_on_meanwhile(full: Database) -> None:
    """Lines are added between, and during, the batches that are deleted."""
    capping = gevent.spawn(cap, full, Monitor(log_rows=1000, status_rows=1000))
    added = 0
    while not capping.ready():
        with full.transaction() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '2s'")
            cursor.execute(
                'INSERT INTO log (service, logfile, "offset", time, message)'
                " VALUES ('app-1', 'here:new.log', %s, now(), 'new')",
                (added,),
            )
        added += 1
    assert capping.get().log >= 4000 - BATCH
    assert added > 2
    assert ask(full, "SELECT count(*) FROM log WHERE message = 'new'") == added

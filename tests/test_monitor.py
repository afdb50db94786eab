"""What the monitor notices, of real processes, in a real database."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gevent
import psutil
import pytest

from app.cache import Cache
from app.db import Database
from app.settings import Settings
from monitor import queries, services
from monitor.monitor import Monitor
from monitor.samples import HubLag, Sampler, Watched
from supervisor.postgresql import socket_folder

NO_CACHE = Cache(servers=(), timeout=1)


@contextmanager
def sleeper(code: str = "import time; time.sleep(3600)") -> Iterator[subprocess.Popen[bytes]]:
    """A process that has printed a line if `code` does so."""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def ask(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.transaction() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


@pytest.fixture
def watch(
    database: Database, host_settings: Settings
) -> Callable[..., tuple[Monitor, list[Watched]]]:
    """Makes a monitor and the list of what it watches."""

    def make(pool: Database = database, cache: Cache = NO_CACHE) -> tuple[Monitor, list[Watched]]:
        watched: list[Watched] = []
        monitor = Monitor(
            database=pool, cache=cache, settings=host_settings, services=lambda: list(watched)
        )
        return monitor, watched

    return make


def test_a_service_is_seen_from_its_start_to_its_end(database: Database, watch: Any) -> None:
    monitor, watched = watch()
    with sleeper() as process:
        watched.append(Watched("sage", "sage server", process.pid, "127.0.0.1", 8100))
        monitor.step()
        monitor.step()
        assert ask(database, "SELECT type, pid, running, port FROM services") == [
            ("sage", process.pid, True, 8100)
        ]
        ((count, memory),) = ask(database, "SELECT count(*), min(resident_size) FROM status")
        assert count == 2
        assert memory > 1_000_000
    watched[:] = [Watched("sage", "sage server", None, reason="ended by SIGKILL")]
    monitor.step()
    ((running, stopped, why),) = ask(database, "SELECT running, stopped, exit FROM services")
    assert (running, why) == (False, "ended by SIGKILL")
    assert stopped is not None


def test_another_monitor_knows_the_same_process_again(database: Database, watch: Any) -> None:
    with sleeper() as process:
        for _ in range(2):
            monitor, watched = watch()
            watched.append(Watched("app", "app server", process.pid))
            monitor.step()
    assert ask(database, "SELECT count(*) FROM services") == [(1,)]


def test_rows_of_processes_that_are_gone_are_found(database: Database, watch: Any) -> None:
    with sleeper() as process:
        monitor, watched = watch()
        watched.append(Watched("app", "app server", process.pid))
        monitor.step()
    watch()[0].step()
    assert ask(database, "SELECT running, exit FROM services") == [(False, services.FOUND_GONE)]


def test_samples_wait_for_a_database_that_is_down(
    database: Database, watch: Any, host_settings: Settings, data_dir: Path
) -> None:
    way = data_dir / "way"  # to the sockets of the database, not there at first
    pool = Database(
        url=f"postgresql://salvus@/salvus?host={quote(str(way), safe='')}",
        connections=1,
        wait_seconds=5,
        statement_seconds=5,
    )
    monitor, watched = watch(pool=pool)
    watched.append(Watched("app", "app server", os.getpid()))
    monitor.step()
    monitor.step()
    way.symlink_to(socket_folder(host_settings))
    monitor.step()
    assert ask(database, "SELECT count(*) FROM status") == [(3,)]
    pool.close()


def test_old_rows_are_trimmed(database: Database, watch: Any) -> None:
    monitor, watched = watch()
    watched.append(Watched("app", "app server", os.getpid()))
    monitor.step()
    with database.transaction() as cursor:
        cursor.execute(
            "INSERT INTO status SELECT service, time - interval '1 year' - number * interval '1 s',"
            " load, percent_mem, percent_cpu, cputime, walltime, virtual_size, resident_size"
            " FROM status, generate_series(1, 2500) AS number"
        )
    fresh, _ = watch()
    fresh.step()
    assert ask(database, "SELECT count(*) FROM status") == [(1,)]


def test_the_cache_answers_before_the_database(
    database: Database, memcached: Cache, watch: Any, host_settings: Settings
) -> None:
    monitor, watched = watch(cache=memcached)
    watched.append(Watched("app", "app server", os.getpid(), "127.0.0.1", 8000))
    monitor.step()
    site = host_settings.site.name
    stored = queries.running_services(database=database, cache=NO_CACHE, site=site)
    with database.transaction() as cursor:
        cursor.execute("DELETE FROM services")
    cached = queries.running_services(database=database, cache=memcached, site=site)
    assert [entry["name"] for entry in cached] == ["app server"]
    assert cached[0].keys() == stored[0].keys()
    assert cached[0]["resident_size"] == stored[0]["resident_size"]


def test_a_sample_covers_the_children() -> None:
    code = (
        "import subprocess, sys, time\n"
        "child = 'x = bytearray(50_000_000); print(flush=True); import time; time.sleep(3600)'\n"
        "subprocess.Popen([sys.executable, '-c', child]).wait()"
    )
    with sleeper(code) as process:
        assert process.stdout
        process.stdout.readline()
        try:
            sample = Sampler().take([process.pid])[process.pid]
            assert sample.resident_size > 50_000_000
        finally:
            for child in psutil.Process(process.pid).children():
                child.kill()


def test_what_is_gone_has_no_sample() -> None:
    with sleeper() as process:
        pass
    assert Sampler().take([process.pid]) == {}


@pytest.mark.parametrize(
    ("of", "now", "stays"),
    [
        (Watched("app", "a", 1), Watched("app", "a", 1), True),
        (Watched("app", "a", 1), Watched("app", "a", None, reason="why"), False),
        (Watched("app", "a", 1), Watched("app", "b", 1), False),
    ],
)
def test_a_row_is_closed_when_its_process_is_another(
    of: Watched, now: Watched, stays: bool
) -> None:
    book, time = services.Book(site="test"), datetime.now(UTC)
    book.update([of], time)
    (before,) = book.running
    book.update([now], time + timedelta(seconds=1))
    assert (before in book.running) is stays


def test_a_hub_that_is_held_up_is_noticed() -> None:
    lag = HubLag(window=60)
    lag.start()
    gevent.sleep(0)
    sum(range(20_000_000))
    while not lag.seconds:
        gevent.sleep(0.01)
    lag.stop()
    assert lag.seconds > 0

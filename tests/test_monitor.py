"""What the monitor notices, of real processes, in a real database."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
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
from monitor import hosts, queries, services
from monitor.memory import Memory, Resident
from monitor.monitor import Monitor
from monitor.samples import HubLag, Sample, Sampler, Watched
from monitor.vitals import Listener, Teller, Vitals
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

    def make(
        pool: Database = database,
        cache: Cache = NO_CACHE,
        host: str = "",
        vitals: Callable[[str], Vitals | None] = lambda at: None,
    ) -> tuple[Monitor, list[Watched]]:
        watched: list[Watched] = []
        site = replace(host_settings.site, host=host)
        monitor = Monitor(
            database=pool,
            cache=cache,
            settings=replace(host_settings, site=site),
            services=lambda: list(watched),
            vitals=vitals,
        )
        return monitor, watched

    return make


def test_a_service_is_seen_from_its_start_to_its_end(database: Database, watch: Any) -> None:
    monitor, watched = watch()
    with sleeper("print(flush=True); import time; time.sleep(3600)") as process:
        assert process.stdout
        process.stdout.readline()
        watched.append(Watched("sage", "sage server", process.pid, "127.0.0.1", 8100))
        monitor.step()
        assert ask(database, "SELECT type, pid, running, port FROM services") == [
            ("sage", process.pid, True, 8100)
        ]
        ((count, memory),) = ask(database, "SELECT count(*), min(resident_size) FROM status")
        assert count == 1
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
    watched.append(Watched("postgresql", "postgresql", os.getppid()))
    monitor.step()
    way.symlink_to(socket_folder(host_settings))
    monitor.step()
    assert ask(database, "SELECT count(DISTINCT service) FROM status") == [(2,)]
    pool.close()


def age(database: Database, host: str, seconds: float) -> None:
    """Let a host have been silent for so long."""
    with database.transaction() as cursor:
        cursor.execute(
            "UPDATE monitors SET seen = now() - make_interval(secs => %s) WHERE host = %s",
            (seconds, host),
        )


def test_rows_of_a_lost_host_are_closed_and_opened_again(
    database: Database, watch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost, watched = watch(host="lost")
    watched.append(Watched("app", "app server", os.getpid()))
    lost.step()
    age(database, "lost", 3600)
    other, _ = watch(host="other")
    other.step()  # which has only just been heard of itself
    assert ask(database, "SELECT running FROM services") == [(True,)]
    now = time.monotonic()
    monkeypatch.setattr("monitor.monitor.time.monotonic", lambda: now + 3600)
    other.step()
    ((running, why, silent),) = ask(
        database, "SELECT running, exit, stopped < now() - interval '59 min' FROM services"
    )
    assert (running, why, silent) == (False, hosts.FOUND_LOST, True)
    lost.step()
    assert ask(database, "SELECT running, exit FROM services") == [(True, None)]


def test_nobody_is_lost_because_the_database_was_away(
    database: Database, watch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost, watched = watch(host="lost")
    watched.append(Watched("app", "app server", os.getpid()))
    lost.step()
    other, _ = watch(host="other")
    other.step()
    age(database, "lost", 3600)
    with monkeypatch.context() as patched:
        patched.setattr(database, "_url", "postgresql:///salvus?host=/nowhere")
        patched.setattr(database, "_idle", [])
        other.step()
    now = time.monotonic()
    monkeypatch.setattr("monitor.monitor.time.monotonic", lambda: now + 3600)
    other.step()
    assert ask(database, "SELECT running FROM services") == [(True,)]


def names(database: Database, cache: Cache, site: str) -> list[str]:
    found = queries.running_services(database=database, cache=cache, site=site)
    return [each["name"] for each in found]


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


def test_a_cache_that_lacks_a_host_is_not_believed(
    database: Database, memcached: Cache, watch: Any, host_settings: Settings
) -> None:
    site = host_settings.site.name
    here, watched = watch(cache=memcached, host="here")
    watched.append(Watched("app", "app-1", os.getpid()))
    there, watched = watch(cache=memcached, host="there")
    watched.append(Watched("app", "app-2", os.getpid()))
    for monitor in (there, here):
        monitor.step()
    assert names(database, memcached, site) == ["app-1", "app-2"]
    memcached.delete(f"monitor/{site}/there")
    assert names(database, memcached, site) == ["app-1", "app-2"]
    memcached.set(f"monitor/{site}/there", b'{"until": 0, "services": []}', 60)
    assert names(database, memcached, site) == ["app-1", "app-2"]


def sample(**figures: Any) -> Sample:
    given: dict[str, Any] = {
        "time": datetime.now(UTC), "load": 1.0, "percent_mem": 1.0, "percent_cpu": 10.0,
        "cputime": 100.0, "walltime": 1000.0, "virtual_size": 10**9, "resident_size": 10**8,
        "hub_lag": 0.001, **figures,
    }  # fmt: skip
    return Sample(**given)


@pytest.mark.parametrize(
    ("figures", "tells"),
    [
        ({}, False),
        ({"cputime": 200.0, "walltime": 1100.0, "virtual_size": 2 * 10**9}, False),
        ({"percent_cpu": 10.9, "load": 1.2, "resident_size": 104 * 10**6, "hub_lag": 0.01}, False),
        ({"percent_cpu": 12.0}, True),
        ({"load": 1.3}, True),
        ({"resident_size": 106 * 10**6}, True),
        ({"sessions": 1}, True),
        ({"browsers": 0}, True),
        ({"hub_lag": 0.1}, True),
    ],
)
def test_a_sample_that_says_nothing_new_is_known(figures: dict[str, Any], tells: bool) -> None:
    assert sample(**figures).says_more_than(sample()) is tells


def test_unchanged_samples_are_thinned(database: Database, watch: Any) -> None:
    with sleeper("print(flush=True); import time; time.sleep(3600)") as process:
        assert process.stdout
        process.stdout.readline()
        pages = iter([1, 1, 1, 2])
        monitor, watched = watch(vitals=lambda at: Vitals(browsers=next(pages)))
        watched.append(Watched("app", "app server", process.pid))
        for _ in range(4):
            monitor.step()
        found = ask(database, "SELECT DISTINCT browsers FROM status ORDER BY browsers")
        assert found == [(1,), (2,)]
        assert ask(database, "SELECT count(*) < 4 FROM status") == [(True,)]


def test_servers_tell_how_they_fare(data_dir: Path) -> None:
    listener = Listener(path=data_dir / "vitals", interval=60)
    told = Vitals(sessions=3, sessions_free=7, hub_lag=0.5)
    teller = Teller(path=data_dir / "vitals", at="a:1", interval=60, vitals=lambda: told)
    teller.tell()  # to nobody
    listener.start()
    teller.tell()
    while listener.of("a:1") is None:
        gevent.sleep(0.01)
    assert listener.of("a:1") == told
    assert listener.of("b:1") is None
    teller.stop()
    listener.stop()


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


def test_pages_that_forked_processes_share_count_once() -> None:
    code = (
        "import os, time\n"
        "large = os.urandom(50_000_000)\n"
        "any(os.fork() == 0 for _ in range(4))\n"
        "print(flush=True); time.sleep(3600)"
    )
    with sleeper(code) as process:
        assert process.stdout
        for _ in range(5):
            process.stdout.readline()
        try:
            sample = Sampler().take([process.pid])[process.pid]
            assert 50_000_000 < sample.resident_size < 150_000_000
        finally:
            for child in psutil.Process(process.pid).children():
                child.kill()


@pytest.mark.parametrize(
    ("sizes", "found"),
    [
        ({}, 0),
        ({1: (100, 100)}, 100),
        ({1: (100, 30), 2: (100, 10)}, 30 + 10 + 90),
        ({1: (100, None), 2: (60, None)}, 160),  # nothing is known
        ({1: (100, 30), 2: (100, None)}, 30 + 30 + 70),  # as the other
        ({1: (100, 120)}, 100),
    ],
)
def test_the_memory_of_a_tree(sizes: dict[int, tuple[int, int | None]], found: int) -> None:
    """`sizes`: resident and private of each process."""
    memory = Memory()
    for pid, (size, private) in sizes.items():
        if private is not None:
            memory.know(Resident(pid, 0.0, size), private)
    assert memory.of(Resident(pid, 0.0, size) for pid, (size, _) in sizes.items()) == found


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
    book, time = services.Book(site="test", host="here"), datetime.now(UTC)
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

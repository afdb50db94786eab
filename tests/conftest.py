"""What tests share: the patching, real services for the whole run, and a check for leaks."""

from __future__ import annotations

import warnings

from gevent.monkey import MonkeyPatchWarning

warnings.simplefilter("error", MonkeyPatchWarning)

from app import green  # before anything else of ours

green.activate()

import contextlib
import ctypes
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import psutil
import pytest

from app.cache import Cache
from app.db import Database
from app.settings import ROOT, Settings
from supervisor import catalog, locations
from supervisor.memcached import memcached_servers
from supervisor.postgresql import database_url
from supervisor.supervisor import Supervisor
from tests import host
from tests.page_client import Page, SignedIn
from tests.running_site import RunningSite, supervised

pytest_plugins = ("tests.browser",)

PR_SET_CHILD_SUBREAPER = 36
LEAK_SECONDS = 10.0  # for what is ending already
PHASE_SECONDS = 300.0  # for what a test needs, for itself, and for what is left of it


def pytest_sessionstart() -> None:
    """Become the parent of orphans, so that the check at the end finds them."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run if a process that it started is still there."""
    children = psutil.Process().children(recursive=True)
    _, leaked = psutil.wait_procs(children, timeout=LEAK_SECONDS)
    for process in leaked:
        words = " ".join(process.cmdline()) if process.is_running() else "gone meanwhile"
        print(f"\nLEAKED by the tests: process {process.pid}: {words}")
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    if leaked:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Iterator[None]:
    yield from _bounded()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    yield from _bounded()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Iterator[None]:
    yield from _bounded()


def _bounded() -> Iterator[None]:
    """A wait without an end fails that test, and the others go on. Where not even this is heard,
    pytest's own `faulthandler_timeout` says where that is, and ends all."""
    with gevent.Timeout(PHASE_SECONDS):
        yield


@pytest.fixture
def free_port() -> Callable[[], int]:
    return host.free_port


@pytest.fixture
def needs() -> Callable[[str], str]:
    return host.needs


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with host.short_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def host_settings() -> Iterator[Settings]:
    """The settings of a host on which PostgreSQL and memcached run, for the whole session."""
    with host.short_folder() as folder:
        settings = host.settings_in(folder)
        locations.make_all(settings)
        supervisor = Supervisor(
            services=catalog.support(settings),
            rules=catalog.rules(settings),
            on_change=lambda name, state, reason: None,
        )
        supervisor.start()
        try:
            failures = supervisor.wait_settled()
            if failures:
                host.missing(str(failures))
            yield settings
        finally:
            supervisor.stop()


@pytest.fixture(scope="session")
def migrated(host_settings: Settings) -> Iterator[Database]:
    database = Database(
        url=database_url(host_settings), connections=8, wait_seconds=10, statement_seconds=30
    )
    database.migrate(ROOT / "app" / "schema")
    yield database
    database.close()


@pytest.fixture
def database(migrated: Database) -> Database:
    """A real PostgreSQL with the current schema and no rows."""
    with migrated.transaction() as cursor:
        cursor.execute(
            "SELECT string_agg(quote_ident(tablename), ', ') FROM pg_tables"
            " WHERE schemaname = 'public' AND tablename <> 'migrations'"
        )
        row = cursor.fetchone()
        assert row
        cursor.execute(f"TRUNCATE {row[0]} RESTART IDENTITY CASCADE")
    return migrated


@pytest.fixture
def memcached(host_settings: Settings) -> Iterator[Cache]:
    """A real memcached; keys of earlier tests may be in it."""
    servers = memcached_servers(host_settings)
    if not servers:
        host.missing("memcached")
    cache = Cache(servers=servers, timeout=1.0)
    yield cache
    cache.close()


@pytest.fixture(scope="session")
def site() -> Iterator[RunningSite]:
    """A whole site under its supervisor, with real Sage, for the whole run."""
    host.needs_sage()
    with host.short_folder() as folder:
        running = supervised(
            folder,
            limits_run_output="2000000",
            sage_max_sessions="500",
            limits_sessions="500",
            database_statement_seconds="2",
            limits_memory="1500000000",
            limits_disk="50000000",
            limits_entries="2000",
            limits_processes="64",
            embed_origins="*",
        )
        running.start()
        yield running
        running.stop()


@pytest.fixture(scope="session")
def person(site: RunningSite) -> SignedIn:
    """A signed-in browser."""
    return SignedIn(site.new_address())


@pytest.fixture
def page(person: SignedIn) -> Iterator[Page]:
    """A fresh worksheet, open."""
    opened = Page(person, person.new_worksheet())
    yield opened
    opened.close()

"""The supervisor with real processes: PostgreSQL, memcached, and small ones that misbehave."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import gevent
import psutil
import psycopg2
import pytest

from app.settings import ROOT, Settings
from supervisor import catalog, free_port, locations, memcached, postgresql
from supervisor.lock import Lock
from supervisor.process import exit_words
from supervisor.service import CannotStart, Command, Rules, Service, State
from supervisor.supervisor import Supervisor, in_order
from tests import host
from tests.small_services import READY, RULES, STUBBORN, WITH_CHILD, WITH_DAEMON, small_service


class Site:
    """A supervisor and what it said."""

    def __init__(self, *services: Service, rules: Rules = RULES) -> None:
        self.said: list[tuple[str, State, str]] = []
        self.supervisor = Supervisor(
            services=services,
            rules=rules,
            on_change=lambda name, state, reason: self.said.append((name, state, reason)),
        )
        self.supervisor.start()

    def states(self, name: str) -> list[State]:
        return [state for said, state, _ in self.said if said == name]

    def pid(self, name: str) -> int:
        (pid,) = (one["pid"] for one in self.supervisor.snapshot() if one["name"] == name)
        assert pid
        return pid

    def wait(self, name: str, state: State, times: int) -> None:
        while self.states(name).count(state) < times:
            gevent.sleep(0.01)


@pytest.fixture
def small(data_dir: Path) -> Callable[..., Service]:
    """Makes services of lines of Python."""
    return partial(small_service, data_dir)


@pytest.fixture
def started() -> Iterator[Callable[..., Site]]:
    """Makes sites and stops them at the end."""
    sites: list[Site] = []

    def make(*services: Service, rules: Rules = RULES) -> Site:
        sites.append(Site(*services, rules=rules))
        return sites[-1]

    yield make
    for site in sites:
        site.supervisor.stop()


Small = Callable[..., Service]
Started = Callable[..., Site]


def test_services_start_in_order_and_stop_in_reverse(small: Small, started: Started) -> None:
    site = started(small("c", after=("b",)), small("b", after=("a",)), small("a"))
    assert site.supervisor.wait_settled() == {}
    site.supervisor.stop()
    ups = [name for name, state, _ in site.said if state is State.UP]
    ends = [name for name, state, _ in site.said if state is State.STOPPED]
    assert (ups, ends) == (["a", "b", "c"], ["c", "b", "a"])


def test_what_dies_is_restarted(small: Small, started: Started) -> None:
    site = started(small("a"))
    site.supervisor.wait_settled()
    os.kill(site.pid("a"), signal.SIGKILL)
    site.wait("a", State.UP, 2)
    assert ("a", State.BACKING_OFF, "ended by SIGKILL") in site.said


def test_what_hangs_is_restarted(small: Small, started: Started, data_dir: Path) -> None:
    site = started(small("a"))
    site.supervisor.wait_settled()
    (data_dir / "a").unlink()
    site.wait("a", State.UP, 2)
    assert ("a", State.HUNG, "no answer for 0.3 s (not ready)") in site.said


def test_what_ignores_a_stop_is_killed(small: Small, started: Started) -> None:
    site = started(small("a", STUBBORN))
    site.supervisor.wait_settled()
    site.supervisor.stop()
    assert site.said[-1] == ("a", State.STOPPED, "did not stop, killed; ended by SIGKILL")


def test_an_end_takes_the_children_along(small: Small, started: Started, data_dir: Path) -> None:
    site = started(small("a", WITH_CHILD))
    site.supervisor.wait_settled()
    (child,) = psutil.Process(site.pid("a")).children()
    os.kill(site.pid("a"), signal.SIGKILL)
    child.wait()


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_an_end_takes_daemons_along(
    small: Small, started: Started, data_dir: Path, end: str
) -> None:
    """Also those that have left the session and their parent."""
    site = started(small("a", WITH_DAEMON))
    site.supervisor.wait_settled()
    daemon = psutil.Process(int((data_dir / "a.daemon").read_text()))
    assert daemon.pid not in [child.pid for child in psutil.Process(site.pid("a")).children(True)]
    if end == "kill":
        os.kill(site.pid("a"), signal.SIGKILL)
        site.wait("a", State.BACKING_OFF, 1)
    else:
        site.supervisor.dismiss(["a"])
        site.supervisor.wait_stopped(["a"])
    assert not daemon.is_running() or daemon.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("code", [0, 1])
def test_what_ends_by_itself_is_restarted(
    small: Small, started: Started, data_dir: Path, code: int
) -> None:
    ends = (
        "import os, sys, time\n"
        "if not os.path.exists(sys.argv[1] + '+'):\n"
        f"  open(sys.argv[1] + '+', 'w'); exit({code})\n"
    )
    site = started(small("a", ends + READY))
    assert site.supervisor.wait_settled() == {}
    assert ("a", State.BACKING_OFF, f"exited with code {code}") in site.said


def test_what_a_signal_has_stopped_is_replaced(small: Small, started: Started) -> None:
    """Though something of it still answers, as a worker without its master does."""
    site = started(small("a"))
    site.supervisor.wait_settled()
    os.kill(site.pid("a"), signal.SIGSTOP)
    site.wait("a", State.UP, 2)
    assert (
        "a", State.HUNG, "no answer for 0.3 s (its process is stopped by a signal)"
    ) in site.said  # fmt: skip


def test_jumps_of_the_clock_do_nothing(
    small: Small, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = started(small("a"))
    site.supervisor.wait_settled()
    pid, real = site.pid("a"), time.time
    for hours in (1, -1):
        monkeypatch.setattr("time.time", lambda hours=hours: real() + 3600 * hours)
        gevent.sleep(5 * RULES.probe_seconds)
    assert site.pid("a") == pid
    assert site.states("a") == [State.STARTING, State.UP]


def test_what_keeps_dying_is_given_up_and_told(small: Small, started: Started) -> None:
    site = started(small("a", "raise SystemExit(7)"), small("b", after=("a",)))
    failures = site.supervisor.wait_settled()
    assert failures == {"a": "died 3 times in a row: exited with code 7"}
    assert site.states("b") == [State.STARTING, State.UP]
    assert site.states("a").count(State.STARTING) == 3


def test_what_cannot_start_is_told(started: Started) -> None:
    def prepare() -> Command:
        raise CannotStart("no such program; install it")

    site = started(Service("a", prepare, lambda: None))
    assert site.supervisor.wait_settled() == {"a": "no such program; install it"}


def test_a_probe_that_raises_is_an_answer_too(small: Small, started: Started) -> None:
    asked: list[int] = []

    def probe() -> str | None:
        asked.append(1)
        if len(asked) < 3:
            raise ValueError("odd")
        return None

    one = small("a")
    site = started(Service("a", one.prepare, probe))
    assert site.supervisor.wait_settled() == {}


def test_a_slow_stop_holds_nothing_else_up(small: Small, started: Started) -> None:
    site = started(small("slow", STUBBORN), small("quick"))
    site.supervisor.wait_settled()
    site.supervisor.stop()
    assert [name for name, state, _ in site.said if state is State.STOPPED] == ["quick", "slow"]


def test_services_that_need_each_other_are_refused(small: Small) -> None:
    with pytest.raises(ValueError, match="need each other"):
        in_order([small("a", after=("b",)), small("b", after=("a",))])


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, "exited with code 0"), (-9, "ended by SIGKILL"), (-64, "ended by SIGRTMAX")],
)
def test_ends_in_words(code: int, words: str) -> None:
    assert exit_words(code) == words


# PostgreSQL and memcached


@pytest.fixture
def settings(data_dir: Path) -> Settings:
    found = host.settings_in(data_dir)
    locations.make_all(found)
    return found


def support(settings: Settings, started: Started) -> Site:
    site = started(*catalog.support(settings), rules=catalog.rules(settings))
    failures = site.supervisor.wait_settled()
    if failures:
        host.missing(str(failures))
    return site


def ask(settings: Settings, query: str) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(postgresql.database_url(settings))
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def test_data_outlives_a_killed_postmaster(settings: Settings, started: Started) -> None:
    site = support(settings, started)
    ask(settings, "CREATE TABLE kept AS SELECT 42 AS number")
    os.kill(site.pid("postgresql"), signal.SIGKILL)
    site.wait("postgresql", State.UP, 2)
    assert ask(settings, "SELECT number FROM kept") == [(42,)]


def test_a_cluster_is_made_by_whoever_runs_it(settings: Settings, data_dir: Path) -> None:
    """Not only by a user called as a database is: `postgres`."""
    cluster = data_dir / "other" / "cluster"
    locations.make_folder(cluster.parent, 0o711, "")
    root = os.geteuid() == 0
    if root:
        shutil.chown(cluster.parent, "nobody")
    binaries = postgresql.find_binaries(settings)
    postgresql.make_cluster(cluster, binaries, "nobody" if root else "")
    assert (cluster / "PG_VERSION").is_file()


def test_only_we_may_reach_the_database(settings: Settings, started: Started) -> None:
    support(settings, started)
    folder = postgresql.socket_folder(settings)
    assert folder.stat().st_mode & 0o077 == 0
    assert ask(settings, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == [(False,)]
    assert ask(settings, "SHOW listen_addresses") == [("",)]


def test_a_deep_data_directory_gets_its_sockets_elsewhere(data_dir: Path) -> None:
    shallow, deep = host.settings_in(data_dir), data_dir / ("deep" * 25)
    deep.mkdir()
    settings = host.settings_in(deep)
    assert locations.sockets(shallow).parent == data_dir
    for folder in (locations.sockets(shallow), locations.sockets(settings)):
        assert len(os.fsencode(folder / locations.LONGEST_SOCKET)) <= 107


def test_a_socket_folder_that_somebody_else_made_is_refused(data_dir: Path) -> None:
    (data_dir / "target").mkdir()
    (data_dir / "link").symlink_to(data_dir / "target")
    with pytest.raises(CannotStart, match="is not a folder of ours"):
        locations.make_folder(data_dir / "link", 0o700)


def test_missing_programs_are_named_with_the_cure(data_dir: Path) -> None:
    settings = host.settings_in(data_dir, database_binaries=str(data_dir))
    with pytest.raises(CannotStart, match=r"\[database\] binaries = .* has no postgres"):
        postgresql.find_binaries(settings)


def test_given_servers_are_used_and_none_run(data_dir: Path) -> None:
    settings = host.settings_in(
        data_dir, database_url="postgresql://db/x", memcached_servers="mc:11211"
    )
    assert catalog.support(settings) == ()
    assert postgresql.database_url(settings) == "postgresql://db/x"
    assert memcached.memcached_servers(settings) == ("mc:11211",)


# One supervisor, and its ports

KILLED = """
import app.green as green; green.activate()
import sys
from pathlib import Path
import gevent
from app import settings
from supervisor import catalog, locations
from supervisor.supervisor import Supervisor
found = settings.read(Path(sys.argv[1]))
locations.make_all(found)
site = Supervisor(services=catalog.support(found), rules=catalog.rules(found),
                  on_change=lambda name, state, reason: None)
site.start()
assert not site.wait_settled()
print(*[one["pid"] for one in site.snapshot()], flush=True)
gevent.sleep(3600)
"""


def test_nothing_outlives_a_killed_supervisor(settings: Settings, started: Started) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, settings.file],
        cwd=ROOT,
        env={**os.environ, "SALVUS_SITE_DATA_DIR": str(settings.data_dir)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    children = [psutil.Process(int(pid)) for pid in process.stdout.readline().split()]
    process.kill()
    process.communicate()
    assert len(children) == len(catalog.support(settings))
    # The next one clears the way itself, however far the old ones have come.
    site = support(settings, started)
    assert ask(settings, "SELECT 1") == [(1,)]
    _, alive = psutil.wait_procs(children)
    assert not alive
    site.supervisor.stop()


def test_a_second_supervisor_is_refused(data_dir: Path) -> None:
    lock = Lock(data_dir)
    with pytest.raises(CannotStart, match=rf"in use by another Salvus \(pid {os.getpid()}\)"):
        Lock(data_dir)
    lock.release()
    Lock(data_dir).release()


def test_a_taken_port_is_named_with_its_setting() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        words = rf"127\.0\.0\.1:{port}: .*pid {os.getpid()}.*change \[app\] port"
        with pytest.raises(CannotStart, match=words):
            free_port.require("127.0.0.1", port, "[app] port")
    free_port.require("127.0.0.1", port, "[app] port")

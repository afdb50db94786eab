"""Operating a host while it runs: orders over its socket and from other hosts, and reloads."""

from __future__ import annotations

import os
import signal
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import gevent
import psutil
import pytest

from app import settings as settings_file
from app.settings import Settings, SettingsError
from app.wire.connection import proves
from app.wire.messages_pb2 import Hello, HostReport, Message, Order
from app.wire.tls import client_context, server_context
from supervisor import certs, locations
from supervisor.client import Client, NoSupervisor
from supervisor.control import SUPERVISOR, Control, socket_path
from supervisor.logs import Logs
from supervisor.operations import Changes, Operations
from supervisor.service import Reload, Rules, Service, State
from supervisor.supervisor import Supervisor
from tests import host
from tests.small_services import READY, RULES, STUBBORN, small_service

PATIENCE = 30.0
SLOW = replace(RULES, stop_seconds=2.0)
TOKEN = "the token of this site"


class OneToken:
    """The site's, which never changes."""

    def are_proved_by(self, hello: Hello, question: bytes) -> bool:
        return proves(hello, question, TOKEN)


class Host:
    """A supervisor that takes orders."""

    def __init__(self, settings: Settings, services: list[Service], rules: Rules = RULES) -> None:
        self.settings = settings
        self.fresh = settings  # what is read at a reload
        self.described = services
        changes = Changes()
        self.services = Supervisor(
            services=services, rules=rules, on_change=changes.tell, logs=Logs()
        )
        self.operations = Operations(
            settings=settings,
            read=self._read,
            describe=lambda settings: self.described,
            host=self.services,
            changes=changes,
            on_settings=lambda settings: None,
        )
        self.control = Control(
            operations=self.operations,
            settings=settings,
            tokens=OneToken(),
            context=server_context(certs.identity(settings)),
        )
        self.control.start()
        self.services.start()
        self.services.wait_settled()
        self.operations.begin()

    def stop(self) -> None:
        self.services.stop()
        self.control.stop()

    def order(self, verb: Order.Verb, *services: str, **keys: bool) -> list[Message]:
        """The answers; the last is Done."""
        order = Order(verb=verb, services=services, **keys)
        with gevent.Timeout(PATIENCE):
            return list(client(self.settings).ask(order))

    def failure(self, verb: Order.Verb, *services: str, **keys: bool) -> str:
        return self.order(verb, *services, **keys)[-1].done.failure

    def report(self) -> dict[str, HostReport.Service]:
        report = self.order(Order.STATUS)[0].host_report
        assert report.pid == os.getpid()
        return {one.name: one for one in report.services}

    def states(self) -> dict[str, str]:
        return {name: one.state for name, one in self.report().items()}

    def pids(self) -> dict[str, int]:
        return {name: one.pid for name, one in self.report().items()}

    def _read(self) -> Settings:
        if self.fresh.file == "bad":
            raise SettingsError("bad: app.port = 0")
        return self.fresh


def client(settings: Settings, token: str = TOKEN, proof: Settings | None = None) -> Client:
    """`proof`: of whom it has the certificate."""
    return Client(
        settings=settings,
        token=lambda: token,
        context=lambda: client_context(certs.identity(proof or settings)),
    )


Started = Callable[..., Host]


@pytest.fixture
def started(data_dir: Path) -> Iterator[Started]:
    hosts: list[Host] = []

    def make(*services: Service, rules: Rules = RULES) -> Host:
        settings = host.settings_in(data_dir)
        locations.make_all(settings)
        hosts.append(Host(settings, list(services), rules))
        return hosts[-1]

    yield make
    for each in hosts:
        each.stop()


def test_the_socket_is_its_owner_s_alone(data_dir: Path, started: Started) -> None:
    running = started(small_service(data_dir, "a"))
    mode = socket_path(running.settings).stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


def test_status_has_everything(data_dir: Path, started: Started) -> None:
    running = started(small_service(data_dir, "a"), small_service(data_dir, "b", "exit(7)"))
    found = running.report()
    assert (found["a"].state, found["a"].wanted, found["a"].deaths) == ("up", True, 0)
    assert psutil.pid_exists(found["a"].pid)
    assert (found["b"].state, found["b"].pid, found["b"].deaths) == ("gave up", 0, 3)
    assert found["b"].reason == "died 3 times in a row: exited with code 7"


def test_services_are_stopped_started_and_restarted(data_dir: Path, started: Started) -> None:
    running = started(small_service(data_dir, "a"), small_service(data_dir, "b"))
    before = running.pids()
    said = running.order(Order.STOP, "a")
    assert [(one.progress.service, one.progress.state) for one in said[:-1]] == [
        ("a", "stopping"), ("a", "stopped")
    ]  # fmt: skip
    assert running.states() == {"a": "stopped", "b": "up"}
    assert not running.report()["a"].wanted
    assert running.failure(Order.START, "a") == ""
    assert running.failure(Order.RESTART, "b") == ""
    assert running.states() == {"a": "up", "b": "up"}
    assert set(running.pids().values()).isdisjoint(before.values())


def test_types_mean_all_of_their_services(data_dir: Path, started: Started) -> None:
    running = started(
        *(small_service(data_dir, f"a-{number}", type="a") for number in (1, 2)),
        small_service(data_dir, "b"),
    )
    assert running.failure(Order.STOP, "a") == ""
    assert running.states() == {"a-1": "stopped", "a-2": "stopped", "b": "up"}
    assert running.failure(Order.STOP, "c") == (
        "there is no service c here; there are a-1, a-2, b"
    )
    assert running.failure(Order.STOP) == ""
    assert running.states()["b"] == "stopped"


def test_a_slow_stop_blocks_no_other_order(data_dir: Path, started: Started) -> None:
    running = started(
        small_service(data_dir, "slow", STUBBORN), small_service(data_dir, "quick"), rules=SLOW
    )
    before = running.pids()
    stopping = gevent.spawn(running.order, Order.STOP, "slow")
    while running.states()["slow"] != "stopping":
        gevent.sleep(0)
    assert running.failure(Order.RESTART, "quick") == ""
    assert running.pids()["quick"] != before["quick"]
    assert not stopping.ready()
    assert stopping.get()[-2].progress.reason == "did not stop, killed; ended by SIGKILL"
    assert not psutil.pid_exists(before["slow"])


def test_what_was_given_up_can_be_started(data_dir: Path, started: Started) -> None:
    code = "import os, sys; os.path.exists(sys.argv[1] + '.cure') or exit(7);" + READY
    running = started(small_service(data_dir, "a", code))
    assert "exited with code 7" in running.failure(Order.START, "a")
    (data_dir / "a.cure").touch()
    assert running.failure(Order.START, "a") == ""
    assert running.report()["a"].deaths == 0


def test_what_calls_itself_hopeless_is_not_tried_again(data_dir: Path, started: Started) -> None:
    running = started(small_service(data_dir, "a", f"exit({settings_file.MISCONFIGURED})"))
    found = running.report()["a"]
    assert (found.state, found.deaths) == ("gave up", 1)
    assert "its configuration is at fault" in found.reason


def test_an_order_is_carried_out_though_nobody_listens(data_dir: Path, started: Started) -> None:
    running = started(small_service(data_dir, "a"))
    before = running.pids()["a"]
    answers = client(running.settings).ask(Order(verb=Order.RESTART, services=["a"]))
    next(iter(answers))
    del answers
    with gevent.Timeout(PATIENCE):
        while running.pids()["a"] in (before, 0):
            gevent.sleep(0.01)


def test_nonsense_is_refused_and_harms_nobody(data_dir: Path, started: Started) -> None:
    running = started(small_service(data_dir, "a"))
    for nonsense in (b"GET / HTTP/1.0\r\n\r\n", b"\0\0\0\x01\xff", b"\0\0\0\0", b""):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(socket_path(running.settings)))
            connection.sendall(nonsense)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(1000):
                pass
    assert running.states() == {"a": "up"}


def test_logs_are_followed_and_end_when_asked(data_dir: Path, started: Started) -> None:
    running = started(small_service(data_dir, "a"))
    log = locations.log_file(running.settings, "a")
    log.write_bytes(b"one\ntwo\n")
    answers = iter(
        client(running.settings).ask(Order(verb=Order.LOGS, services=["a"], lines=1, follow=True))
    )
    assert next(answers).log_text.text == b"two\n"
    with open(log, "ab") as file:
        file.write(b"three\n")
    assert next(answers).log_text.text == b"three\n"
    locations.log_file(running.settings, SUPERVISOR).write_bytes(b"four\n")
    for names, expected in {
        (SUPERVISOR,): {SUPERVISOR},
        ("a",): {"a"},
        ("a", SUPERVISOR): {"a", SUPERVISOR},
        (): {"a", SUPERVISOR},
    }.items():
        with gevent.Timeout(PATIENCE):
            order = Order(verb=Order.LOGS, services=names, lines=9)
            said = list(client(running.settings).ask(order))
        assert {one.log_text.service for one in said[:-1]} == expected


def test_the_supervisor_is_no_service_of_its_own(data_dir: Path, started: Started) -> None:
    running = started(small_service(data_dir, "a"))
    assert running.failure(Order.STOP, SUPERVISOR).startswith("there is no service supervisor")
    assert running.states() == {"a": "up"}


def test_nothing_comes_back_once_everything_is_being_stopped(
    data_dir: Path, started: Started
) -> None:
    running = started(small_service(data_dir, "slow", STUBBORN), small_service(data_dir, "a"))
    stopping = gevent.spawn(running.services.stop)
    gevent.sleep(0)
    running.operations.start(["a"])
    assert "being stopped" in running.operations.restart(["a", "slow"], gently=False)
    with gevent.Timeout(PATIENCE):
        stopping.get()
    assert {one["state"] for one in running.services.snapshot()} == {"stopped"}


def test_last_words_are_in_the_log(data_dir: Path, started: Started) -> None:
    code = (
        "import signal, sys\n"
        "def end(*_):\n"
        "  print('x' * 200_000 + ' last words'); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n" + READY
    )
    running = started(small_service(data_dir, "a", code), rules=SLOW)
    running.services.stop()
    assert (data_dir / "a.log").read_text().endswith("last words\n")


# Taking up changed settings


def test_a_reload_touches_only_what_differs(data_dir: Path, started: Started) -> None:
    same, other = small_service(data_dir, "same"), small_service(data_dir, "other", basis="1")
    gone = small_service(data_dir, "gone")
    running = started(same, other, gone)
    before = running.pids()
    running.described = [
        same, small_service(data_dir, "other", basis="2"), small_service(data_dir, "new")
    ]  # fmt: skip
    assert running.failure(Order.RELOAD) == ""
    after = running.pids()
    assert after["same"] == before["same"]
    assert after["other"] != before["other"]
    assert running.states() == {"same": "up", "other": "up", "new": "up"}
    assert not psutil.pid_exists(before["gone"])
    assert running.failure(Order.RELOAD) == ""
    assert running.pids() == after


def test_what_can_reload_gets_a_signal_alone(data_dir: Path, started: Started) -> None:
    code = (
        "import signal, sys\n"
        "signal.signal(signal.SIGHUP, lambda *_: open(sys.argv[1] + '.hup', 'w'))\n" + READY
    )
    content = ["1"]
    reload = Reload(signal.SIGHUP, lambda: content[0])
    running = started(replace(small_service(data_dir, "a", code), reload=reload))
    before = running.pids()
    assert running.failure(Order.RELOAD) == ""
    assert not (data_dir / "a.hup").exists()
    content[0] = "2"
    assert running.failure(Order.RELOAD) == ""
    with gevent.Timeout(PATIENCE):
        while not (data_dir / "a.hup").exists():
            gevent.sleep(0.01)
    assert running.pids() == before


def test_a_mistake_in_the_settings_changes_nothing(data_dir: Path, started: Started) -> None:
    running = started(small_service(data_dir, "a", basis="1"))
    before = running.pids()
    running.described = [small_service(data_dir, "a", basis="2")]
    running.fresh = replace(running.settings, file="bad")
    words = "bad: app.port = 0; the settings before stay in use"
    assert running.failure(Order.RELOAD) == words
    assert words in running.order(Order.STATUS)[0].host_report.notices
    assert running.pids() == before
    running.fresh = running.settings
    assert running.failure(Order.RELOAD) == ""
    assert words not in running.order(Order.STATUS)[0].host_report.notices
    assert running.pids() != before


def test_a_moved_data_folder_is_refused(data_dir: Path, started: Started) -> None:
    running = started(small_service(data_dir, "a"))
    site = replace(running.settings.site, data_dir="/elsewhere")
    running.fresh = replace(running.settings, site=site)
    assert "data_dir has changed: stop `supervise`" in running.failure(Order.RELOAD)


def test_new_rules_hold_at_once(data_dir: Path, started: Started) -> None:
    running = started(small_service(data_dir, "a", STUBBORN), rules=replace(RULES, stop_seconds=60))
    chosen = replace(running.settings.supervisor, stop_seconds=0.1)
    running.fresh = replace(running.settings, supervisor=chosen)
    assert running.failure(Order.RELOAD) == ""
    assert running.failure(Order.STOP, "a") == ""


# Replacing without a gap


def heirs(folder: Path, code: str = READY) -> Service:
    """A service whose second process has a file of its own, and runs `code`."""
    first = small_service(folder, "a", basis="1")
    second = replace(small_service(folder, "a+", code), name="a")
    return replace(first, successor=lambda: replace(second, successor=first.successor))


def test_the_successor_is_up_before_the_one_before_leaves(
    data_dir: Path, started: Started
) -> None:
    running = started(heirs(data_dir))
    before = running.pids()["a"]
    said = running.order(Order.RESTART, "a")
    assert [(one.progress.service, one.progress.state) for one in said[:-1]][:3] == [
        ("a", "starting"), ("a", "up"), ("a before", "stopping")
    ]  # fmt: skip
    assert said[-1].done.failure == ""
    assert running.pids()["a"] not in (before, 0)


def test_a_successor_that_fails_leaves_the_one_before(data_dir: Path, started: Started) -> None:
    running = started(heirs(data_dir, "exit(3)"))
    before = running.pids()
    failure = running.failure(Order.RESTART, "a")
    assert "the one before stays: exited with code 3" in failure
    assert (running.pids(), running.states()) == (before, {"a": State.UP})


def test_of_a_type_none_is_restarted_after_one_that_fails(
    data_dir: Path, started: Started
) -> None:
    code = "import os, sys; os.path.exists(sys.argv[1] + '.bad') and exit(7);" + READY
    running = started(
        *(small_service(data_dir, f"a-{number}", code, type="a") for number in (1, 2))
    )
    before = running.pids()
    (data_dir / "a-1.bad").touch()
    assert "a-2: left as it is" in running.failure(Order.RESTART, "a")
    assert running.pids()["a-2"] == before["a-2"]


# From other hosts

TWO = """
[hosts.alpha]
address = "127.0.0.1"
[hosts.beta]
address = "127.0.0.2"
roles = ["app"]
"""


@contextmanager
def listening(folder: Path, port: int) -> Iterator[Settings]:
    """The settings of host alpha of a site; the supervisor of host beta runs."""
    file = folder / "salvus.toml"
    file.write_text(TWO)
    own: dict[str, Settings] = {}
    for name in ("alpha", "beta"):
        own[name] = settings_file.read(
            file,
            {
                "SALVUS_SITE_HOST": name,
                "SALVUS_SITE_DATA_DIR": str(folder / name),
                "SALVUS_SUPERVISOR_PORT": str(port),
                "SALVUS_WIRE_HELLO_SECONDS": "5",
            },
        )
        locations.make_all(own[name])
    certs.identity(own["alpha"])
    for ending in ("pem", "key"):
        copy = own["beta"].data_dir / "certificates" / f"ca.{ending}"
        copy.write_bytes((own["alpha"].data_dir / "certificates" / f"ca.{ending}").read_bytes())
    running = Host(own["beta"], [small_service(folder, "a")])
    try:
        yield own["alpha"]
    finally:
        running.stop()


def test_orders_come_from_other_hosts_of_the_site(
    data_dir: Path, free_port: Callable[[], int]
) -> None:
    with listening(data_dir, free_port()) as alpha, gevent.Timeout(PATIENCE):
        report, _ = client(alpha).ask(Order(verb=Order.STATUS), "beta")
        assert report.host_report.host == "beta"
        said = list(client(alpha).ask(Order(verb=Order.RESTART, services=["a"]), "beta"))
        assert said[-1].done.failure == ""
        with pytest.raises(NoSupervisor, match="not the token of this site"):
            list(client(alpha, token="another").ask(Order(), "beta"))
        with pytest.raises(NoSupervisor, match="the site has no host gamma; it has alpha"):
            list(client(alpha).ask(Order(), "gamma"))
        with pytest.raises(NoSupervisor, match="no `supervise` runs with"):
            list(client(alpha).ask(Order(), "alpha"))


def test_strangers_are_not_heard(data_dir: Path, free_port: Callable[[], int]) -> None:
    with listening(data_dir, free_port()) as alpha:
        site = replace(alpha.site, data_dir=str(data_dir / "stranger"))
        stranger = replace(alpha, site=site)
        locations.make_all(stranger)
        with gevent.Timeout(PATIENCE), pytest.raises(NoSupervisor, match="certificate"):
            list(client(alpha, proof=stranger).ask(Order(), "beta"))

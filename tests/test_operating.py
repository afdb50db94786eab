"""A whole site, operated while people compute: rolling restarts, changed settings, services that
are killed, stopped and hung."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import gevent
import pytest
import websocket

from app import settings as settings_file
from app.settings import ROOT
from app.wire.messages_pb2 import Finished, Frame, HostReport, Order
from app.wire.tls import client_context
from supervisor import certs
from supervisor.client import Client
from tests import host, unruly
from tests.page_client import Page, SignedIn
from tests.running_site import RunningSite, supervised
from tests.test_survival import come_back

PATIENCE = 60.0
TEXT = """
[app]
count = 2
[sage]
count = 2
spares = 1
quiet_seconds = 0.0
[haproxy]
host = "127.0.0.1"
[supervisor]
probe_seconds = 0.2
hung_seconds = 3.0
stop_seconds = 2.0
restart_window = 3.0
"""
FRONT = ("postgresql", "memcached", "haproxy", "nginx", "app-1", "app-2")
SERVICES = (*FRONT, "sage-1", "sage-2")


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSite]:
    """Two of each server behind HAProxy, each of which exits when it is told to. At its end nobody
    reads what it says any more."""
    for program in ("haproxy", "nginx", "memcached"):
        host.needs(program)
    host.needs_sage()
    with host.short_folder() as folder:
        (folder / "salvus.toml").write_text(TEXT)
        programs = folder / "programs"
        site = supervised(
            folder,
            **unruly.keys(programs),
            config=str(folder / "salvus.toml"),
            limits_sessions="100",
            app_port=str(host.free_ports(2)),
            sage_port=str(host.free_ports(2)),
            haproxy_port=str(host.free_port()),
        )
        site.environment["PYTHONPATH"] = unruly.python_path(programs)
        site.start()
        yield site
        site.close_output()
        assert site.stop() == 0


@pytest.fixture(scope="module")
def somebody(running: RunningSite) -> SignedIn:
    return SignedIn(running.new_address(), ca=running.data_dir / "certificates" / "ca.pem")


def services(running: RunningSite) -> dict[str, HostReport.Service]:
    """As its supervisor says."""
    settings = settings_file.read(environment=running.environment)
    client = Client(
        settings=settings,
        token=lambda: "",
        context=lambda: client_context(certs.identity(settings)),
    )
    report, _ = client.ask(Order(verb=Order.STATUS))
    return {one.name: one for one in report.host_report.services}


def is_well(running: RunningSite) -> bool:
    return all(one.state == "up" for one in services(running).values())


def overview(running: RunningSite) -> tuple[int, dict[str, Any]]:
    """The exit code of `status`, and what it says."""
    done = subprocess.run(
        [sys.executable, "salvus.py", "status", "--json"],
        cwd=ROOT,
        env=running.environment,
        capture_output=True,
        text=True,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def pids(running: RunningSite) -> dict[str, int]:
    return {name: one.pid for name, one in services(running).items()}


def signal_all(running: RunningSite, names: Iterable[str], number: int) -> dict[str, int]:
    """Send a signal to services, all of which are up; their process ids."""
    found = pids(running)
    assert all(found[name] for name in names), found  # 0 would be us
    for name in names:
        os.kill(found[name], number)
    return found


def wait_until(reached: Callable[[], bool]) -> None:
    with gevent.Timeout(PATIENCE):
        while not reached():
            gevent.sleep(0.05)


class Counting:
    """A page whose cell prints numbers, and that comes back like a browser's when it is cut off."""

    def __init__(self, person: SignedIn, count: int) -> None:
        self._person = person
        self._page = Page(person, person.new_worksheet())
        self._before = ""
        self._last = Frame()  # that it got before it was cut off
        self.count = count
        code = f"from time import sleep as nap\nfor i in range({count}): print(i); nap(float(.02))"
        cell = str(uuid.uuid4())
        self._page.save(cell, code)
        self._page.until(lambda message: message.HasField("cell_saved"))
        self._run = self._page.start(code, cell=cell)
        self._page.until(lambda message: message.frame.HasField("stream"))

    def finish(self) -> str:
        """All that was printed."""
        while True:
            try:
                assert self._page.finish(self._run).status == Finished.OK
                break
            except (OSError, websocket.WebSocketException):
                self._last = next(reversed([*self._page.frames()]), self._last)
                self._before += self._page.printed(self._run)
                worksheet = self._page.worksheet
                self._page = come_back(
                    self._person, worksheet, self._last.session, self._last.seq
                )
        found = self._before + self._page.printed(self._run)
        self._page.close()
        return found

    @property
    def expected(self) -> str:
        return "".join(f"{number}\n" for number in range(self.count))


def test_status_is_well_laid_out(running: RunningSite) -> None:
    code, found = overview(running)
    assert (code, found["well"], found["silent"]) == (0, True, {})
    (here,) = found["hosts"]
    assert {one["name"] for one in here["services"]} == set(SERVICES)
    assert all(one["state"] == "up" and one["pid"] for one in here["services"])
    assert found["site"]["browsers"] >= 0
    text = running.run("status")
    assert "\x1b" not in text
    for name in SERVICES:
        assert re.search(rf"^  {name} +up +\d+ s +\d+ ", text, re.M), text
    assert "hub lag" in text


def test_a_rolling_restart_of_app_servers_loses_no_line(
    running: RunningSite, somebody: SignedIn
) -> None:
    before = pids(running)
    pages = [Counting(somebody, 200) for _ in range(3)]
    asking = gevent.spawn(_ask_until_killed, somebody)
    said = running.run("restart", "app")
    assert re.search(r"app-1 +starting(.|\n)+app-1 before +stopping(.|\n)+app-2 +starting", said)
    for page in pages:
        assert page.finish() == page.expected
    assert not asking.ready(), asking.exception
    asking.kill()
    after = pids(running)
    assert {name for name in SERVICES if after[name] != before[name]} == {"app-1", "app-2"}


def _ask_until_killed(person: SignedIn) -> None:
    """Pages are there all the time."""
    while True:
        found = person.http.get(f"{person.origin}/alive", timeout=PATIENCE)
        assert found.status_code == 200
        gevent.sleep(0.01)


def test_a_rolling_restart_of_sage_servers_waits_for_who_computes(
    running: RunningSite, somebody: SignedIn
) -> None:
    before = pids(running)
    pages = [Counting(somebody, 200) for _ in range(4)]
    restarting = gevent.spawn(running.run, "restart", "sage")
    wait_until(lambda: "draining" in [one.state for one in services(running).values()])
    late = Page(somebody, somebody.new_worksheet())
    assert late.run("1+1").status == Finished.OK  # on the other one
    late.close()
    for page in pages:
        assert page.finish() == page.expected
    restarting.get()
    after = pids(running)
    assert {name for name in SERVICES if after[name] != before[name]} == {"sage-1", "sage-2"}


def test_changed_settings_touch_only_what_they_concern(
    running: RunningSite, somebody: SignedIn
) -> None:
    file = running.data_dir / "salvus.toml"
    before = pids(running)
    page = Page(somebody, somebody.new_worksheet())
    page.run("a = 1")
    file.write_text(TEXT + "[nginx]\nconnections = 1000\n[memcached]\nmemory = 32\n")
    wait_until(
        lambda: is_well(running)
        and all(pids(running)[name] != before[name] for name in ("nginx", "memcached"))
    )
    after = pids(running)
    assert {name for name in SERVICES if after[name] != before[name]} == {"nginx", "memcached"}

    rendered = running.data_dir / "conf" / "haproxy.cfg"
    text = file.read_text()
    file.write_text(text.replace('"127.0.0.1"', '"127.0.0.1"\nrequests_per_minute = 5999'))
    wait_until(lambda: "5999" in rendered.read_text())
    running.run("reload")
    assert pids(running) == after

    file.write_text(text + "[app")
    said = running.data_dir / "logs" / "supervisor.log"
    wait_until(lambda: "the settings before stay in use" in said.read_text())
    shown = somebody.http.get(f"{somebody.origin}/status", timeout=PATIENCE).text
    assert "the settings before stay in use" in shown
    os.kill(after["app-1"], signal.SIGKILL)  # it reads settings when it comes back
    wait_until(lambda: said.read_text().rindex("app-1 ") > said.read_text().rindex("stay in use"))
    file.write_text(text)
    running.run("reload")
    assert is_well(running)
    assert "stay in use" not in running.run("status")
    again = pids(running)
    assert {name for name in SERVICES if again[name] != after[name]} == {"app-1"}
    page.close()
    page = come_back(somebody, page.worksheet)
    page.run("print(a + 1)")
    assert page.printed().endswith("2\n")
    page.close()


def test_what_is_stopped_on_purpose_is_no_alarm(running: RunningSite) -> None:
    running.run("stop", "memcached")
    code, found = overview(running)
    assert (code, found["well"]) == (0, True)
    assert services(running)["memcached"].state == "stopped"
    running.run("start", "memcached")
    assert running.run("pids", "memcached").strip() == str(pids(running)["memcached"])


@pytest.mark.parametrize(
    ("number", "names"),
    [
        *((signal.SIGKILL, (name,)) for name in FRONT),
        *((number, FRONT) for number in (signal.SIGTERM, signal.SIGSTOP)),
        *((number, FRONT) for number in (unruly.EXIT_0, unruly.EXIT_1)),
    ],
)
def test_no_line_is_lost_whatever_happens_to_services(
    running: RunningSite, somebody: SignedIn, number: int, names: tuple[str, ...]
) -> None:
    """Each is killed; all of them end by themselves, well or badly, and hang, at once. Of Sage
    servers is a later test."""
    page = Counting(somebody, 40)
    before = signal_all(running, names, number)
    assert page.finish() == page.expected
    for name in names:
        wait_until(partial(_is_back, running, name, before[name]))


def begin(page: Page, code: str) -> str:
    """Start a run, again while Sage servers that have just come back are not yet reached."""
    with gevent.Timeout(PATIENCE):
        while True:
            run = page.start(code)
            said = page.until(lambda m: m.HasField("refused") or m.frame.HasField("queued"))
            if not said.HasField("refused"):
                return run
            assert "try again in a moment" in said.refused.reason
            gevent.sleep(0.2)


def _is_back(running: RunningSite, name: str, pid: int) -> bool:
    return is_well(running) and pids(running)[name] != pid


@pytest.mark.parametrize(
    "names", [("memcached", "nginx", "app-1", "sage-1"), ("postgresql", "haproxy")]
)
def test_what_keeps_dying_is_given_up_loudly_until_it_is_started(
    running: RunningSite, somebody: SignedIn, names: tuple[str, ...]
) -> None:
    """What has a substitute is not missed, and no line is lost while there is no way to a page and
    no database."""
    page = None if "sage-1" in names else Counting(somebody, 300)  # it may be there
    gevent.joinall([gevent.spawn(_exhaust, running, name) for name in names], raise_error=True)
    code, told = overview(running)
    assert (code, told["well"]) == (1, False)
    if page is None:
        page = Counting(somebody, 3)
        assert page.finish() == page.expected
        page = Counting(somebody, 3)
    running.run("start", *names)
    wait_until(lambda: is_well(running))
    assert page.finish() == page.expected


def _exhaust(running: RunningSite, name: str) -> None:
    """End a service badly until it is given up."""
    while (found := services(running)[name]).state != "gave up":
        if found.pid:
            with suppress(ProcessLookupError):
                os.kill(found.pid, signal.SIGKILL)
        gevent.sleep(0.05)
    assert "died 6 times in a row" in found.reason


@pytest.mark.parametrize(
    ("slow", "other"),
    [
        (("haproxy", "app-1", "sage-1", "memcached", "postgresql"), "nginx"),
        (("nginx",), "memcached"),
    ],
)
def test_slow_stops_are_bounded_and_hold_nothing_up(
    running: RunningSite, somebody: SignedIn, slow: tuple[str, ...], other: str
) -> None:
    """None of them hears that it is to stop; meanwhile another is restarted."""
    signal_all(running, slow, signal.SIGSTOP)
    stop = gevent.spawn(running.run, "stop", *slow)
    wait_until(lambda: services(running)[slow[0]].state in ("stopping", "hung"))
    running.run("restart", other)
    stop.get(timeout=PATIENCE)
    said = running.run("logs", "-n", "50", "supervisor")
    assert re.search(rf"{other} +starting(.|\n)+did not stop, killed", said), said
    for name in slow:
        assert re.search(rf"{name} +stopped .*did not stop, killed", said), said
    running.run("start", *slow)
    wait_until(lambda: is_well(running))
    page = Counting(somebody, 3)
    assert page.finish() == page.expected


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (signal.SIGSTOP, "no answer for 3 s"),
        (signal.SIGKILL, "ended by SIGKILL"),
        (unruly.EXIT_0, "exited with code 0"),
        (unruly.EXIT_1, "exited with code 1"),
    ],
)
def test_a_sage_server_that_fails_is_replaced_and_its_runs_end_with_the_reason(
    running: RunningSite, somebody: SignedIn, number: int, why: str
) -> None:
    page = Page(somebody, somebody.new_worksheet())
    run = begin(page, "print('seen', flush=True); input()")
    page.until(lambda message: message.frame.HasField("input_request"))
    before = signal_all(running, ("sage-1", "sage-2"), number)
    finished = page.finish(run)
    assert finished.status == Finished.DIED
    assert page.printed(run) == "seen\n"
    page.close()
    for name in ("sage-1", "sage-2"):
        wait_until(partial(_is_back, running, name, before[name]))
    assert why in running.run("logs", "-n", "200", "supervisor")

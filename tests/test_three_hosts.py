"""A site of three hosts, each in a network namespace of its own, whose cables are pulled.

alpha has the database, the cache, HAProxy and an app server; beta an app server and a Sage server,
and a clock that is an hour late; gamma a Sage server, and a clock that is an hour early.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import gevent
import psycopg2
import pytest

from app import settings as settings_file
from app.settings import ROOT
from app.wire.messages_pb2 import Finished, State
from supervisor.postgresql import database_url
from tests import host
from tests.clock import Clock
from tests.networks import Network, network
from tests.page_client import PATIENCE, Page, SignedIn
from tests.running_site import RunningSite
from tests.test_two_hosts import introduce

LOST_SECONDS = 8
SHORT = 3  # seconds
SITE = """
[hosts.alpha]
address = "{alpha}"
roles = ["database", "cache", "front", "app"]
[hosts.beta]
address = "{beta}"
roles = ["app", "sage"]
[hosts.gamma]
address = "{gamma}"
roles = ["sage"]
"""
CLOCKS = {"alpha": 0, "beta": -3500, "gamma": 3600}  # seconds ahead
COUNTING = "from time import sleep as nap\nfor i in range({}): print(i, flush=True); nap(.05)"


class Site:
    """Three supervised hosts, and doors to two app servers and HAProxy."""

    def __init__(self, hosts: dict[str, RunningSite], net: Network) -> None:
        self.hosts = hosts
        self.net = net
        self.doors: dict[str, int] = {}
        self.sage = {name: f"{net.addresses[name]}:8100" for name in ("beta", "gamma")}
        self._url = database_url(settings_file.read(environment=hosts["alpha"].environment))

    def person(self, name: str) -> SignedIn:
        """Somebody who comes in through the app server of this host."""
        token = self.hosts["alpha"].new_address().partition("/?")[2]
        return SignedIn(f"http://127.0.0.1:{self.doors[name]}/?{token}")

    def run(self, name: str, *arguments: str) -> str:
        """What `python salvus.py ARGUMENTS` prints on a host."""
        command = self.net.command(name, sys.executable, "salvus.py", *arguments)
        environment = self.hosts[name].environment
        return subprocess.check_output(command, cwd=ROOT, env=environment, text=True)

    def ask(self, question: str, *values: object) -> list[tuple[object, ...]]:
        with closing(psycopg2.connect(self._url)) as database, database.cursor() as cursor:
            cursor.execute(question, values)
            return cursor.fetchall()

    def server_of(self, page: Page) -> str:
        """Where the live session of a page's worksheet is, once that is recorded."""
        question = "SELECT server FROM sessions WHERE worksheet = %s AND ended IS NULL"
        wait_until(lambda: bool(self.ask(question, page.worksheet)))
        return str(self.ask(question, page.worksheet)[0][0])

    def page_on(self, name: str, person: SignedIn) -> Page:
        """A new one whose session is on this host."""
        while True:
            page = Page(person, person.new_worksheet())
            assert page.run("a = 1").status == Finished.OK
            if self.server_of(page) == self.sage[name]:
                return page
            page.close()


def wait_until(reached: Callable[[], bool]) -> None:
    with gevent.Timeout(PATIENCE):
        while not reached():
            gevent.sleep(0.1)


@pytest.fixture(scope="module")
def three() -> Iterator[Site]:
    if os.geteuid() != 0:
        host.missing("root, who may make networks")
    for program in ("haproxy", "nginx", "memcached"):
        host.needs(program)
    plain = ROOT / ".venv-plain" / "bin" / "python"
    if not plain.exists():
        host.missing(".venv-plain")
    with ExitStack() as stack:
        folder = stack.enter_context(host.short_folder())
        net = stack.enter_context(network(*CLOCKS))
        (folder / "site.toml").write_text(SITE.format(**net.addresses))
        hosts: dict[str, RunningSite] = {}
        for name, ahead in CLOCKS.items():
            clock = Clock(folder / f"clock-{name}")
            clock.jump(ahead)
            hosts[name] = RunningSite(
                folder / name,
                net.command(name, sys.executable, "salvus.py", "supervise"),
                site_host=name,
                config=str(folder / "site.toml"),
                sage_python=str(plain),
                sage_port="8100",
                app_port="8080",
                sage_lost_seconds=str(LOST_SECONDS),
                wire_silence="3",
                haproxy_host="0.0.0.0",
                haproxy_port="8443",
                haproxy_redirect_port="8081",
                limits_sessions="100",
                monitor_interval="0.5",
            )
            if ahead:
                hosts[name].environment |= clock.environment
            if name != "alpha":
                introduce(hosts["alpha"], hosts[name])
            stack.callback(hosts[name].stop)
            hosts[name].start()
        site = Site(hosts, net)
        for name, port in (("alpha", 8080), ("beta", 8080)):
            address = f"{net.addresses[name]}:{port}"
            site.doors[name] = stack.enter_context(net.door(address))
        yield site


@pytest.fixture
def people(three: Site) -> tuple[SignedIn, SignedIn]:
    """At alpha's app server, and at beta's."""
    return three.person("alpha"), three.person("beta")


def test_sessions_are_placed_on_both_sage_servers(
    three: Site, people: tuple[SignedIn, SignedIn]
) -> None:
    found: set[str] = set()
    while found != set(three.sage.values()):
        for person in people:
            page = Page(person, person.new_worksheet())
            assert page.run("print(6 * 7)").status == Finished.OK
            assert page.printed() == "42\n"
            found.add(three.server_of(page))
            page.close()


def test_messages_reach_pages_at_every_host(
    three: Site, people: tuple[SignedIn, SignedIn]
) -> None:
    sheet = people[0].new_worksheet()
    one, other = (Page(person, sheet) for person in people)
    for page in (one, other):
        page.until(lambda message: message.HasField("worksheet"))
    cell = str(uuid.uuid4())
    one.save(cell, "x = 1")
    assert other.until(lambda message: message.HasField("cell")).cell.code == "x = 1"
    run = other.start("print('for both')", cell=cell)
    for page in (one, other):
        page.finish(run)
        assert page.printed(run) == "for both\n"
    said = three.run("alpha", "notify", "Down at noon")
    assert said == "shown on 2 open pages\n"
    for page in (one, other):
        assert page.until(lambda message: message.HasField("notice")).notice.text == "Down at noon"
        page.close()


@pytest.mark.parametrize("name", ["beta", "gamma"])
def test_a_short_cut_loses_no_output(
    three: Site, people: tuple[SignedIn, SignedIn], name: str
) -> None:
    """Nothing of what is printed meanwhile; and clocks are of no account."""
    page = three.page_on(name, people[0])
    cell = str(uuid.uuid4())
    page.save(cell, "counting")
    run = page.start(COUNTING.format(120), cell=cell)
    page.until(lambda message: message.frame.HasField("stream"))
    three.net.cut(name)
    gevent.sleep(SHORT)
    three.net.heal(name)
    assert page.finish(run).status == Finished.OK
    assert page.printed(run) == "".join(f"{i}\n" for i in range(120))
    assert page.run("print(a)").status == Finished.OK
    page.close()


def test_what_runs_on_a_lost_host_is_over_and_it_comes_back_by_itself(
    three: Site, people: tuple[SignedIn, SignedIn]
) -> None:
    before = three.hosts["gamma"].run("pids")
    pages = [three.page_on("gamma", person) for person in people]
    cells = [str(uuid.uuid4()) for _ in pages]
    both = str(uuid.uuid4())  # runs here and there
    pages[0].save(both, "both")
    pages[0].run("print('on gamma')", cell=both)
    for page, cell in zip(pages, cells, strict=True):
        page.save(cell, "counting")
        page.start(COUNTING.format(10_000), cell=cell)
        page.until(lambda message: message.frame.HasField("stream"))
    three.net.cut("gamma")
    began = time.monotonic()
    lost = f"the Sage server {three.sage['gamma']} was not heard of for {LOST_SECONDS} s"
    for page in pages:
        reason = page.until_state(State.DEAD).reason
        assert reason == lost
    assert time.monotonic() - began < PATIENCE / 2
    for page in pages:
        assert page.run("print('elsewhere')").status == Finished.OK
        assert three.server_of(page) == three.sage["beta"]
    pages[0].run("print('on beta')", cell=both)
    _wait_shown(people[1], pages[0].worksheet, both, "on beta\n")
    for _ in range(3):
        page = Page(people[0], people[0].new_worksheet())
        assert page.run("2 + 2").status == Finished.OK
        assert three.server_of(page) == three.sage["beta"]
        page.close()
    printed = [_printed(three, cell) for cell in cells]

    three.net.heal("gamma")
    # What was printed during the cut is recorded, and that the runs ended with the reason.
    wait_until(lambda: [_status(three, cell) for cell in cells] == [("died", reason)] * 2)
    wait_until(lambda: all(_printed(three, c) > n for c, n in zip(cells, printed, strict=True)))
    three.page_on("gamma", people[1]).close()
    assert three.hosts["gamma"].run("pids") == before
    for page in pages:
        page.close()


def _wait_shown(person: SignedIn, worksheet: str, cell: str, text: str) -> None:
    """A page that comes now shows this text below the cell, and nothing else."""
    with gevent.Timeout(PATIENCE):
        while True:
            page = Page(person, worksheet)
            page.until(lambda message: message.HasField("state"))
            found = page.shown(cell)
            page.close()
            if found == text:
                return
            gevent.sleep(0.2)


def _printed(three: Site, cell: str) -> int:
    """How many frames are recorded of the runs of a cell."""
    question = (
        "SELECT count(*) FROM outputs JOIN runs ON runs.id = outputs.run WHERE runs.cell = %s"
    )
    return int(str(three.ask(question, cell)[0][0]))


def _status(three: Site, cell: str) -> tuple[object, ...]:
    """Of its run; nothing while that is not recorded."""
    found = three.ask("SELECT status, reason FROM runs WHERE cell = %s", cell)
    return found[0] if found else ()

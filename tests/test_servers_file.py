"""[sage] servers_file: app servers take up and drop sage servers while they run."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent.queue import Queue

from app.servers import ServersInUse, addresses_in
from app.settings import Sage, Settings, SettingsError
from app.wire.messages_pb2 import End, State
from tests import host
from tests.page_client import PATIENCE, Page, SignedIn
from tests.running_site import RunningSite, sage_server, supervised


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("# none\n\n", []),
        ("a.x:1\n  b:65535  # the new one\r\n[::1]:8100", ["a.x:1", "b:65535", "[::1]:8100"]),
    ],
)  # fmt: skip
def test_what_a_file_lists(text: str, found: list[str]) -> None:
    assert addresses_in(text, "f") == found


@pytest.mark.parametrize("line", ["a", "a:", ":1", "a:0", "a:65536", "a:b", "a:1 b:2", "a:1,b:2"])
def test_a_mistake_is_told_with_its_line(line: str) -> None:
    with pytest.raises(SettingsError, match=r"f, line 2: .* is not host:port"):
        addresses_in(f"a:1\n{line}\n", "f")


class Watched:
    """A servers file in use, and what was heard of it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "servers"
        self.file.write_text("a:1\n")
        self.heard: Queue[tuple[str, ...]] = Queue()
        sage = Sage(servers=("own:1",), servers_file=str(self.file))
        self.servers = ServersInUse(
            settings=dataclasses.replace(Settings(), sage=sage), on_change=self.heard.put
        )

    def next(self) -> tuple[str, ...]:
        return self.heard.get(timeout=PATIENCE)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    made = Watched(tmp_path)
    made.servers.start()
    yield made
    made.servers.stop()


def test_the_file_adds_to_the_settings_and_is_watched(watched: Watched) -> None:
    assert watched.next() == ("a:1", "own:1")
    watched.file.write_text("b:1\na:1\n")
    assert watched.next() == ("a:1", "b:1", "own:1")


def test_editors_that_replace_the_file_are_noticed_each_time(watched: Watched) -> None:
    watched.next()
    for number in range(3):
        new = watched.file.with_suffix(".new")
        new.write_text(f"n:{number + 1}\n")
        os.replace(new, watched.file)
        assert watched.next() == (f"n:{number + 1}", "own:1")


def test_a_mistake_changes_nothing_and_is_told_until_it_is_mended(watched: Watched) -> None:
    watched.next()
    for break_it in (lambda: watched.file.write_text("nonsense"), watched.file.unlink):
        break_it()
        with gevent.Timeout(PATIENCE):
            while not watched.servers.mistake:
                gevent.sleep(0.01)
        assert str(watched.file) in watched.servers.mistake
        assert watched.servers.addresses == ("a:1", "own:1")
        watched.file.write_text("a:1")
        with gevent.Timeout(PATIENCE):
            while watched.servers.mistake:
                gevent.sleep(0.01)
    assert watched.heard.empty()


@pytest.mark.parametrize("text", [None, "nonsense", "# nobody"])
def test_there_must_be_something_to_begin_with(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "servers"
    if text is not None:
        file.write_text(text)
    settings = dataclasses.replace(Settings(), sage=Sage(servers_file=str(file)))
    settings = dataclasses.replace(settings, app=dataclasses.replace(settings.app, roles=("app",)))
    with pytest.raises(SettingsError, match=r"servers_file .*servers"):
        ServersInUse(settings=settings, on_change=lambda addresses: None)


# --- With two sage servers ------------------------------------------------------


@pytest.fixture(scope="module")
def file() -> Iterator[Path]:
    with host.short_folder() as folder:
        yield folder / "servers"


@pytest.fixture(scope="module")
def first(file: Path) -> Iterator[RunningSite]:
    """A site whose own sage server is the first; the file begins empty."""
    file.write_text("")
    with host.short_folder() as folder:
        running = supervised(folder, sage_servers_file=str(file), limits_sessions="100")
        running.start()
        yield running
        running.stop()


@pytest.fixture
def second(first: RunningSite) -> Iterator[str]:
    """Another sage server of the same site; its address."""
    with sage_server(first) as address:
        yield address


def servers(person: SignedIn) -> set[str]:
    """Where sessions are, as the status page says."""
    return {session["server"] for session in status(person)["sessions"]}


def notices(person: SignedIn) -> list[str]:
    found: list[str] = status(person)["notices"]
    return found


def status(person: SignedIn) -> dict[str, Any]:
    address = f"{person.origin}/status"
    answer = person.http.get(address, headers={"Accept": "application/json"}, timeout=PATIENCE)
    found: dict[str, Any] = answer.json()
    return found


def wait_servers(person: SignedIn, wanted: set[str]) -> None:
    """Wait until sessions are there and nowhere else: they are recorded a moment later."""
    with gevent.Timeout(PATIENCE):
        while servers(person) != wanted:
            gevent.sleep(0.05)


def test_servers_come_and_go(first: RunningSite, second: str, file: Path) -> None:
    person = SignedIn(first.new_address())
    own = f"127.0.0.1:{first.environment['SALVUS_SAGE_PORT']}"
    pages = [Page(person, person.new_worksheet()) for _ in range(8)]
    for page in pages[:4]:
        page.run("x = 1")
    wait_servers(person, {own})

    # Taken up: new sessions are spread, those that live stay where they are.
    file.write_text(f"{second}\n")
    with gevent.Timeout(PATIENCE):
        while servers(person) != {own, second}:
            page = Page(person, person.new_worksheet())
            page.run("y = 1")
            pages.append(page)
    for page in pages[:4]:
        page.run("print('still', x)")
        assert page.printed() == "still 1\n"
    for page in pages[4:8]:
        page.run("print('first')")  # it has waited where its session shall begin
        assert page.printed() == "first\n"

    # Dropped: its sessions go on until they end, the next ones begin elsewhere.
    replaced = file.with_suffix(".new")
    replaced.write_text("# nobody else\n")
    os.replace(replaced, file)
    for page in pages[4:]:
        page.run("print('goes on')")
        assert page.printed().endswith("goes on\n")
    wait_servers(person, {own, second})
    for page in pages:
        page.send(end=End())
        page.until_state(State.DEAD)
    for page in pages:
        page.run("print('anew')")
        assert page.printed().endswith("anew\n")
    wait_servers(person, {own})
    for page in pages:
        page.close()


def test_a_mistake_in_the_file_is_on_the_status_page(first: RunningSite, file: Path) -> None:
    person = SignedIn(first.new_address())
    file.write_text("nonsense\n")
    try:
        with gevent.Timeout(PATIENCE):
            while not any(str(file) in notice for notice in notices(person)):
                gevent.sleep(0.05)
    finally:
        file.write_text("")

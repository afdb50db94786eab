"""Processes below the sage server are killed, and sessions come and go by the thousand."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from app.wire.messages_pb2 import End, Finished, State
from tests import host
from tests.page_client import PATIENCE, Page, SignedIn
from tests.running_site import RunningSite, kill_all, supervised

MARKED = "4321"  # seconds that a process here would sleep
PARENT = f"import subprocess; p = subprocess.Popen(['sleep', '{MARKED}']); input()"
TIMES = 1000


@pytest.fixture(scope="module")
def small() -> Iterator[RunningSite]:
    """A site of two sessions."""
    host.needs_sage()
    with host.short_folder() as folder:
        running = supervised(folder, sage_max_sessions="2")
        running.start()
        yield running
        running.stop()


@pytest.fixture
def user(small: RunningSite) -> SignedIn:
    return SignedIn(small.new_address())


def sleeper(site: RunningSite) -> psutil.Process:
    """The process that a session started with PARENT; its parent is the session."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := site.processes(f"sleep {MARKED}"):
            return found[0]
        time.sleep(0.02)
    raise AssertionError("the session has started no process")


def assert_all_places_are_free(site: RunningSite, user: SignedIn) -> None:
    """Two sessions can be had, nothing of earlier ones is left."""
    assert not site.processes(f"sleep {MARKED}")
    pages = [Page(user, user.new_worksheet()) for _ in range(2)]
    for page in pages:
        assert page.run("print(1)").status == Finished.OK
    for page in pages:
        page.send(end=End())
        page.until_state(State.DEAD)
        page.close()
    assert not list((site.data_dir / "sage").glob("*/homes/*"))


def test_a_killed_session_is_told_and_leaves_nothing(small: RunningSite, user: SignedIn) -> None:
    page = Page(user, user.new_worksheet())
    run = page.start(PARENT)
    session = sleeper(small).parent()
    assert session
    kill_all([session])
    finished = page.finish(run)
    assert (finished.status, finished.reason) == (Finished.DIED, "killed by SIGKILL")
    page.close()
    assert_all_places_are_free(small, user)


def test_a_killed_grandchild_is_the_session_s_own_matter(
    small: RunningSite, user: SignedIn
) -> None:
    page = Page(user, user.new_worksheet())
    run = page.start(PARENT.replace("; input()", "; print(p.wait())"))
    kill_all([sleeper(small)])
    assert page.finish(run).status == Finished.OK
    assert page.printed() == "-9\n"
    page.send(end=End())
    page.until_state(State.DEAD)
    page.close()
    assert_all_places_are_free(small, user)


@pytest.mark.parametrize("which", ["unshare", "zygote", "session's first"])
def test_a_killed_zygote_or_what_holds_it_takes_all_along(
    small: RunningSite, user: SignedIn, which: str
) -> None:
    page = Page(user, user.new_worksheet())
    run = page.start(PARENT)
    process = sleeper(small)
    if which == "unshare":
        victim = small.processes("unshare")[:1]
    elif which == "zygote":
        victim = [small.processes("-m app.sage.zygote")[1]]
    else:
        victim = [each for each in small.processes("sleep infinity") if _shares(each, process)]
    if not victim:
        host.missing("namespaces of processes")
    kill_all(victim)
    assert page.finish(run).status == Finished.DIED
    _, alive = psutil.wait_procs([process], timeout=PATIENCE)
    assert not alive
    page.close()
    assert_all_places_are_free(small, user)


def _shares(one: psutil.Process, other: psutil.Process) -> bool:
    """Whether two processes are in the same pid namespace."""
    return _namespace(one.pid) == _namespace(other.pid)


def _namespace(pid: int) -> str:
    return str(Path(f"/proc/{pid}/ns/pid").readlink())


def test_a_thousand_fresh_sessions_each_have_their_first_output(
    site: RunningSite, person: SignedIn
) -> None:
    worksheet = person.new_worksheet()
    page = Page(person, worksheet)
    for number in range(TIMES):
        page.messages.clear()
        run = page.start(f"print('first {number}'); print('second'); 2+2")
        assert page.finish(run).status == Finished.OK
        assert page.printed(run) == f"first {number}\nsecond\n"
        assert page.results() == ["4"]
        page.send(end=End())
        page.until_state(State.DEAD)
    page.close()


def test_ten_thousand_lines_come_whole_a_thousand_times(page: Page) -> None:
    expected = "".join(f"{i}\n" for i in range(10**4))
    for _ in range(TIMES):
        page.messages.clear()
        run = page.start("for i in range(10^4): print(i)")
        assert page.finish(run).status == Finished.OK
        assert page.printed(run) == expected

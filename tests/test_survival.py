"""Any one process is killed: nothing seen is lost, nothing is doubled, nothing is left."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator

import psutil
import pytest
import requests
import websocket

from app.settings import ROOT
from app.wire.messages_pb2 import Finished, State
from tests import host
from tests.page_client import PATIENCE, Page, SignedIn
from tests.running_site import RunningSite, kill_all, small_form, supervised

LINES = "from time import sleep as nap\nfor i in range(60): print(i); nap(float(0.05))"
EXPECTED = "".join(f"{i}\n" for i in range(60))


@pytest.fixture
def fragile() -> Iterator[RunningSite]:
    """A site of the test's own, to break."""
    host.needs_sage()
    with host.short_folder() as folder:
        running = supervised(folder)
        running.start()
        yield running
        running.stop()


def come_back(person: SignedIn, worksheet: str, session: str = "", after: int = 0) -> Page:
    """A page that tries until the site is there again, as a real one does."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return Page(person, worksheet, session=session, after=after)
        except (OSError, websocket.WebSocketException, requests.RequestException):
            assert time.monotonic() < deadline, "the site did not come back"
            time.sleep(0.2)


def test_a_killed_app_server_loses_no_line(fragile: RunningSite) -> None:
    person = SignedIn(fragile.address)
    page = Page(person, person.worksheet)
    cell = str(uuid.uuid4())
    page.save(cell, LINES)
    run = page.start(LINES, cell=cell)
    page.until(lambda m: "9\n" in m.frame.stream.text)
    kill_all(fragile.processes("gunicorn"))
    with pytest.raises((websocket.WebSocketException, OSError)):
        while True:
            page.receive()
    last = [frame for frame in page.frames() if frame.run == run][-1]
    back = come_back(person, page.worksheet, last.session, last.seq)
    assert back.finish(run).status == Finished.OK
    assert page.printed(run) + back.printed(run) == EXPECTED
    back.close()


def test_a_killed_sage_server_leaves_nothing_and_says_why(fragile: RunningSite) -> None:
    person = SignedIn(fragile.address)
    page = Page(person, person.worksheet)
    cell = str(uuid.uuid4())
    page.save(cell, "x")
    run = page.start(
        "import subprocess; print('seen', flush=True)\n"
        "p = subprocess.Popen(['sleep', '1000'], start_new_session=True)\n"
        "input()",
        cell=cell,
    )
    page.until(lambda m: m.frame.HasField("input_request"))
    below = fragile.processes("app.sage.zygote") + fragile.processes("sleep 1000")
    assert len(below) > 2
    kill_all(fragile.processes("salvus.py sage"))
    _, alive = psutil.wait_procs(below, timeout=PATIENCE)
    assert not alive
    finished = page.finish(run)
    assert finished.status == Finished.DIED
    assert "killed" in finished.reason
    assert page.printed(run) == "seen\n"
    assert page.run("1+1").status == Finished.OK
    page.close()


def test_the_end_of_an_idle_session_is_told_after_the_fact(fragile: RunningSite) -> None:
    person = SignedIn(fragile.address)
    page = Page(person, person.worksheet)
    assert page.run("a = 1").status == Finished.OK
    kill_all(fragile.processes("salvus.py sage"))
    state = page.until_state(State.DEAD)
    assert "killed" in state.reason
    page.close()


def test_a_killed_zygote_is_replaced_and_its_sessions_told(fragile: RunningSite) -> None:
    person = SignedIn(fragile.address)
    page = Page(person, person.worksheet)
    run = page.start("input()")
    page.until(lambda m: m.frame.HasField("input_request"))
    kill_all(fragile.processes("unshare") or fragile.processes("app.sage.zygote")[:1])
    finished = page.finish(run)
    assert finished.status == Finished.DIED
    assert "zygote" in finished.reason
    assert page.run("1+1").status == Finished.OK
    page.close()


def test_a_database_that_goes_away_delays_saving_only(fragile: RunningSite) -> None:
    person = SignedIn(fragile.address)
    page = Page(person, person.worksheet)
    cell = str(uuid.uuid4())
    page.save(cell, LINES)
    page.until(lambda m: m.HasField("cell_saved"))
    run = page.start(LINES, cell=cell)
    page.until(lambda m: m.frame.HasField("stream"))
    postmaster = fragile.processes("postgresql")[0]
    kill_all([postmaster, *postmaster.children(recursive=True)])
    page.save(cell, LINES + "\n")
    assert page.finish(run).status == Finished.OK
    assert page.printed(run) == EXPECTED
    deadline = time.monotonic() + PATIENCE
    newcomer = come_back(person, page.worksheet)
    while newcomer.printed(run) != EXPECTED and time.monotonic() < deadline:
        newcomer.receive()
    assert newcomer.printed(run) == EXPECTED
    page.close()
    newcomer.close()


def test_without_the_database_nobody_comes_to_another_one_s_session(fragile: RunningSite) -> None:
    """It alone knows whose a worksheet is."""
    person = SignedIn(fragile.address)
    other = SignedIn(fragile.new_person("Other"))
    page = Page(person, person.worksheet)
    assert page.run("print(6*7)").status == Finished.OK
    fragile.run("stop", "postgresql")
    page.close()
    back = Page(person, person.worksheet)
    assert back.run("print(6*7)").status == Finished.OK
    refused = Page(other, person.worksheet)
    reason = refused.until(lambda m: m.HasField("refused")).refused.reason
    assert "database" in reason
    refused.start("print(1)")
    refused.until(lambda m: m.HasField("refused"))
    assert not list(refused.frames())
    fragile.run("start", "postgresql")
    refused.close()
    back.close()


def test_a_killed_supervisor_leaves_nothing_and_the_next_has_everything() -> None:
    with host.short_folder() as folder:
        first = supervised(folder)
        first.start()
        person = SignedIn(first.address)
        page = Page(person, person.worksheet)
        cell = str(uuid.uuid4())
        page.save(cell, "print('kept')")
        page.until(lambda m: m.HasField("cell_saved"))
        run = page.run("print('kept')", cell=cell)
        assert run.status == Finished.OK
        while "app-1" not in first.run("ps"):
            time.sleep(0.1)
        below = first.processes()
        first.kill()
        _, alive = psutil.wait_procs(below, timeout=PATIENCE)
        assert not alive
        second = supervised(folder)
        second.start()
        again = SignedIn(second.address)
        newcomer = Page(again, person.worksheet)
        newcomer.until(lambda m: m.frame.HasField("finished"))
        assert newcomer.printed() == "kept\n"
        while "found gone" not in (lives := second.run("history", "app-1")):
            time.sleep(0.1)
        assert lives.count("runs") == 1
        second.stop()


def test_a_second_supervisor_is_refused(fragile: RunningSite) -> None:
    with pytest.raises(AssertionError, match=r"in use by another Salvus \(pid \d+\)"):
        supervised(fragile.data_dir).start()


def test_without_sage_sessions_have_python_with_sympy() -> None:
    python = ROOT / ".venv-plain" / "bin" / "python"
    if not python.exists():
        host.missing("SymPy (.venv-plain)")
    with host.short_folder() as folder:
        plain = small_form(folder, sage_python=str(python))
        plain.start()
        person = SignedIn(plain.address)
        page = Page(person, person.worksheet)
        page.until_state(State.NONE)
        assert page.run("integrate(sin(Symbol('x')), Symbol('x'))").status == Finished.OK
        assert page.results() == ["-cos(x)"]
        language = next(m.state.language for m in page.messages if m.state.language)
        assert "SymPy" in language
        assert "Sage is not installed" in language
        plain.stop()


def test_the_small_form_computes_and_stops_cleanly() -> None:
    with host.short_folder() as folder:
        small = small_form(folder)
        small.start()
        person = SignedIn(small.address)
        page = Page(person, person.worksheet)
        page.until(lambda m: m.HasField("state") and m.state.kind == m.state.NONE)
        assert page.run("2+2").status == Finished.OK
        assert page.results() == ["4"]
        below = small.processes()
        assert small.stop() == 0
        _, alive = psutil.wait_procs(below, timeout=PATIENCE)
        assert not alive

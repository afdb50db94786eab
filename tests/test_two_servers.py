"""Two app servers behind HAProxy are one site: notices reach every page, and pages that were on a
killed server are back on the other, with every line once."""

from __future__ import annotations

import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest
import requests
import websocket
from playwright.sync_api import Browser, expect

from app.wire.messages_pb2 import Finished, State
from tests import browser as chromium
from tests import host
from tests.page_client import PATIENCE, Page, SignedIn
from tests.running_site import RunningSite, kill_all, supervised

PAGES = 20
LINES = "from time import sleep as nap\nfor i in range(80): print(i); nap(float(0.05))"
EXPECTED = "".join(f"{i}\n" for i in range(80))


@pytest.fixture(scope="module")
def pair() -> Iterator[RunningSite]:
    for program in ("haproxy", "nginx"):
        host.needs(program)
    host.needs_sage()
    with host.short_folder() as folder:
        running = supervised(
            folder,
            app_count="2",
            haproxy_host="127.0.0.1",
            haproxy_port=str(host.free_port()),
            limits_sessions="100",
            wire_idle_seconds="2",
            sign_in_check_seconds="600",  # what is to be at once does not wait for that
        )
        running.start()
        yield running
        running.stop()


def ca(site: RunningSite) -> Path:
    return site.data_dir / "certificates" / "ca.pem"


@pytest.fixture(scope="module")
def user(pair: RunningSite) -> SignedIn:
    return SignedIn(pair.new_address(), ca=ca(pair))


def at(user: SignedIn, site: RunningSite, number: int) -> SignedIn:
    """The same person, going straight to one of the app servers."""
    direct = SignedIn(site.new_address(), ca=user.ca)
    direct.origin = f"http://127.0.0.1:{site.port + number}"
    return direct


def until_answers(user: SignedIn, site: RunningSite, number: int) -> None:
    with gevent.Timeout(PATIENCE):
        while True:
            try:
                requests.get(f"http://127.0.0.1:{site.port + number}/alive", timeout=PATIENCE)
                return
            except requests.ConnectionError:
                gevent.sleep(0.1)


class Follower:
    """A page that comes back by itself, as a real one does, and asks for what it lacks."""

    def __init__(self, user: SignedIn) -> None:
        self._user = user
        self.page = Page(user, user.new_worksheet())
        self.cell, self.printed, self.returns = str(uuid.uuid4()), "", 0
        self.page.save(self.cell, LINES)
        self.run = self.page.start(LINES, cell=self.cell)
        self._greenlet = gevent.spawn(self._follow)

    def finish(self) -> None:
        self._greenlet.get(timeout=2 * PATIENCE)
        self.page.close()

    def _follow(self) -> None:
        session, after = "", 0
        while True:
            try:
                frame = self.page.receive().frame
            except (OSError, websocket.WebSocketException):
                self.page = self._returned(session, after)
                self.returns += 1
                continue
            if frame.run != self.run:
                continue
            session, after = frame.session, frame.seq
            self.printed += frame.stream.text
            if frame.HasField("finished"):
                assert frame.finished.status == Finished.OK
                return

    def _returned(self, session: str, after: int) -> Page:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return Page(self._user, self.page.worksheet, session=session, after=after)
            except (OSError, websocket.WebSocketException):
                assert time.monotonic() < deadline, "no server takes it"
                gevent.sleep(0.1)


def test_a_notice_is_on_every_open_page(pair: RunningSite, user: SignedIn) -> None:
    pages = [Page(at(user, pair, number), user.new_worksheet()) for number in (0, 1, 0, 1)]
    for page in pages:
        page.until(lambda m: m.HasField("worksheet"))
    said = pair.run("notify", "Down for ten minutes at noon")
    assert said == "shown on 4 open pages\n"
    for page in pages:
        notice = page.until(lambda m: m.HasField("notice")).notice
        assert notice.text == "Down for ten minutes at noon"
        page.close()


def test_signing_out_everywhere_reaches_pages_on_all_servers(pair: RunningSite) -> None:
    emmy = SignedIn(pair.new_person("Emmy"))
    sheet = emmy.new_worksheet()
    near = Page(emmy, sheet)
    emmy.origin = f"http://127.0.0.1:{pair.port + 1}"
    far = Page(emmy, sheet)
    for page in (near, far):
        page.until(lambda message: message.HasField("worksheet"))
    emmy.origin = f"http://127.0.0.1:{pair.port}"
    emmy.http.post(
        f"{emmy.origin}/sign-out/everywhere", headers={"Origin": emmy.origin}, timeout=PATIENCE
    )
    for page in (near, far):
        with pytest.raises(websocket.WebSocketConnectionClosedException):
            page.until(lambda message: False)
    for number in (0, 1):
        emmy.origin = f"http://127.0.0.1:{pair.port + number}"
        with pytest.raises(websocket.WebSocketBadStatusException):
            Page(emmy, sheet)


def test_who_ends_a_session_says_why_on_every_page(pair: RunningSite, user: SignedIn) -> None:
    sheet = user.new_worksheet()
    one, other = (Page(at(user, pair, number), sheet) for number in (0, 1))
    one.run("a = 1")
    run = one.start("print('seen', flush=True); input()")
    for page in (one, other):
        page.until(lambda message: message.frame.HasField("input_request"))
    with gevent.Timeout(PATIENCE):
        while not ended(pair, sheet, "maintenance at noon"):
            gevent.sleep(0.1)  # until it is known where the session is
    for page in (one, other):
        assert page.finish(run).status == Finished.DIED
        state = page.until_state(State.DEAD)
        assert state.reason == "an administrator ended it: maintenance at noon"
        page.close()


def ended(site: RunningSite, sheet: str, reason: str) -> bool:
    try:
        return site.run("end-session", sheet, reason) == "ended\n"
    except subprocess.CalledProcessError:
        return False


def test_an_edit_is_shown_on_the_other_server_at_once(pair: RunningSite, user: SignedIn) -> None:
    sheet = user.new_worksheet()
    one, other = (Page(at(user, pair, number), sheet) for number in (0, 1))
    for page in (one, other):
        page.until(lambda m: m.HasField("worksheet"))
    cell = str(uuid.uuid4())
    for number in range(20):
        one.save(cell, f"x = {number}")
    codes: list[str] = []
    while len(codes) < 20:
        codes.append(other.until(lambda m: m.HasField("cell")).cell.code)
    assert codes == [f"x = {number}" for number in range(20)]
    run = one.start("print('for both')", cell=cell)
    for page in (one, other):
        page.finish(run)
        assert page.printed(run) == "for both\n"
        page.close()


def test_only_the_site_s_tools_may_notify(user: SignedIn) -> None:
    for headers in ({}, {"Authorization": "Bearer guessed"}, {"Origin": user.origin}):
        answer = user.http.post(
            f"{user.origin}/notices", data={"text": "x"}, headers=headers, timeout=PATIENCE
        )
        assert answer.status_code in (400, 403)


@pytest.mark.parametrize(
    "body",
    [
        {"deliver": {"everyone": True, "message": b"x"}},
        {"deliver": {"browser": str(uuid.uuid4()), "message": b"x", "hang_up": True}},
        {"notice": {"text": "I am the administrator"}},
        {"reached": {"number": 1}},
        {"bye": {}},
    ],
    ids=lambda body: next(iter(body)),
)
def test_a_page_addresses_nobody(
    pair: RunningSite, user: SignedIn, body: dict[str, object]
) -> None:
    one, other = (Page(at(user, pair, number), user.new_worksheet()) for number in (0, 1))
    one.send(**body)
    refused = one.until(lambda m: m.HasField("refused")).refused
    assert "a page must not send" in refused.reason
    other.run("1 + 1")
    assert not any(m.HasField("notice") for m in other.messages)
    one.close()
    other.close()


@pytest.mark.parametrize("number", [0, 1])
def test_pages_of_a_killed_server_are_back_on_the_other(
    pair: RunningSite, user: SignedIn, number: int
) -> None:
    until_answers(user, pair, 1 - number)
    followers = [Follower(user) for _ in range(PAGES)]
    with gevent.Timeout(PATIENCE):
        while not all("3\n" in each.printed for each in followers):
            gevent.sleep(0.05)  # all run: what is killed now is in the middle of it
    victims = pair.processes("gunicorn")
    kill_all([each for each in victims if str(pair.port + number) in _environment(each)])
    for each in followers:
        each.finish()
    assert [each.printed for each in followers] == [EXPECTED] * PAGES
    assert any(each.returns for each in followers)
    until_answers(user, pair, number)


def _environment(process: object) -> str:
    return f"{process.environ().get('SALVUS_APP_PORT')}"  # type: ignore[attr-defined]


def test_a_real_page_goes_on_and_keeps_what_is_typed(
    pair: RunningSite, browser: Browser
) -> None:
    context = browser.new_context(ignore_https_errors=True)
    context.set_default_timeout(chromium.PATIENCE)
    tab = context.new_page()
    tab.goto(pair.new_address())
    tab.goto(f"{tab.url.partition('/w/')[0]}/worksheets")
    tab.get_by_role("button", name="New worksheet").first.click()
    expect(chromium.editor(tab, 1)).to_be_visible(timeout=chromium.PATIENCE)
    place = chromium.run(tab, 1, LINES)
    expect(place).to_contain_text("3", timeout=chromium.PATIENCE)
    kill_all(pair.processes("gunicorn"))
    chromium.editor(tab, 2).focus()
    tab.keyboard.insert_text("typed = 'while no server was there'")
    shown = chromium.finished(place).inner_text()
    assert [line for line in shown.split() if line.isdigit()][:80] == EXPECTED.split()
    expect(tab.locator("#status")).to_have_attribute("data-state", "idle", timeout=60_000)
    pair.run("notify", "Back again")
    expect(tab.get_by_text("Back again")).to_be_visible(timeout=chromium.PATIENCE)
    tab.screenshot(path=str(pair.data_dir / "notice.png"))
    tab.get_by_role("button", name="Dismiss").click()
    expect(tab.get_by_text("Back again")).to_have_count(0)
    tab.wait_for_timeout(1000)  # longer than an edit waits to be sent
    tab.reload()
    expect(chromium.editor(tab, 2)).to_contain_text("while no server was there")
    context.close()

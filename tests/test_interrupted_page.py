"""Interrupted lives: the page recovers by itself, says what happened, and loses nothing."""

from __future__ import annotations

import uuid

from playwright.sync_api import Page as Tab
from playwright.sync_api import WebSocketRoute, expect

from app.wire.messages_pb2 import End, State
from tests.browser import PATIENCE, editor, finished, output, run
from tests.page_client import Page, SignedIn

COUNTING = "from time import sleep\nfor i in range({}): print(i, flush=True); sleep(float(.05))"


def test_a_laptop_closed_for_a_night(tab: Tab, person: SignedIn) -> None:
    """Its session has ended meanwhile, and somebody has written into the worksheet."""
    finished(run(tab, 1, "a = 6; print('before')"))
    expect(tab.locator("#saved")).to_have_text("saved")
    lifecycle = tab.context.new_cdp_session(tab)
    tab.context.set_offline(True)
    lifecycle.send("Page.setWebLifecycleState", {"state": "frozen"})
    elsewhere = Page(person, tab.url.rpartition("/")[2])
    elsewhere.save(str(uuid.uuid4()), "# added in the night", 99.0)
    elsewhere.until(lambda message: message.HasField("cell_saved"))
    elsewhere.send(end=End())
    elsewhere.until_state(State.DEAD)
    elsewhere.close()
    lifecycle.send("Page.setWebLifecycleState", {"state": "active"})
    tab.context.set_offline(False)
    expect(tab.locator("#status")).to_contain_text("you ended it", timeout=PATIENCE)
    expect(tab.get_by_text("# added in the night")).to_be_visible()
    expect(output(tab, 1)).to_have_text("before\n")
    editor(tab, 1).focus()
    tab.keyboard.press("Control+Enter")
    expect(finished(output(tab, 1))).to_have_text("before\n")
    expect(tab.locator("#status")).to_have_text("idle")


class Flaky:
    """The way of a tab's socket to the site, which is cut now and then."""

    def __init__(self, tab: Tab) -> None:
        self._open: list[WebSocketRoute] = []
        self._is_cut = False
        tab.route_web_socket("**/socket/**", self._pass_on)

    def cut(self) -> None:
        self._is_cut = True
        for each in self._open:
            each.close()
        self._open.clear()

    def mend(self) -> None:
        self._is_cut = False

    def _pass_on(self, route: WebSocketRoute) -> None:
        if self._is_cut:
            route.close()
        else:
            self._open += [route.connect_to_server(), route]


def test_a_network_that_comes_and_goes(tab: Tab) -> None:
    network = Flaky(tab)
    tab.reload()
    place = run(tab, 1, COUNTING.format(160))
    for _ in range(5):
        expect(tab.locator("#status")).not_to_contain_text("reconnecting", timeout=PATIENCE)
        tab.wait_for_timeout(300)
        network.cut()
        editor(tab, 2).focus()
        tab.keyboard.insert_text("+1")
        expect(tab.locator("#status")).to_contain_text("reconnecting", timeout=PATIENCE)
        network.mend()
    finished(place)
    assert (place.text_content() or "").split() == [str(i) for i in range(160)]
    expect(editor(tab, 2)).to_have_text("+1" * 5)
    expect(tab.locator("#saved")).to_have_text("saved", timeout=PATIENCE)

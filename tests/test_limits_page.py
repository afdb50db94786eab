"""What a page shows of limits: what is used, the queue, idleness, ends; and files, in a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, expect
from playwright.sync_api import Page as Tab

from app.settings import ROOT
from tests import host
from tests.browser import PATIENCE, finished, new_worksheet, output, run, signed_in
from tests.running_site import RunningSite, supervised

MEMORY = 300_000_000


@pytest.fixture(scope="module")
def site() -> Iterator[RunningSite]:
    """A site of two sessions, with limits that are soon reached and an hour of warning."""
    if not (ROOT / ".venv-sage" / "bin" / "python").exists():
        host.missing("Sage (.venv-sage)")
    with host.short_folder() as folder:
        running = supervised(
            folder,
            sage_max_sessions="2",
            sage_sample_seconds="0.1",
            sage_warn_seconds="3600",
            limits_idle_seconds="3603",
            limits_memory=str(MEMORY),
            limits_run_seconds="600",
            limits_processes="64",
        )
        running.start()
        yield running
        running.stop()


@pytest.fixture
def context(browser: Browser, site: RunningSite) -> Iterator[BrowserContext]:
    """A signed-in person, whose sessions are ended afterwards."""
    with signed_in(browser, site) as made:
        yield made
        for tab in made.pages:
            if "/w/" in tab.url:
                end(tab)


@pytest.fixture
def tab(context: BrowserContext, site: RunningSite) -> Tab:
    return new_worksheet(context, site)


def end(tab: Tab) -> None:
    """End the session of a worksheet, if it has one."""
    button = tab.get_by_role("button", name=re.compile("End session|Leave"))
    if button.is_enabled():
        button.click()
    expect(state(tab)).to_contain_text(re.compile("dead|idle — a session starts"))


def state(tab: Tab) -> Locator:
    return tab.get_by_role("status").first


def test_what_is_used_of_what_is_allowed_is_shown_live(tab: Tab) -> None:
    run(tab, 1, "b = bytearray(int(10^8)); open('f', 'w').write('x' * 10^6); input('Go on?')")
    expect(output(tab, 1).get_by_role("textbox")).to_be_visible(timeout=PATIENCE)
    tab.locator("#usage summary").click()
    table = tab.get_by_role("table", name="What this session uses")

    def row(name: str) -> Locator:
        return table.get_by_role("row", name=name)

    expect(row("memory")).to_contain_text(re.compile(r"1\d\d\.\d MB of 300.0 MB"), timeout=PATIENCE)
    expect(table.get_by_role("meter", name="memory")).to_have_attribute("max", str(MEMORY))
    expect(row("processes")).to_contain_text(" of 64")
    expect(row("disk")).to_contain_text(re.compile(r"[\d.]+ [kM]B of 268.4 MB"))
    expect(row("time of this run")).to_contain_text(re.compile(r"of 10 min.*\d+ min left"))
    first = row("time of the session").text_content()
    expect(row("time of the session")).not_to_have_text(first or "", timeout=PATIENCE)
    tab.keyboard.press("Escape")
    expect(table).to_be_hidden()


def test_what_exceeds_a_limit_is_ended_with_used_and_allowed(tab: Tab) -> None:
    code = (
        "import os, time\nfor i in range(4):\n"
        "    if os.fork() == 0: b = bytearray(int(150 * 10^6)); time.sleep(float(600))\n"
        "time.sleep(float(600))"
    )
    place = finished(run(tab, 1, code))
    expect(place).to_contain_text(re.compile(r"limit of memory: used \d+\.\d MB of 300\.0 MB"))
    expect(state(tab)).to_contain_text("limit of memory")
    expect(run(tab, 2, "6*7")).to_contain_text("42", timeout=PATIENCE)


def test_who_waits_sees_the_place_and_may_leave(
    tab: Tab, context: BrowserContext, site: RunningSite
) -> None:
    finished(run(tab, 1, "1"))
    second, third, fourth = (new_worksheet(context, site) for _ in range(3))
    finished(run(second, 1, "2"))
    run(third, 1, "print('at ' + 'last')")
    expect(state(third)).to_contain_text(
        "place 1 in the queue: this server has as many sessions as it may have (2)",
        timeout=PATIENCE,
    )
    waiting = run(fourth, 1, "4")
    expect(state(fourth)).to_contain_text("place 2 in the queue", timeout=PATIENCE)
    fourth.get_by_role("button", name="Leave the queue").click()
    finished(waiting)
    cell = fourth.get_by_role("region", name="Cell 1", exact=True)
    expect(cell).to_contain_text("cancelled · you left the queue")
    end(second)
    expect(output(third, 1)).to_contain_text("at last", timeout=PATIENCE)


def test_an_idle_session_warns_and_one_click_keeps_it(tab: Tab) -> None:
    finished(run(tab, 1, "a = 41"))
    warning = tab.get_by_role("alert")
    expect(warning).to_contain_text("Nobody uses this session: it ends in", timeout=PATIENCE)
    expect(tab).to_have_title(re.compile("^⏳"))
    tab.get_by_role("button", name="Keep it").click()
    expect(warning).not_to_contain_text("Nobody uses this session")
    expect(run(tab, 2, "a + 1")).to_contain_text("42", timeout=PATIENCE)


def test_files_that_a_cell_writes_can_be_downloaded(tab: Tab) -> None:
    code = (
        "import os; os.makedirs('a folder'); _ = open('a folder/zahl π.txt', 'w').write('3.14')\n"
        "_ = open('page.html', 'w').write('<script>alert(1)</script>')"
    )
    files = finished(run(tab, 1, code)).get_by_role("list", name="Files written")
    expect(files.get_by_role("listitem")).to_have_count(2)
    contents = {"a folder/zahl π.txt": "3.14", "page.html": "<script>alert(1)</script>"}
    for name, content in contents.items():
        address = files.get_by_role("link", name=name).evaluate("link => link.href")
        answer = tab.context.request.get(address)
        assert answer.text() == content
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["content-type"] == "application/octet-stream"

"""What a page shows of limits: what is used, the queue, idleness, ends; and files, in a browser."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, expect
from playwright.sync_api import Page as Tab

from tests import host
from tests.browser import PATIENCE, editor, finished, new_worksheet, output, run, signed_in
from tests.running_site import RunningSite, supervised

MEMORY = 300_000_000


@pytest.fixture(scope="module")
def site() -> Iterator[RunningSite]:
    """A site of two sessions, with limits that are soon reached and an hour of warning."""
    host.needs_sage()
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
            limits_member_runs_per_hour="3",
            limits_guest_address_runs_per_hour="2",
            embed_origins="*",
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


INTERACT = "@interact\ndef f(n=slider(1, 10, 1)):\n    print('n ' + 'is', n)"
NEXT = re.compile(r"You may run 3 cells an hour; the next at \d\d:\d\d\.")


class Member:
    """Somebody new, who has opened a worksheet."""

    def __init__(self, context: BrowserContext, site: RunningSite) -> None:
        self.name = f"Emmy-{secrets.token_hex(4)}"
        self.site = site
        self.tab = context.new_page()
        self.tab.goto(site.new_person(self.name))
        expect(editor(self.tab, 1)).to_be_visible(timeout=PATIENCE)

    def runs_again(self, number: int) -> Locator:
        editor(self.tab, number).press("Control+Enter")
        return finished(output(self.tab, number))

    def may(self, limit: str, value: str) -> None:
        self.site.run("raise-limit", self.name, limit, value, "--for", "2h", "--reason", "An exam.")


@pytest.fixture
def member(browser: Browser, site: RunningSite) -> Iterator[Member]:
    made = browser.new_context(viewport={"width": 360, "height": 740})
    made.set_default_timeout(PATIENCE)
    somebody = Member(made, site)
    yield somebody
    if "/w/" in somebody.tab.url:
        end(somebody.tab)
    made.close()


def test_a_refused_run_says_when_it_may_and_loses_nothing(member: Member) -> None:
    tab = member.tab
    finished(run(tab, 1, "print('first ' + 'output')"))
    finished(run(tab, 2, INTERACT))
    for _ in range(2):
        place = member.runs_again(1)
    cell = tab.get_by_role("region", name="Cell 1", exact=True)
    for _ in range(2):
        expect(place.get_by_text(NEXT)).to_have_count(1)
        expect(place).to_contain_text("first output")
        expect(cell).to_contain_text("refused")
        member.runs_again(1)
    interact = member.runs_again(2)  # its controls go on working
    expect(interact.get_by_text(NEXT)).to_be_visible()
    interact.get_by_role("slider").press("ArrowRight")
    expect(interact).to_contain_text("n is 2")
    tab.reload()
    expect(place).to_contain_text("first output")
    expect(place).not_to_contain_text("You may run")
    member.runs_again(1)
    expect(place.get_by_text(NEXT)).to_be_visible()

    member.may("runs_per_hour", "50")
    expect(tab.locator("#usage")).to_be_visible()
    tab.locator("#usage summary").click()
    table = tab.get_by_role("table", name="What this session uses")
    expect(table.get_by_role("row", name="runs within an hour")).to_contain_text("3 of 50")
    tab.keyboard.press("Escape")
    expect(member.runs_again(1)).to_contain_text("first output")
    expect(place).not_to_contain_text("You may run")


def test_a_visitor_of_a_cell_is_told_of_the_whole_network(
    browser: Browser, site: RunningSite
) -> None:
    context = browser.new_context()
    context.set_default_timeout(PATIENCE)
    tab = context.new_page()
    tab.goto(f"http://127.0.0.1:{site.port}/cell")
    code = tab.get_by_role("textbox", name="Code of cell 1")
    code.fill("6*7")
    place = tab.get_by_role("region", name="Output of cell 1")
    for _ in range(2):
        code.press("Control+Enter")
        expect(finished(place)).to_contain_text("42")
    code.press("Control+Enter")
    expect(place).to_contain_text(
        re.compile(r"All from your network together may run 2 cells an hour; the next at \d\d:\d\d")
    )
    expect(place).to_contain_text("42")
    context.close()


def test_the_account_page_shows_limits_and_what_is_raised(member: Member) -> None:
    tab = member.tab
    finished(run(tab, 1, "1"))
    member.may("runs_per_hour", "1000")
    member.may("network", "pypi.org:443, *.example.org:443")
    worksheet = tab.url
    tab.goto(f"http://127.0.0.1:{member.site.port}/account")
    table = tab.get_by_role("table", name="What you may use")

    def row(name: str) -> Locator:
        return table.get_by_role("row", name=name)

    expect(row("Runs within an hour")).to_contain_text("of 1,000")
    expect(row("Runs within an hour")).to_contain_text(
        re.compile(r"raised until \d+ \w+ \d{4}, \d\d:\d\d UTC: An exam\.")
    )
    expect(row("Network")).to_contain_text("pypi.org:443, *.example.org:443")
    expect(row("Memory of a session")).to_contain_text("300 MB")
    expect(row("Longest run")).to_contain_text("10 min 0 s")
    expect(row("Processor time of a session")).to_contain_text("no limit")
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    member.site.run("take-back-limit", member.name, "runs_per_hour")
    tab.reload()
    expect(row("Runs within an hour")).to_contain_text("1 of 3")
    expect(row("Runs within an hour")).not_to_contain_text("raised")
    tab.goto(worksheet)
    expect(state(tab)).to_contain_text("idle", timeout=PATIENCE)

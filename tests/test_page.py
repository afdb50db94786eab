"""The page in a real browser: what a person types, sees and never loses."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import psycopg2
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, expect, sync_playwright
from playwright.sync_api import Page as Tab

from supervisor.postgresql import database_url
from tests import host
from tests.running_site import RunningSite, kill_all

PATIENCE = 60_000  # milliseconds
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        host.missing("chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def context(browser: Browser, site: RunningSite) -> Iterator[BrowserContext]:
    """A signed-in person."""
    made = browser.new_context()
    made.set_default_timeout(PATIENCE)
    opened = made.new_page()
    opened.goto(site.new_address())
    opened.close()
    yield made
    made.close()


@pytest.fixture
def tab(context: BrowserContext, site: RunningSite) -> Tab:
    """A fresh worksheet."""
    opened = context.new_page()
    opened.goto(f"http://127.0.0.1:{site.port}/worksheets")
    opened.get_by_role("button", name="New worksheet").first.click()
    expect(editor(opened, 1)).to_be_visible(timeout=PATIENCE)
    return opened


def editor(tab: Tab, number: int) -> Locator:
    return tab.get_by_role("textbox", name=f"Code of cell {number}", exact=True)


def output(tab: Tab, number: int) -> Locator:
    return tab.get_by_role("region", name=f"Output of cell {number}", exact=True)


def run(tab: Tab, number: int, code: str, keys: str = "Shift+Enter") -> Locator:
    editor(tab, number).click()
    tab.keyboard.insert_text(code)
    tab.keyboard.press(keys)
    return output(tab, number)


def finished(place: Locator) -> None:
    expect(place).not_to_have_attribute("aria-busy", "true", timeout=PATIENCE)


def test_a_person_types_runs_and_sees_a_formula(tab: Tab) -> None:
    place = run(tab, 1, "factor(2^100-1)")
    expect(place.locator(".katex").first).to_be_visible(timeout=PATIENCE)
    expect(place).to_contain_text("268501")
    expect(editor(tab, 2)).to_be_focused()
    expect(tab.get_by_role("status").first).to_contain_text("idle")


def test_every_printed_line_is_on_the_page(tab: Tab) -> None:
    place = run(tab, 1, "for i in range(10^4): print(i)")
    expect(place).to_contain_text("9999", timeout=PATIENCE)
    finished(place)
    lines = (place.text_content() or "").split("\n")
    assert [line for line in lines if line.isdigit()][:3] == ["0", "1", "2"]
    assert sum(line.strip().isdigit() for line in lines) >= 9_999


def test_interrupt_and_go_on(tab: Tab) -> None:
    finished(run(tab, 1, "a = 42"))
    place = run(tab, 2, "while True: pass")
    expect(place).to_have_attribute("aria-busy", "true", timeout=PATIENCE)
    expect(tab.get_by_role("status").first).to_contain_text("busy", timeout=PATIENCE)
    tab.get_by_role("button", name="Interrupt").click()
    expect(place).to_contain_text("KeyboardInterrupt", timeout=PATIENCE)
    expect(run(tab, 3, "print(a)")).to_contain_text("42", timeout=PATIENCE)


def test_tab_completes(tab: Tab) -> None:
    finished(run(tab, 1, "salamander_one = salamander_two = 7"))
    editor(tab, 2).click()
    tab.keyboard.insert_text("salam")
    tab.keyboard.press("Tab")
    expect(tab.get_by_role("option", name="salamander_two")).to_be_visible(timeout=PATIENCE)
    tab.wait_for_timeout(100)  # a list that has just opened takes no keys, against mishaps
    tab.keyboard.press("Enter")
    expect(editor(tab, 2)).to_have_text("salamander_one")


def test_shift_tab_explains_and_escape_closes(tab: Tab) -> None:
    finished(run(tab, 1, "1"))
    editor(tab, 2).click()
    tab.keyboard.insert_text("factor")
    tab.keyboard.press("Shift+Tab")
    explained = tab.get_by_role("complementary", name="Help")
    expect(explained).to_contain_text("factorization", timeout=PATIENCE)
    tab.keyboard.press("Escape")
    expect(explained).to_have_count(0)


def test_a_question_is_answered_in_the_page(tab: Tab) -> None:
    place = run(tab, 1, "name = input('Your name? '); print('Hello', name)")
    answer = tab.get_by_role("textbox", name="Your name?")
    expect(answer).to_be_visible(timeout=PATIENCE)
    answer.fill("Emmy")
    answer.press("Enter")
    expect(place).to_contain_text("Hello Emmy", timeout=PATIENCE)


def test_what_waits_can_be_cancelled(tab: Tab) -> None:
    run(tab, 1, "while True: pass")
    waiting = run(tab, 2, "print('never')")
    second = tab.get_by_role("region", name="Cell 2", exact=True)
    second.get_by_role("button", name="Cancel").click()
    finished(waiting)
    expect(output(tab, 1)).to_have_attribute("aria-busy", "true")
    tab.get_by_role("button", name="Interrupt").click()
    finished(output(tab, 1))
    expect(waiting).to_be_empty()


def test_add_cell_and_restart_session(tab: Tab) -> None:
    finished(run(tab, 1, "a = 42", keys="Control+Enter"))
    tab.get_by_role("button", name="Add cell").click()
    expect(editor(tab, 2)).to_be_focused()
    tab.get_by_role("button", name="Restart session").click()
    expect(run(tab, 2, "a")).to_contain_text("NameError", timeout=PATIENCE)


def test_a_dead_session_is_told_with_its_reason(tab: Tab) -> None:
    place = run(tab, 1, "import os; os._exit(3)")
    expect(place).to_contain_text("The session ended: exit code 3", timeout=PATIENCE)
    expect(tab.get_by_role("status").first).to_contain_text("dead — exit code 3")
    expect(run(tab, 2, "1+1")).to_contain_text("2", timeout=PATIENCE)


def test_fifty_megabytes_are_cut_visibly_and_the_page_lives(tab: Tab) -> None:
    place = run(tab, 1, "for i in range(500): print('y' * 99_999)")
    expect(place).to_contain_text("Output truncated at 2 MB, the run continues", timeout=PATIENCE)
    finished(place)
    expect(run(tab, 2, "1+1")).to_contain_text("2", timeout=PATIENCE)


def test_what_cannot_be_stored_now_is_said_and_stored_later(
    tab: Tab, context: BrowserContext, site: RunningSite
) -> None:
    finished(run(tab, 1, "1"))
    notice = tab.get_by_text("saving is delayed")
    with psycopg2.connect(database_url(host.settings_in(site.data_dir))) as holder:
        holder.cursor().execute("LOCK TABLE cells")
        editor(tab, 2).click()
        tab.keyboard.insert_text("'typed meanwhile'")
        expect(notice).to_be_visible(timeout=PATIENCE)
        expect(run(tab, 1, "+1", keys="Control+Enter")).to_contain_text("2", timeout=PATIENCE)
    holder.close()
    editor(tab, 2).click()
    tab.keyboard.insert_text(" ")
    expect(notice).to_have_count(0, timeout=PATIENCE)
    other = context.new_page()
    other.goto(tab.url)
    expect(editor(other, 2)).to_have_text("'typed meanwhile' ", timeout=PATIENCE)


def test_a_closed_tab_loses_nothing(tab: Tab, context: BrowserContext) -> None:
    code = "from time import sleep as nap\nfor i in range(40): print('line', i); nap(float(0.1))"
    place = run(tab, 1, code)
    expect(place).to_contain_text("line 1", timeout=PATIENCE)
    address = tab.url
    tab.close()
    again = context.new_page()
    again.goto(address)
    place = output(again, 1)
    expect(place).to_contain_text("line 39", timeout=PATIENCE)
    text = place.text_content() or ""
    assert [text.count(f"line {i}\n") for i in range(40)] == [1] * 40


def test_two_tabs_show_the_same(tab: Tab, context: BrowserContext) -> None:
    other = context.new_page()
    other.goto(tab.url)
    expect(editor(other, 1)).to_be_visible(timeout=PATIENCE)
    run(tab, 1, "print('both')")
    expect(output(other, 1)).to_contain_text("both", timeout=PATIENCE)


def test_a_killed_app_server_is_survived_without_a_hand(tab: Tab, site: RunningSite) -> None:
    code = "from time import sleep as nap\nfor i in range(60): print('line', i); nap(float(0.1))"
    place = run(tab, 1, code)
    expect(place).to_contain_text("line 5", timeout=PATIENCE)
    kill_all(site.processes("gunicorn"))
    expect(place).to_contain_text("line 59", timeout=PATIENCE)
    finished(place)
    text = place.text_content() or ""
    assert [text.count(f"line {i}\n") for i in range(60)] == [1] * 60


def test_the_page_fits_a_phone(tab: Tab) -> None:
    finished(run(tab, 1, "factor(2^100-1)"))
    tab.set_viewport_size({"width": 360, "height": 740})
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360


def test_escape_leaves_the_editor(tab: Tab) -> None:
    editor(tab, 1).click()
    tab.keyboard.press("Escape")
    expect(editor(tab, 1)).not_to_be_focused()


def test_nothing_is_fetched_from_elsewhere(tab: Tab, site: RunningSite) -> None:
    hosts: set[str] = set()
    tab.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    tab.reload()
    expect(editor(tab, 1)).to_be_visible(timeout=PATIENCE)
    finished(run(tab, 1, "plot(sin(x), (x, 0, 1))"))
    assert hosts == {f"127.0.0.1:{site.port}"}

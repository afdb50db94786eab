"""Phones, zoom, right-to-left scripts and keyboards alone: everybody can use the pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, StorageState, expect
from playwright.sync_api import Page as Tab

from tests.browser import PATIENCE, editor, finished, new_worksheet, output, run
from tests.running_site import RunningSite

PATHS = ("/worksheets", "/account", "/status", "/cell", "/sign-in")
# Nothing on the page begins or ends beyond the window
WITHIN = """() => {
    const width = document.documentElement.clientWidth
    const beyond = [...document.querySelectorAll("body *")].filter(each => {
        if (!each.checkVisibility()) return false
        if (each.closest(".cm-editor, .output, .key-row, table, [hidden], .unseen")) return false
        const { left, right, width: own } = each.getBoundingClientRect()
        return own && (right > width + 1 || left < -1)
    })
    return beyond.slice(0, 5).map(each => each.outerHTML.slice(0, 120))
}"""


@pytest.fixture
def phone(browser: Browser, cookies: StorageState) -> Iterator[BrowserContext]:
    made = browser.new_context(
        storage_state=cookies, viewport={"width": 360, "height": 740}, has_touch=True,
        is_mobile=True,
    )  # fmt: skip
    made.set_default_timeout(PATIENCE)
    yield made
    made.close()


def test_a_phone_has_keys_for_mathematics(phone: BrowserContext, site: RunningSite) -> None:
    tab = new_worksheet(phone, site)
    row = tab.get_by_role("toolbar", name="Keys for mathematics")
    editor(tab, 1).tap()
    expect(row).to_be_visible()
    tab.keyboard.insert_text("2")
    for name in ("Power", "Opening parenthesis"):
        row.get_by_role("button", name=name).tap()
    tab.keyboard.insert_text("1")
    row.get_by_role("button", name="Left", exact=True).tap()
    row.get_by_role("button", name="Right", exact=True).tap()
    for name in ("Plus", "Opening parenthesis", "Closing parenthesis", "Closing parenthesis"):
        row.get_by_role("button", name=name).tap()
    expect(editor(tab, 1)).to_have_text("2^(1+())")
    expect(editor(tab, 1)).to_be_focused()
    row.get_by_role("button", name="Left", exact=True).tap()
    row.get_by_role("button", name="Left", exact=True).tap()
    tab.keyboard.insert_text("3")
    row.get_by_role("button", name="Run and move on").tap()
    expect(finished(output(tab, 1))).to_contain_text("16")


def test_there_is_no_such_row_where_there_is_a_mouse(tab: Tab) -> None:
    editor(tab, 1).focus()
    expect(tab.get_by_role("toolbar", name="Keys for mathematics")).to_have_count(0)


@pytest.mark.parametrize("way", ["ltr", "rtl"])
@pytest.mark.parametrize("width", [320, 360, 390, 480, 640])
def test_pages_fit_narrow_windows_and_zoom(
    context: BrowserContext, site: RunningSite, way: str, width: int
) -> None:
    """Windows of 1280 pixels at 400 % and 200 % are 320 and 640 wide; 360 has a phone."""
    tab = new_worksheet(context, site)
    tab.set_viewport_size({"width": width, "height": 700})
    finished(run(tab, 1, "print('x' * 300)\nfactor(2026)"))
    tab.evaluate("way => document.documentElement.dir = way", way)
    tab.get_by_role("button", name="Worksheet menu").click()
    assert tab.evaluate(WITHIN) == []
    tab.keyboard.press("Escape")
    for path in PATHS:
        tab.goto(f"http://127.0.0.1:{site.port}{path}")
        tab.evaluate("way => document.documentElement.dir = way", way)
        assert tab.evaluate(WITHIN) == [], path


def test_a_worksheet_by_keyboard_alone(context: BrowserContext, site: RunningSite) -> None:
    tab = context.new_page()
    tab.goto(f"http://127.0.0.1:{site.port}/worksheets")
    tab.get_by_role("button", name="New worksheet").first.focus()
    tab.keyboard.press("Enter")
    expect(editor(tab, 1)).to_be_focused(timeout=PATIENCE)
    tab.keyboard.type("1/0")
    tab.keyboard.press("Shift+Enter")
    finished(output(tab, 1))
    expect(tab.locator("#announcer")).to_contain_text("error")
    expect(editor(tab, 2)).to_be_focused()
    tab.keyboard.type("print(6*7)")
    tab.keyboard.press("Control+Enter")
    expect(finished(output(tab, 2))).to_have_text("42\n")
    expect(tab.locator("#announcer")).to_contain_text("finished")
    tab.keyboard.press("Escape")
    tab.keyboard.press("ArrowUp")
    expect(tab.get_by_role("region", name="Cell 1", exact=True)).to_be_focused()
    tab.keyboard.press("d")
    tab.keyboard.press("d")
    expect(output(tab, 2)).to_have_count(0)
    for _ in range(40):  # no trap: Tab comes to the page's menu sooner or later
        tab.keyboard.press("Shift+Tab")
        if tab.evaluate("document.activeElement.id") == "menu":
            break
    tab.keyboard.press("ArrowDown")
    expect(tab.get_by_role("menu")).to_be_visible()
    tab.keyboard.press("Escape")
    expect(tab.get_by_role("button", name="Worksheet menu")).to_be_focused()

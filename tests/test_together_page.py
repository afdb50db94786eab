"""Two pages with one worksheet, in real browsers: text, cells and cursors of the other appear."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, expect
from playwright.sync_api import Page as Tab

from tests.browser import PATIENCE, editor, type_into
from tests.test_cells_page import codes, saved


def opened(context: BrowserContext, address: str) -> Tab:
    other = context.new_page()
    other.goto(address)
    expect(editor(other, 1)).to_be_visible(timeout=PATIENCE)
    return other


def test_what_both_type_is_merged(tab: Tab, context: BrowserContext) -> None:
    type_into(tab, 1, "middle")
    saved(tab)
    other = opened(context, tab.url)
    codes(other, "middle")
    editor(tab, 1).focus()
    editor(other, 1).focus()
    tab.keyboard.press("Home")
    other.keyboard.press("End")
    for letter in "start ":
        tab.keyboard.insert_text(letter)
        other.keyboard.insert_text(letter.upper())
    for each in (tab, other):
        codes(each, "start middleSTART ")
        saved(each)
    tab.keyboard.press("Control+z")  # one's own
    codes(other, "middleSTART ")
    tab.reload()
    codes(tab, "middleSTART ")


def test_what_is_typed_offline_is_merged_later(tab: Tab, context: BrowserContext) -> None:
    type_into(tab, 1, "x = 1")
    saved(tab)
    other = opened(context, tab.url)
    codes(other, "x = 1")
    context.set_offline(True)
    for each in (tab, other):
        each.evaluate("dispatchEvent(new Event('online'))")
        expect(each.get_by_text("offline: kept in this browser")).to_have_count(0)
    editor(tab, 1).focus()
    tab.keyboard.press("End")
    tab.keyboard.insert_text("  # one")
    editor(other, 1).focus()
    other.keyboard.press("Home")
    other.keyboard.insert_text("# two\n")
    expect(tab.get_by_text("offline: kept in this browser")).to_be_visible(timeout=PATIENCE)
    context.set_offline(False)
    for each in (tab, other):
        codes(each, "# twox = 1  # one")
        saved(each)


def test_who_is_here_and_where_is_shown(tab: Tab, context: BrowserContext) -> None:
    type_into(tab, 1, "abc")
    saved(tab)
    expect(tab.get_by_role("list", name="Others")).to_be_hidden()
    other = opened(context, tab.url)
    for each in (tab, other):
        expect(each.get_by_role("list", name="Others")).to_have_text("Owner", timeout=PATIENCE)
    editor(tab, 1).focus()
    tab.keyboard.press("Home")
    tab.keyboard.press("Shift+End")
    flag = other.locator(".cursor-of-another .flag")
    expect(flag).to_have_attribute("data-name", "Owner", timeout=PATIENCE)
    expect(other.locator(".selection-of-another")).to_have_text("abc", timeout=PATIENCE)
    editor(other, 1).focus()
    other.keyboard.press("End")
    other.keyboard.insert_text("d")
    codes(tab, "abcd")
    tab.close()
    expect(flag).to_have_count(0, timeout=PATIENCE)
    expect(other.get_by_role("list", name="Others")).to_be_hidden()


def test_cells_that_come_move_and_go_appear(tab: Tab, context: BrowserContext) -> None:
    type_into(tab, 1, "one")
    saved(tab)
    other = opened(context, tab.url)
    tab.get_by_role("button", name="Add cell").click()
    tab.keyboard.insert_text("two")
    codes(other, "one", "two")
    tab.keyboard.press("Escape")
    tab.keyboard.press("Alt+ArrowUp")
    codes(other, "two", "one")
    tab.keyboard.press("Delete")
    codes(other, "one")

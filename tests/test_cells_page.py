"""Cells in a real browser: text, order, deleting and taking back, finding, titles, history."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import BrowserContext, Dialog, Locator, expect
from playwright.sync_api import Page as Tab

from tests.browser import PATIENCE, editor, finished, output, run, type_into


def cell(tab: Tab, number: int) -> Locator:
    return tab.get_by_role("region", name=f"Cell {number}", exact=True)


def codes(tab: Tab, *wanted: str) -> None:
    """Wait until these are the cells' texts, from top to bottom."""
    expect(tab.locator(".cm-content")).to_have_text(list(wanted), timeout=PATIENCE)


def saved(tab: Tab) -> None:
    expect(tab.get_by_text("saved", exact=True)).to_be_visible(timeout=PATIENCE)


@pytest.fixture
def three(tab: Tab) -> Tab:
    """A worksheet with the cells one, two and three; the last is selected."""
    type_into(tab, 1, "one")
    for number, code in ((2, "two"), (3, "three")):
        tab.get_by_role("button", name="Add cell").click()
        type_into(tab, number, code)
    tab.keyboard.press("Escape")
    codes(tab, "one", "two", "three")
    return tab


def test_text_is_shown_with_formulas_and_without_scripts(tab: Tab) -> None:
    told: list[str] = []

    def hear(dialog: Dialog) -> None:
        told.append(dialog.message)
        dialog.dismiss()

    tab.on("dialog", hear)
    tab.get_by_role("button", name="Add text").click()
    hostile = (
        "<img src=x onerror=alert(1)><script>alert(2)</script><a href='javascript:alert(3)'>x</a>"
    )
    tab.keyboard.insert_text(f"# Curves\n\nWith $y^2 = x^3$ and {hostile}")
    tab.keyboard.press("Shift+Enter")
    expect(tab.get_by_role("heading", name="Curves")).to_be_visible()
    expect(cell(tab, 2).locator(".katex")).to_have_count(1)
    assert cell(tab, 2).locator("script, [onerror], a[href^=javascript]").count() == 0
    tab.get_by_role("heading", name="Curves").dblclick()
    expect(tab.get_by_role("textbox", name="Text of cell 2")).to_be_focused()
    assert told == []


def test_cells_move_split_and_merge_and_all_of_it_is_taken_back(three: Tab) -> None:
    tab = three
    tab.keyboard.press("Alt+ArrowUp")
    codes(tab, "one", "three", "two")
    tab.keyboard.press("Enter")
    tab.keyboard.press("Home")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("Control+Shift+-")
    codes(tab, "one", "th", "ree", "two")
    tab.keyboard.press("Escape")
    tab.keyboard.press("Shift+M")
    codes(tab, "one", "th", "reetwo")
    for wanted in (["one", "th", "ree", "two"], ["one", "three", "two"], ["one", "two", "three"]):
        tab.keyboard.press("z")
        codes(tab, *wanted)
    saved(tab)
    tab.reload()
    codes(tab, "one", "two", "three")


def test_a_deleted_cell_comes_back_with_its_output_everywhere(
    tab: Tab, context: BrowserContext
) -> None:
    finished(run(tab, 1, "print('precious')"))
    other = context.new_page()
    other.goto(tab.url)
    expect(output(other, 1)).to_contain_text("precious", timeout=PATIENCE)
    cell(tab, 1).focus()
    tab.keyboard.press("d")
    tab.keyboard.press("d")
    expect(tab.get_by_text("precious")).to_have_count(0)
    expect(other.get_by_text("precious")).to_have_count(0, timeout=PATIENCE)
    tab.get_by_role("button", name="Undo").click()
    for page in (tab, other):
        expect(output(page, 1)).to_contain_text("precious", timeout=PATIENCE)
    saved(tab)
    other.reload()
    expect(output(other, 1)).to_contain_text("precious", timeout=PATIENCE)


def test_what_was_deleted_stays_away_after_a_reload(three: Tab) -> None:
    three.get_by_role("button", name="Actions of cell 2").click()
    three.get_by_role("menuitem", name="Delete").click()
    codes(three, "one", "three")
    saved(three)
    three.reload()
    codes(three, "one", "three")


def test_run_all_above_below_and_when_opened(tab: Tab) -> None:
    type_into(tab, 1, "print(6*7)")
    tab.get_by_role("button", name="Actions of cell 1").click()
    tab.get_by_role("menuitemcheckbox", name="Run when opened").click()
    tab.get_by_role("button", name="Add cell").click()
    type_into(tab, 2, "print(7*8)")
    tab.get_by_role("button", name="Run all").click()
    expect(output(tab, 2)).to_contain_text("56", timeout=PATIENCE)
    expect(output(tab, 1)).to_contain_text("42")
    tab.get_by_role("button", name="End session").click()
    expect(tab.get_by_role("status").first).to_contain_text("dead", timeout=PATIENCE)
    saved(tab)
    with tab.expect_websocket() as opened:
        tab.reload()
    sent: list[str | bytes] = []
    opened.value.on("framesent", lambda frame: sent.append(frame))
    expect(tab.get_by_role("status").first).to_contain_text("idle", timeout=PATIENCE)
    finished(output(tab, 1))
    expect(tab.get_by_role("button", name="End session")).to_be_enabled(timeout=PATIENCE)
    executed = [frame for frame in sent if isinstance(frame, bytes) and b"print(" in frame]
    assert len(executed) == 1
    assert b"6*7" in executed[0]


def test_find_and_replace(three: Tab) -> None:
    tab = three
    tab.keyboard.press("f")
    tab.get_by_role("textbox", name="Find").fill("O")
    panel = tab.get_by_role("search", name="Find and replace")
    expect(panel).to_contain_text("2 found")
    tab.keyboard.press("Enter")
    expect(panel).to_contain_text("1 of 2")
    tab.get_by_role("checkbox", name="Match case").check()
    expect(panel).to_contain_text("0 found")
    tab.get_by_role("checkbox", name="Regular expression").check()
    tab.get_by_role("textbox", name="Find").fill("([a-z])o|(hr)")
    tab.get_by_role("textbox", name="Replace with").fill("<$1$2>")
    tab.get_by_role("button", name="Replace all").click()
    codes(tab, "one", "t<w>", "t<hr>ee")
    tab.get_by_role("button", name="Undo").click()
    codes(tab, "one", "two", "three")


def test_contents_folding_line_numbers_and_help(tab: Tab) -> None:
    tab.get_by_role("button", name="Add text").click()
    tab.keyboard.insert_text("# First\n\n## Second\n\n```\n# no heading\n```")
    tab.keyboard.press("Escape")
    tab.keyboard.press("t")
    contents = tab.get_by_role("navigation", name="Contents")
    expect(contents.get_by_role("listitem")).to_have_text(["First", "Second"])
    contents.get_by_role("button", name="Second").click()
    expect(cell(tab, 2)).to_be_focused()
    tab.keyboard.press("h")
    expect(tab.get_by_role("dialog", name="Keyboard help")).to_be_visible()
    tab.keyboard.press("Escape")
    type_into(tab, 1, "a = 1\nb = 2")
    tab.keyboard.press("Escape")
    tab.keyboard.press("l")
    expect(cell(tab, 1).locator(".cm-lineNumbers")).to_contain_text("2")
    tab.keyboard.press("o")
    expect(editor(tab, 1)).to_be_hidden()
    expect(cell(tab, 1)).to_contain_text("a = 1")


def test_output_is_folded_and_shown_again(tab: Tab) -> None:
    expect(finished(run(tab, 1, "print('long')"))).to_contain_text("long")
    cell(tab, 1).focus()
    tab.keyboard.press("Shift+O")
    expect(output(tab, 1)).to_be_hidden()
    saved(tab)
    tab.reload()
    show = tab.get_by_role("button", name="Show the output of cell 1")
    expect(show).to_be_visible()
    expect(output(tab, 1)).to_be_hidden()
    type_into(tab, 1, "; name = input('Who? ')")
    tab.keyboard.press("Control+Enter")
    tab.get_by_role("textbox", name="Who?").fill("Emmy")  # whoever is asked sees that
    tab.keyboard.press("Enter")
    expect(show).to_be_visible(timeout=PATIENCE)
    show.click()
    expect(output(tab, 1)).to_contain_text("Emmy")
    cell(tab, 1).get_by_role("button", name="Actions of cell 1").click()
    tab.get_by_role("menuitemcheckbox", name="Fold the output").click()
    expect(output(tab, 1)).to_be_hidden()


@pytest.mark.parametrize(
    ("pasted", "code"),
    [
        ("sage: a = 1\nsage: a + 1\n2\n", "a = 1a + 1"),
        (">>> def f():\n...     return 1\n>>> f()\n1", "def f():    return 1f()"),
        ("print('sage: ')", "print('sage: ')"),
        ("    sage: f = 1\n    sage: if f:\n    ....:     2\n    2\n", "f = 1if f:    2"),
        ("\nsage: 1/0\nTraceback (most recent call last):\n...\nsage: 2\n", "1/02"),
        ("In [1]: a = 1\n   ...: b = 2\nOut[1]: 2", "a = 1b = 2"),
    ],
)
def test_pasted_prompts_are_taken_away(tab: Tab, pasted: str, code: str) -> None:
    editor(tab, 1).focus()
    tab.evaluate(
        """text => {
            const data = new DataTransfer()
            data.setData("text/plain", text)
            const paste = { clipboardData: data, bubbles: true, cancelable: true }
            document.activeElement.dispatchEvent(new ClipboardEvent("paste", paste))
        }""",
        pasted,
    )
    expect(editor(tab, 1)).to_have_text(code)


def test_the_bracket_that_belongs_to_one_at_the_cursor_is_marked(tab: Tab) -> None:
    type_into(tab, 1, "f((1, 2), [3])")
    marked = editor(tab, 1).locator(".cm-matchingBracket")
    expect(marked).to_have_text(["(", ")"])  # the outermost
    tab.keyboard.press("ArrowLeft")
    expect(marked).to_have_text(["[", "]"])
    tab.keyboard.press("Home")
    expect(marked).to_have_count(0)


def test_a_title_is_changed_in_place_and_seen_by_others(tab: Tab, context: BrowserContext) -> None:
    other = context.new_page()
    other.goto(tab.url)
    expect(editor(other, 1)).to_be_visible(timeout=PATIENCE)
    tab.get_by_role("textbox", name="Title").fill("Prime numbers")
    tab.keyboard.press("Enter")
    saved(tab)
    expect(other.get_by_role("textbox", name="Title")).to_have_value("Prime numbers")
    expect(other).to_have_title("Prime numbers")


def test_what_is_typed_and_deleted_offline_is_kept_and_saved_later(
    three: Tab, context: BrowserContext
) -> None:
    tab = three
    saved(tab)
    address = tab.url
    context.set_offline(True)
    tab.evaluate("dispatchEvent(new Event('online'))")  # have it look at its connection now
    tab.keyboard.press("Delete")
    type_into(tab, 1, "!")
    expect(tab.get_by_text("offline: kept in this browser")).to_be_visible(timeout=PATIENCE)
    tab.close()
    context.set_offline(False)
    again = context.new_page()
    again.goto(address)
    codes(again, "one!", "two")
    saved(again)


def test_a_worksheet_in_the_trash_takes_nothing_in_and_all_once_it_is_restored(
    three: Tab, context: BrowserContext
) -> None:
    tab, other = three, context.new_page()
    saved(tab)
    address = tab.url
    other.goto(address)
    do(other, f"{address}/trash")
    notice = tab.get_by_text("the worksheet is in the trash, from where it can be restored")
    expect(notice).to_be_visible(timeout=PATIENCE)
    type_into(tab, 1, "!")
    expect(tab.get_by_text("not saved yet: kept in this browser")).to_be_visible()
    other.close()
    tab.evaluate("dispatchEvent(new Event('online'))")  # it may come back meanwhile, too
    other = context.new_page()
    other.goto(address)
    expect(other).to_have_url(re.compile("trash"))
    do(other, f"{address}/restore")
    expect(notice).to_be_hidden(timeout=PATIENCE)
    saved(tab)
    other.goto(address)
    codes(other, "one!", "two", "three")
    expect(tab.get_by_role("status").first).to_contain_text("idle", timeout=PATIENCE)
    do(other, f"{address}/trash")
    do(other, f"{address}/purge")
    expect(tab.get_by_text("This worksheet was deleted for ever.")).to_be_visible(timeout=PATIENCE)
    codes(tab, "one!", "two", "three")


def do(tab: Tab, address: str) -> None:
    """Send a form of no fields from another page of the site."""
    send = "address => fetch(address, { method: 'POST' }).then(answer => answer.ok)"
    assert tab.evaluate(send, address)


PASTE = """() => {
    const clipboardData = new DataTransfer()
    clipboardData.setData("text/plain", "x = 1 # äöü 😀\\n".repeat(100000))
    const paste = new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true })
    document.activeElement.dispatchEvent(paste)
}"""


def test_what_is_too_large_is_told_where_it_is_and_can_be_taken_back(
    three: Tab, context: BrowserContext
) -> None:
    tab = three
    saved(tab)
    editor(tab, 2).focus()
    tab.evaluate(PASTE)
    expect(cell(tab, 2)).to_contain_text("This is too large", timeout=PATIENCE)
    expect(tab.get_by_text("not saved yet: kept in this browser")).to_be_visible()
    tab.keyboard.press("Control+Enter")
    expect(output(tab, 2)).to_contain_text("This is too large")
    # The connection and all other cells go on
    finished(run(tab, 1, "!", keys="Control+Enter"))
    expect(output(tab, 1)).to_contain_text("SyntaxError")
    expect(tab.get_by_role("status").first).to_contain_text("idle", timeout=PATIENCE)
    editor(tab, 2).focus()
    tab.keyboard.press("Control+z")
    codes(tab, "one!", "two", "three")
    saved(tab)
    other = context.new_page()
    other.goto(tab.url)
    codes(other, "one!", "two", "three")


def test_the_slider_goes_back_and_a_version_is_restored(three: Tab) -> None:
    saved(three)
    address = three.url
    three.wait_for_timeout(5500)  # a pause that ends a moment: changes.PAUSE
    three.keyboard.press("Delete")
    codes(three, "one", "two")
    saved(three)
    three.goto(f"{address}/history")
    expect(three.get_by_role("slider", name="Moment")).to_be_visible()
    revision = three.get_by_role("region", name="The worksheet as it was")
    expect(revision).to_contain_text("This is what it is now")
    three.get_by_role("slider", name="Moment").focus()
    three.keyboard.press("ArrowLeft")
    expect(revision).not_to_contain_text("deleted")
    three.get_by_role("button", name="Restore this version").click()
    codes(three, "one", "two", "three")

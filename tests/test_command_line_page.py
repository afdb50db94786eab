"""The command line page in a real browser: one prompt below the other."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Locator, WebSocketRoute, expect
from playwright.sync_api import Page as Tab

from app.sage.statements import is_complete
from tests.browser import PATIENCE, editor, finished, output
from tests.running_site import RunningSite

STATEMENTS = (
    "1 + 1", "", "   ", "# words", "factor?", "!ls", "%time 1", "x = (1,", "x = (1,\n2)",
    "[1, 2", "{'a': '}'", "'''long", "'''long\nend'''", "'short", 'f"{1}"', "a = 'it\\'s'",
    "'''a\\'''", "for i in range(3):", "for i in range(3): # all", "if x:\n    1",
    "if x:\n    1\n", "if x:\n    1\nelse:", "@interact", "@interact\ndef f(n=(1, 9)):",
    "def f():\n    return 1\n    ", "a = 1 + \\", "a = 1 + \\\n2", "print(')')",
    "%%gap\n1", "%%gap\n1\n", "f(x) = x^2", "R.<a> = QQ[]", "x = 1  # (not open",
)  # fmt: skip


@pytest.fixture
def console(context: BrowserContext, site: RunningSite) -> Tab:
    """A fresh command line: that of a worksheet without cells."""
    opened = context.new_page()
    opened.goto(f"http://127.0.0.1:{site.port}/worksheets")
    opened.get_by_role("button", name="New worksheet").click()
    opened.goto(f"{opened.url}/console")
    expect(line(opened)).to_be_focused(timeout=PATIENCE)
    return opened


def line(tab: Tab) -> Locator:
    return tab.get_by_role("textbox", name="Command line", exact=True)


def enter(tab: Tab, text: str) -> None:
    tab.keyboard.insert_text(text)
    tab.keyboard.press("Enter")


def test_what_is_entered_runs_above_the_prompt_and_is_kept(console: Tab) -> None:
    enter(console, "a = 6")
    enter(console, "a * 7")
    expect(output(console, 2)).to_contain_text("42", timeout=PATIENCE)
    expect(line(console)).to_be_focused()
    expect(line(console)).to_have_text("")
    expect(console.get_by_text("saved", exact=True)).to_be_visible(timeout=PATIENCE)
    console.reload()
    expect(output(console, 2)).to_contain_text("42", timeout=PATIENCE)
    enter(console, "a + 1")  # the session is the worksheet's
    expect(output(console, 3)).to_contain_text("7", timeout=PATIENCE)
    console.get_by_role("button", name="Worksheet menu").click()
    console.get_by_role("menuitem", name="Show as a worksheet").click()
    expect(editor(console, 2)).to_have_text("a * 7", timeout=PATIENCE)
    expect(output(console, 3)).to_contain_text("7", timeout=PATIENCE)


def test_arrow_keys_go_through_what_was_entered(console: Tab) -> None:
    for text in ("a = 1", "b = 2", "b = 2", "a + b"):
        enter(console, text)
    expect(output(console, 4)).to_contain_text("3", timeout=PATIENCE)
    console.keyboard.insert_text("x")
    console.keyboard.press("Backspace")
    for wanted in ("a + b", "b = 2", "a = 1", "a = 1"):
        console.keyboard.press("ArrowUp")
        expect(line(console)).to_have_text(wanted)
    for wanted in ("b = 2", "a + b", ""):
        console.keyboard.press("ArrowDown")
        expect(line(console)).to_have_text(wanted)
    console.keyboard.insert_text("a ")
    console.keyboard.press("ArrowUp")
    console.keyboard.press("ArrowUp")
    expect(line(console)).to_have_text("a = 1")  # begins like what was typed
    console.keyboard.press("ArrowDown")
    console.keyboard.press("ArrowDown")
    expect(line(console)).to_have_text("a ")


def test_enter_goes_on_with_what_is_not_complete(console: Tab) -> None:
    enter(console, "for i in range(2):")
    enter(console, "print('line', i)")
    expect(line(console)).to_contain_text("print")
    console.keyboard.press("Enter")
    expect(output(console, 1)).to_contain_text("line 1", timeout=PATIENCE)
    console.keyboard.press("ArrowUp")
    expect(line(console).locator(".cm-line")).to_have_count(2)


def test_what_is_not_entered_yet_is_kept_and_ctrl_c_interrupts(console: Tab) -> None:
    enter(console, "while True: pass")
    endless = output(console, 1)
    expect(console.get_by_role("status").first).to_contain_text("busy", timeout=PATIENCE)
    console.keyboard.insert_text("factor(20")
    console.keyboard.press("Control+c")
    expect(finished(endless)).to_contain_text("KeyboardInterrupt", timeout=PATIENCE)
    console.reload()
    expect(line(console)).to_have_text("factor(20", timeout=PATIENCE)


def test_the_keyboard_reaches_the_cells_above_and_comes_back(console: Tab) -> None:
    enter(console, "factor(2026)")
    finished(output(console, 1))
    console.keyboard.press("Escape")
    expect(console.get_by_role("region", name="Prompt")).to_be_focused()
    console.keyboard.press("ArrowUp")
    expect(console.get_by_role("region", name="Cell 1", exact=True)).to_be_focused()
    console.keyboard.press("ArrowDown")
    console.keyboard.press("Enter")
    expect(line(console)).to_be_focused()


def test_what_is_entered_before_the_worksheet_is_there_runs_when_it_is(console: Tab) -> None:
    enter(console, "a = 1")
    finished(output(console, 1))
    cut: list[WebSocketRoute] = []

    def cut_once(socket: WebSocketRoute) -> None:
        if cut:
            socket.connect_to_server()
        cut.append(socket)

    console.route_web_socket("**/socket/*", cut_once)  # nothing comes
    console.reload()
    line(console).focus()
    console.keyboard.insert_text("a + 1")
    console.keyboard.press("Enter")
    prompt = console.get_by_role("region", name="Prompt")
    expect(prompt).to_contain_text("runs as soon as it is")
    expect(line(console)).to_have_text("a + 1")
    console.keyboard.insert_text("00")
    expect(prompt).not_to_contain_text("runs as soon as it is")  # it is being changed
    console.keyboard.press("Enter")
    cut[0].close()
    expect(finished(output(console, 2))).to_contain_text("101", timeout=PATIENCE)
    expect(line(console)).to_have_text("")


def test_the_site_leads_to_one_command_line(context: BrowserContext, site: RunningSite) -> None:
    tab = context.new_page()
    found = set()
    for _ in range(2):
        tab.goto(f"http://127.0.0.1:{site.port}/worksheets")
        tab.get_by_role("link", name="Command line").first.click()
        expect(line(tab)).to_be_focused(timeout=PATIENCE)
        found.add(tab.url)
    assert len(found) == 1


def test_what_is_complete_is_so_here_as_in_a_terminal(console: Tab) -> None:
    module = console.evaluate(
        "performance.getEntriesByType('resource').map(each => each.name)"
        ".find(each => each.endsWith('/js/statements.js'))"
    )
    found = console.evaluate(
        "async ([module, all]) => { const { isComplete } = await import(module);"
        " return all.map(isComplete) }",
        [module, list(STATEMENTS)],
    )
    wanted = {text: is_complete(text) for text in STATEMENTS}
    assert dict(zip(STATEMENTS, found, strict=True)) == wanted

"""Help inside, in a real browser: examples by subject, and the first worksheet."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, Dialog, Locator, expect
from playwright.sync_api import Page as Tab

from tests.browser import PATIENCE, editor, finished, output, run
from tests.running_site import RunningSite


def panel(tab: Tab) -> Locator:
    return tab.get_by_role("complementary", name="Examples")


def search(tab: Tab, words: str) -> Locator:
    """What is found; the panel is open."""
    tab.get_by_role("searchbox", name="Search examples").fill(words)
    return panel(tab).get_by_role("article")


def test_an_example_is_found_inserted_and_run(tab: Tab) -> None:
    tab.get_by_role("button", name="Examples").click()
    panel(tab).get_by_text("Calculus", exact=True).click()
    expect(panel(tab).get_by_role("article", name="Derivative", exact=True)).to_be_visible()
    found = search(tab, "PRIMES factor integer")
    expect(found).to_have_count(1)
    expect(panel(tab).get_by_role("status")).to_have_text("1 example")
    found.get_by_role("button", name="Insert").click()
    expect(editor(tab, 1)).to_have_text("factor(2^64 - 1)")  # the cell was empty
    search(tab, "bézout").get_by_role("button", name="Run").click()
    expect(finished(output(tab, 2))).to_contain_text("True", timeout=PATIENCE)
    search(tab, "nothing like this")
    expect(panel(tab).get_by_role("status")).to_have_text("0 examples")


def test_the_keyboard_opens_and_closes_the_examples_and_goes_on_where_it_was(tab: Tab) -> None:
    run(tab, 1, "a = 1")
    tab.get_by_role("region", name="Cell 1", exact=True).focus()
    tab.keyboard.press("e")
    expect(tab.get_by_role("searchbox", name="Search examples")).to_be_focused()
    expect(search(tab, "jordan")).to_have_count(1)
    tab.keyboard.press("Tab")
    for _ in range(5):
        if "Insert" in (tab.evaluate("document.activeElement.ariaLabel") or ""):
            break
        tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("region", name="Cell 2", exact=True)).to_be_focused()
    expect(editor(tab, 2)).to_contain_text("jordan_form")
    tab.get_by_role("searchbox", name="Search examples").focus()
    tab.keyboard.press("Escape")
    expect(panel(tab)).to_be_hidden()
    expect(tab.get_by_role("region", name="Cell 2", exact=True)).to_be_focused()


def test_a_name_of_sage_is_explained(tab: Tab) -> None:
    tab.get_by_role("button", name="Examples").click()
    search(tab, "euler_phi")
    panel(tab).get_by_role("button", name="What is euler_phi?").click()
    help = panel(tab).get_by_role("complementary", name="Help")
    expect(help).to_contain_text("Euler phi function", timeout=PATIENCE)
    tab.keyboard.press("Escape")
    expect(help).to_have_count(0)


def test_examples_run_at_the_command_line(tab: Tab) -> None:
    tab.goto(f"{tab.url}/console")
    tab.get_by_role("button", name="Examples").click()
    search(tab, "jordan").get_by_role("button", name="Run").click()
    expect(output(tab, 1)).to_contain_text("2", timeout=PATIENCE)


def test_the_first_worksheet_is_opened_from_the_list(
    context: BrowserContext, site: RunningSite
) -> None:
    tab = context.new_page()
    tab.goto(f"http://127.0.0.1:{site.port}/worksheets")
    tab.get_by_role("button", name="First steps", exact=True).click()
    expect(tab.get_by_role("heading", name="First steps", exact=True)).to_be_visible(
        timeout=PATIENCE
    )
    expect(tab.get_by_role("textbox", name="Title")).to_have_value("First steps")
    editor(tab, 2).focus()
    tab.keyboard.press("Shift+Enter")
    expect(output(tab, 2)).to_contain_text("4", timeout=PATIENCE)


def test_help_is_readable_and_its_examples_are_tried_out(tab: Tab) -> None:
    editor(tab, 1).focus()
    tab.keyboard.insert_text("zeta")
    tab.keyboard.press("Shift+Tab")
    help = tab.get_by_role("complementary", name="Help")
    expect(help.get_by_text("EXAMPLES")).to_be_visible(timeout=PATIENCE)
    expect(help.locator(".katex").first).to_be_visible()
    expect(help).not_to_contain_text("::")
    help.get_by_role("button", name="Try it").first.click()
    expect(editor(tab, 2)).to_be_focused()
    expect(editor(tab, 2)).not_to_contain_text("sage:")
    expect(editor(tab, 2)).to_contain_text("zeta")


def test_help_that_means_harm_does_none(tab: Tab) -> None:
    """A session may say anything: it runs the code of whoever has the worksheet, too."""
    told: list[str] = []

    def hear(dialog: Dialog) -> None:
        told.append(dialog.message)
        dialog.dismiss()

    tab.on("dialog", hear)
    hostile = (
        "<p>shown<img src=x onerror=alert(1)><script>alert(2)</script><a href='javascript:alert(3)'"
        " id=sheet>x</a><form action=/w><button>Run all</button></form><style>*{color:red}</style>"
    )
    harm = f"explained = lambda *given, **named: {hostile!r}"
    finished(run(tab, 1, f"import sys; sys.modules['app.sage.documentation'].{harm}"))
    editor(tab, 2).focus()
    tab.keyboard.insert_text("factor")
    tab.keyboard.press("Shift+Tab")
    help = tab.get_by_role("complementary", name="Help")
    expect(help).to_contain_text("shown", timeout=PATIENCE)
    for element in ("script", "img", "[onerror]", "form", "style", "[href^=javascript]", "#sheet"):
        expect(help.locator(element)).to_have_count(0)
    assert told == []

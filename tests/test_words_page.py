"""Every view in a language of accents: what has none is not translated.

The language is called Greek, so that dates and figures, too, show whether they follow it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.frontend import CommandLineInterface
from babel.messages.pofile import read_po
from playwright.sync_api import Browser, BrowserContext, Locator, expect
from playwright.sync_api import Page as Tab

from app import words
from app.said import SAID
from app.settings import ROOT
from tests import host, pseudo_language
from tests.browser import PATIENCE, signed_in
from tests.pseudo_language import pseudo
from tests.running_site import RunningSite, supervised

CELLS = (
    "1/0",
    "print('%s' % 1); open('a.txt', 'w').write('1'); plot(sin)",
    "@interact\ndef f(n=slider(1, 9, 1), r=range_slider(1, 9), c=Color('red'),\n"
    "      g=input_grid(1, 2)):\n    print(n)",
    "for i in range(3000): print(i)",
    "for i in range(600): show(i)",
    "input()",
    "import os; os.abort()",
)
# Names and units that are no words of ours, and what people and tests have called things.
NAMES = r"""
    Salvus Dropbox SageMath Python SymPy Sage Owner Untitled kB KB MB GB TB MiB JavaScript Markdown
    UTC Linux Chrome [A-Z0-9]{4}-[A-Z0-9]{4}
    [\w-]+\.(ipynb|sagews|sage|py|html|md|txt|csv) https?://\S+ /p/\S+
    HeadlessChrome SIGABRT “[^”]*”
"""
# What is in other languages than the page's: programs, formulas, names, and parts that say so.
FOREIGN = """script, style, noscript, code, pre, kbd, svg, .katex, .cm-line, .image,
    [lang=en], [translate=no]"""
PLAIN = """([foreign, names]) => {
    const known = new RegExp(names, "g")
    const found = new Set()
    const look = (text, element) => {
        if (!text || element.closest(foreign)) return
        if (/[A-Za-z]{2,}/.test(text.replace(known, ""))) found.add(text.trim().slice(0, 100))
    }
    const walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT)
    while (walker.nextNode()) look(walker.currentNode.data, walker.currentNode.parentElement)
    for (const element of document.querySelectorAll("*")) {
        for (const name of ["aria-label", "title", "placeholder", "alt", "data-label"]) {
            look(element.getAttribute(name), element)
        }
    }
    return [...found]
}"""


@pytest.fixture(scope="module")
def foreign() -> Iterator[RunningSite]:
    """A site that speaks the language of accents."""
    with host.short_folder() as folder:
        pseudo_language.write(folder, "el")
        running = supervised(
            folder,
            site_language="el", site_translations=str(folder), sign_in_guests="true",
            embed_origins="*", providers_dropbox_id="1", providers_dropbox_secret="2",
            limits_memory="1500000000", limits_sessions="100",
        )  # fmt: skip
        running.start()
        yield running
        running.stop()


@pytest.fixture(scope="module")
def person(browser: Browser, foreign: RunningSite) -> Iterator[BrowserContext]:
    with signed_in(browser, foreign) as context:
        yield context


def plain(tab: Tab) -> list[str]:
    """What the page says that is not translated."""
    names = "|".join(rf"(?<!\w){name}(?!\w)" for name in NAMES.split())
    found: list[str] = tab.evaluate(PLAIN, [FOREIGN, names])
    return found


def named(text: str, **values: object) -> str:
    """A text of scripts as the page says it."""
    return re.sub(r"\{(\w+)\}", lambda place: str(values[place[1]]), pseudo(text))


def address(site: RunningSite, path: str) -> str:
    return f"http://127.0.0.1:{site.port}{path}"


def editor(tab: Tab, number: int) -> Locator:
    return tab.get_by_label(named("Code of cell {number}", number=number), exact=True)


def enter(tab: Tab, number: int, code: str) -> Locator:
    """Run `code` in a cell; its output."""
    editor(tab, number).focus()
    tab.keyboard.insert_text(code)
    tab.keyboard.press("Shift+Enter")
    return tab.get_by_label(named("Output of cell {number}", number=number), exact=True)


def opened(context: BrowserContext, site: RunningSite) -> Tab:
    """A fresh worksheet."""
    tab = context.new_page()
    tab.goto(address(site, "/worksheets"))
    tab.locator("form[action='/worksheets'] button.primary").click()
    expect(editor(tab, 1)).to_be_visible(timeout=PATIENCE)
    return tab


def test_the_template_has_all_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = (ROOT / "Makefile").read_text()
    command = re.search(r"pybabel (-q extract.*?)-o \S+ \.\n", recipe, re.S)
    assert command
    arguments = [word.strip("'") for word in re.findall(r"'[^']*'|[^\s\\]+", command[1])]
    monkeypatch.chdir(ROOT)
    CommandLineInterface().run(  # type: ignore[no-untyped-call]
        ["pybabel", *arguments, "-o", str(tmp_path / "found.pot"), "."]
    )
    with open(tmp_path / "found.pot", "rb") as fresh, open(words.TEMPLATE, "rb") as kept:
        missing = {message.id for message in read_po(fresh)} ^ {
            message.id for message in read_po(kept)
        }
    assert not missing, "`make words` has not been run"


@pytest.mark.parametrize(
    "path",
    ["/worksheets", "/worksheets?trash", "/worksheets?q=12345", "/account", "/status", "/nowhere",
     "/cell", "/console", "/join", "/join/wrong", "/administration", "/administration/audit",
     "/administration/sessions", "/administration/invitations", "/classes", "/dropbox"],
)  # fmt: skip
def test_pages(person: BrowserContext, foreign: RunningSite, path: str) -> None:
    tab = person.new_page()
    tab.goto(address(foreign, path))
    assert tab.locator("html").get_attribute("lang") == "el"
    assert plain(tab) == []
    tab.close()


@pytest.mark.parametrize("path", ["/", "/sign-in", "/join", "/join/wrong", "/embed", "/p/wrong"])
def test_pages_of_strangers(browser: Browser, foreign: RunningSite, path: str) -> None:
    context = browser.new_context()
    tab = context.new_page()
    tab.goto(address(foreign, path))
    assert plain(tab) == []
    context.close()


def test_what_a_sign_in_is_told(browser: Browser, foreign: RunningSite) -> None:
    context = browser.new_context()
    tab = context.new_page()
    tab.goto(address(foreign, "/sign-in"))
    tab.locator("input[name=login]").fill("007")
    tab.locator("input[name=password]").fill("1234567890")
    tab.locator("form[action='/sign-in'] button").click()
    expect(tab.get_by_role("alert")).to_be_visible()
    assert plain(tab) == []
    tab.locator("form[action='/sign-in/guest'] button").click()
    expect(editor(tab, 1)).to_be_visible(timeout=PATIENCE)
    tab.goto(address(foreign, "/status"))
    assert plain(tab) == []
    tab.goto(address(foreign, "/account"))
    context.close()


def test_what_an_account_is_told(person: BrowserContext, foreign: RunningSite) -> None:
    tab = person.new_page()
    tab.goto(address(foreign, "/account"))
    tab.locator("input[name=login]").fill("1 2")
    tab.locator("input[name=password]").fill("1234567890")
    tab.locator("form[action='/account/password'] button").click()
    expect(tab.get_by_role("alert")).to_have_text(
        pseudo("The name to sign in by has 1 to 100 letters, digits or . @ + - _")
    )
    assert plain(tab) == []
    tab.close()


def test_a_worksheet(person: BrowserContext, foreign: RunningSite) -> None:
    tab = opened(person, foreign)
    found = {"a fresh one": plain(tab)}
    for number, code in enumerate(CELLS, start=1):
        output = enter(tab, number, code)
        if code == "input()":
            expect(output.get_by_role("textbox")).to_be_visible(timeout=PATIENCE)
            found["a question"] = plain(tab)
            output.get_by_role("textbox").fill("1")
            tab.keyboard.press("Enter")
        expect(output).not_to_have_attribute("aria-busy", "true", timeout=PATIENCE)
        expect(output).not_to_be_empty()
        found[code] = plain(tab)
    tab.locator("#menu").click()
    found["its menu"] = plain(tab)
    tab.keyboard.press("Escape")
    tab.locator(".cell .dots").first.click()
    found["a cell's menu"] = plain(tab)
    tab.keyboard.press("Escape")
    for key in ("h", "f", "t"):
        tab.locator(".cell").first.focus()
        tab.keyboard.press(key)
        found[f"what the key {key} shows"] = plain(tab)
        tab.keyboard.press("Escape")
    assert not {what: texts for what, texts in found.items() if texts}
    tab.close()


def test_its_panels(person: BrowserContext, foreign: RunningSite) -> None:
    tab = opened(person, foreign)
    tab.locator("#menu").click()
    tab.get_by_role("menuitemcheckbox", name=pseudo("Files"), exact=True).click()
    expect(tab.locator("#folder .none")).to_be_visible()
    assert plain(tab) == []
    tab.locator("#folder input[type=file]").set_input_files(
        {"name": "a.txt", "mimeType": "text/plain", "buffer": b"1"}
    )
    expect(tab.locator("#folder .list a")).to_have_text("a.txt")
    assert plain(tab) == []
    tab.locator("#folder .close").click()
    tab.locator("#examples").click()
    expect(tab.locator("#guide details").first).to_be_attached()
    assert plain(tab) == []
    tab.locator("#guide input[type=search]").fill("x")
    expect(tab.locator("#guide article button").first).to_be_visible()
    assert plain(tab) == []
    tab.close()


def test_what_leads_on_from_a_worksheet(person: BrowserContext, foreign: RunningSite) -> None:
    tab = opened(person, foreign)
    enter(tab, 1, "2")
    expect(tab.locator("#saved")).to_have_text(pseudo("saved"))
    worksheet = tab.url
    for path in ("/history", "/share", "/console"):
        tab.goto(worksheet + path)
        assert plain(tab) == [], path
    tab.goto(worksheet + "/share")
    tab.locator("form.stack button.primary").click()
    expect(tab.locator("a[href^='/p/']")).to_be_visible()
    assert plain(tab) == []
    tab.locator("a[href^='/p/']").click()
    expect(tab.locator("footer")).to_be_visible()
    assert plain(tab) == []
    tab.goto(worksheet)
    tab.close()


def test_people_and_classes(person: BrowserContext, browser: Browser, foreign: RunningSite) -> None:
    tab = person.new_page()
    tab.goto(address(foreign, "/administration"))
    tab.locator("a[href^='/administration/people/']").first.click()
    expect(tab.locator("h1")).to_be_visible()
    found = {"a person": plain(tab)}
    tab.goto(address(foreign, "/classes"))
    tab.locator("form[action='/classes'] input[name=title]").fill("2026")
    tab.locator("form[action='/classes'] button").click()
    tab.locator("form[action$='/codes'] button").click()
    code = tab.locator("a.code")
    expect(code).to_be_visible()
    found["a class"] = plain(tab)
    invitation = code.get_attribute("href")
    with signed_in(browser, foreign) as other:
        stranger = other.new_page()
        stranger.context.clear_cookies()
        stranger.goto(address(foreign, str(invitation)))
        expect(stranger.locator("input[name=login]")).to_be_visible()
        found["the code of a class"] = plain(stranger)
        stranger.locator("input[name=name]").fill("007")
        stranger.locator("input[name=login]").fill("007")
        stranger.locator("input[name=password]").fill("1234567890 007")
        stranger.locator("form.fields button").click()
        expect(stranger.locator("h1")).to_have_text("2026")
        found["a class that one attends"] = plain(stranger)
    tab.reload()
    found["a class with a student"] = plain(tab)
    assert not {what: texts for what, texts in found.items() if texts}
    tab.close()


@pytest.mark.parametrize("path", ["/worksheets", "/account", "/status", "/administration"])
def test_from_right_to_left_nothing_sticks_out(
    person: BrowserContext, foreign: RunningSite, path: str
) -> None:
    tab = person.new_page()
    tab.set_viewport_size({"width": 360, "height": 740})
    tab.goto(address(foreign, path))
    tab.locator("html").evaluate("html => html.dir = 'rtl'")
    wide: int = tab.evaluate("document.documentElement.scrollWidth")
    assert wide <= 360
    tab.close()


def test_what_the_audit_log_says_is_known() -> None:
    sources = [path.read_text() for path in (ROOT / "app").rglob("*.py")]
    actions = {found for text in sources for found in re.findall(r'\baction="([a-z][^"]+)"', text)}
    assert len(actions) > 10
    assert actions <= set(SAID), "app/said.py lacks what is added to the audit log"

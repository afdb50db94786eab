"""Every main view by axe-core: no violations, in light and dark."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, StorageState, expect
from playwright.sync_api import Page as Tab

from tests.browser import PATIENCE, editor, finished, new_worksheet, output
from tests.classroom import Classroom
from tests.running_site import RunningSite

CELLS = (
    "factor(2026); print('text'); 1/0",
    "plot(sin)",
    "table([[1, 2], [3, 4]], header_row=['a', 'b'])",
    "@interact\ndef f(n=slider(1, 9, 1), colour=['red', 'blue'], on=True, text=input_box('x')):\n"
    "    print(n)",
    "integrate(x^2, x)",
    "open('a.txt', 'w').write('1'); print(input('Name? '))",
)


def check(tab: Tab) -> None:
    found = Axe().run(tab)
    told = [
        f"{each['id']}: {each['help']}\n  "
        + "\n  ".join(f"{node['target']} {node['html'][:150]}" for node in each["nodes"][:4])
        for each in found.response["violations"]
    ]
    assert not told, "\n".join(told)


@pytest.fixture(params=["light", "dark"])
def view(
    request: pytest.FixtureRequest, browser: Browser, cookies: StorageState
) -> Iterator[BrowserContext]:
    made = browser.new_context(storage_state=cookies, color_scheme=request.param)
    made.set_default_timeout(PATIENCE)
    yield made
    made.close()


def address(site: RunningSite, path: str) -> str:
    return f"http://127.0.0.1:{site.port}{path}"


@pytest.mark.parametrize(
    "path",
    ["/worksheets", "/worksheets?trash=1", "/account", "/status", "/nowhere", "/cell",
     "/administration", "/administration/audit", "/administration/sessions",
     "/administration/invitations"],
)  # fmt: skip
def test_pages(view: BrowserContext, site: RunningSite, path: str) -> None:
    tab = view.new_page()
    tab.goto(address(site, path))
    check(tab)


def test_the_page_of_a_person(view: BrowserContext, site: RunningSite) -> None:
    tab = view.new_page()
    tab.goto(address(site, "/administration"))
    tab.get_by_role("link", name="Owner").click()
    expect(tab.get_by_role("heading", name="Owner")).to_be_visible()
    check(tab)


def test_classes(view: BrowserContext, site: RunningSite) -> None:
    room = Classroom(site)
    tab = view.new_page()
    for path in ("/classes", room.path, room.handout, room.copy):
        tab.goto(address(site, path))
        expect(tab.get_by_role("heading", level=1)).to_be_visible()
        check(tab)
    view.clear_cookies()
    for cookie in room.ada.http.cookies:
        view.add_cookies(
            [{"name": cookie.name, "value": cookie.value or "", "url": address(site, "/")}]
        )
    for path in ("/classes", f"/join/{room.code}", room.path, room.copy):
        tab.goto(address(site, path))
        check(tab)


def test_pages_of_strangers(browser: Browser, site: RunningSite) -> None:
    made = browser.new_context()
    tab = made.new_page()
    for path in ("/", "/sign-in", "/join/wrong", "/embed"):
        tab.goto(address(site, path))
        check(tab)
    made.close()


def test_a_worksheet(view: BrowserContext, site: RunningSite) -> None:
    tab = new_worksheet(view, site)
    for number, code in enumerate(CELLS, start=1):
        editor(tab, number).focus()
        tab.keyboard.insert_text(code)
        tab.keyboard.press("Shift+Enter")
        if "input(" in code:
            expect(output(tab, number).get_by_role("textbox")).to_be_visible()
        else:
            finished(output(tab, number))
    check(tab)
    tab.get_by_role("button", name="Worksheet menu").click()
    check(tab)
    tab.get_by_role("menuitemcheckbox", name="Files").click()
    expect(tab.get_by_role("complementary", name="Files")).to_be_visible()
    check(tab)
    panels: tuple[Callable[[], None], ...] = (
        lambda: tab.keyboard.press("h"),
        lambda: tab.keyboard.press("f"),
        lambda: tab.keyboard.press("t"),
    )
    for show in panels:
        tab.get_by_role("region", name="Cell 1", exact=True).focus()
        show()
        check(tab)
        tab.keyboard.press("Escape")
    worksheet = tab.url
    for path in ("/history", "/share"):
        tab.goto(worksheet + path)
        check(tab)
    tab.get_by_role("button", name="Make a link").click()
    check(tab)
    tab.get_by_role("link", name="/p/").click()
    check(tab)

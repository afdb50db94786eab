"""`python -m tests.views`: a picture of every main view, for people to look at, in docs/views.

With names behind it (`python -m tests.views class handout`), of these views alone.
Each in light and dark, on a desktop and on a phone. Not a test: nothing is compared.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, StorageState, expect, sync_playwright
from playwright.sync_api import Page as Tab

from app.settings import ROOT
from tests import dropbox_double
from tests.browser import PATIENCE, editor, finished, launched, new_worksheet, output, signed_in
from tests.classroom import Classroom
from tests.host import short_folder
from tests.page_client import SignedIn
from tests.running_site import RunningSite, supervised

FOLDER = ROOT / "docs" / "views"
QUALITY = 70  # of JPEG
SIZES = {"desktop": (1280, 800), "phone": (390, 780)}
TEXT = "# Rings of integers\n\nFor a squarefree $d \\neq 1$ with $d \\equiv 1 \\pmod 4$:"
CELLS = (
    "factor(2^64 - 1)",
    "integrate(x^2 * sin(x), x)",
    "plot(sin(x^2), (x, 0, 5), figsize=4)",
    "@interact\ndef power(n=slider(1, 9, 1, 3)):\n    show((x + 1)^n == expand((x + 1)^n))",
    "1/0",
)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with (
        short_folder() as folder,
        sync_playwright() as playwright,
        dropbox_double.started() as dropbox,
    ):
        dropbox.tell(put={"/Rings of integers.ipynb": "{}", "/Primes/primes.csv": "2, 3, 5"})
        site = supervised(
            folder, embed_origins="*", sign_in_guests="true",
            providers_dropbox_id=dropbox_double.APP, providers_dropbox_issuer=dropbox.address,
            providers_dropbox_secret=dropbox_double.SECRET,
        )  # fmt: skip
        site.start()
        try:
            with launched(playwright, "--disable-gpu") as browser:
                _show_all(site, browser)
        finally:
            site.stop()


Views = dict[str, tuple[str, Callable[[Tab], None]]]


def _show_all(site: RunningSite, browser: Browser) -> None:
    with signed_in(browser, site) as context:
        worksheet = _fill(new_worksheet(context, site))
        _connect_dropbox(context.new_page(), site)
        state = context.storage_state()
    room = Classroom(site)
    views: Views = {
        "worksheet": (worksheet, _wait_computed),
        "files": (f"{worksheet}?files", lambda tab: _choose(tab, "Files")),
        "examples": (f"{worksheet}?examples", lambda tab: _choose(tab, "Examples")),
        "keys": (f"{worksheet}?keys", lambda tab: _choose(tab, "Keyboard help")),
        "worksheets": ("/worksheets", _nothing),
        "history": (f"{worksheet}/history", _nothing),
        "share": (f"{worksheet}/share", _nothing),
        "account": ("/account", _nothing),
        "dropbox": ("/dropbox", _nothing),
        "status": ("/status", _nothing),
        "administration": ("/administration", _nothing),
        "invitations": ("/administration/invitations", _nothing),
        "sessions": ("/administration/sessions", _nothing),
        "audit-log": ("/administration/audit", _nothing),
        "classes": ("/classes", _nothing),
        "class": (room.path, _nothing),
        "handout": (room.handout, _nothing),
        "collected": (room.copy, _nothing),
    }
    of_student: Views = {"attended": (room.path, _nothing), "returned": (room.copy, _nothing)}
    of_stranger: Views = {"sign-in": ("/sign-in", _nothing)}
    asked = sys.argv[1:] or [*views, *of_student, *of_stranger]
    for size in SIZES:
        for scheme in ("light", "dark"):
            for who, seen in (
                (state, views), (_state(room.ada), of_student), (None, of_stranger),
            ):  # fmt: skip
                with _tab(browser, who, size, scheme) as tab:
                    for name, (path, prepare) in seen.items():
                        if name in asked:
                            target = FOLDER / f"{name}-{size}-{scheme}.jpg"
                            _show(tab, site, path, prepare, target)


def _state(user: SignedIn) -> StorageState:
    """What a browser keeps of somebody who has signed in without one."""
    cookies = [
        {"name": one.name, "value": one.value or "", "domain": "127.0.0.1", "path": "/"}
        for one in user.http.cookies
    ]
    return {"cookies": cookies, "origins": []}  # type: ignore[typeddict-item]


@contextmanager
def _tab(
    browser: Browser, state: StorageState | None, size: str, scheme: str
) -> Iterator[Tab]:
    width, height = SIZES[size]
    context = browser.new_context(
        storage_state=state, viewport={"width": width, "height": height},
        has_touch=size == "phone", color_scheme="dark" if scheme == "dark" else "light",
    )  # fmt: skip
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


def _fill(tab: Tab) -> str:
    """Some cells with their output; the path of the worksheet."""
    tab.get_by_role("textbox", name="Title").fill("Rings of integers")
    for number, code in enumerate(CELLS, start=1):
        editor(tab, number).focus()
        tab.keyboard.insert_text(code)
        tab.keyboard.press("Shift+Enter")
        finished(output(tab, number))
    tab.get_by_role("region", name="Cell 1", exact=True).focus()
    tab.keyboard.press("a")
    tab.keyboard.press("m")
    tab.keyboard.press("Enter")
    tab.keyboard.insert_text(TEXT)
    tab.keyboard.press("Escape")
    expect(tab.locator("#saved")).to_have_text("saved")
    return "/" + tab.url.split("/", 3)[3]


def _connect_dropbox(tab: Tab, site: RunningSite) -> None:
    tab.goto(f"http://127.0.0.1:{site.port}/dropbox")
    tab.get_by_role("button", name="Connect Dropbox").click()
    tab.get_by_role("button", name="Allow").click()
    expect(tab.get_by_role("button", name="Disconnect Dropbox")).to_be_visible()
    tab.close()


def _show(
    tab: Tab, site: RunningSite, path: str, prepare: Callable[[Tab], None], target: Path
) -> None:
    tab.goto(f"http://127.0.0.1:{site.port}{path}", wait_until="load")
    prepare(tab)
    tab.wait_for_timeout(500)
    tab.screenshot(path=target, type="jpeg", quality=QUALITY)
    print(target.relative_to(ROOT))


def _nothing(tab: Tab) -> None:
    pass


def _wait_computed(tab: Tab) -> None:
    expect(tab.locator(".katex").first).to_be_visible()
    expect(tab.get_by_role("slider")).to_be_visible()


def _choose(tab: Tab, name: str) -> None:
    """In the worksheet's menu."""
    _wait_computed(tab)
    tab.get_by_role("button", name="Worksheet menu").click()
    tab.get_by_role("menu").get_by_text(name, exact=True).dispatch_event("click")


if __name__ == "__main__":
    main()

"""Chromium for tests of the page: a plugin with fixtures, and what a person does in a worksheet."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Locator,
    Playwright,
    StorageState,
    expect,
    sync_playwright,
)
from playwright.sync_api import Page as Tab

from tests import host
from tests.running_site import RunningSite

PATIENCE = 60_000  # milliseconds
expect.set_options(timeout=PATIENCE / 3)  # a busy machine takes its time; nobody waits in vain
FLAGS = (
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
WEBGL = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")
NO_WEBGL = ("--disable-gpu", "--disable-3d-apis")


@contextmanager
def launched(playwright: Playwright, *flags: str) -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        host.missing("chromium")
    running = playwright.chromium.launch(executable_path=path, args=[*FLAGS, *flags])
    yield running
    running.close()


@contextmanager
def signed_in(browser: Browser, site: RunningSite) -> Iterator[BrowserContext]:
    made = browser.new_context()
    made.set_default_timeout(PATIENCE)
    opened = made.new_page()
    opened.goto(site.new_address())
    opened.close()
    yield made
    made.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright, launched(playwright, "--disable-gpu") as running:
        yield running


@pytest.fixture(scope="module")
def cookies(browser: Browser, site: RunningSite) -> StorageState:
    """What a browser keeps that has signed in."""
    with signed_in(browser, site) as context:
        return context.storage_state()


@pytest.fixture
def context(browser: Browser, cookies: StorageState) -> Iterator[BrowserContext]:
    """A signed-in person."""
    made = browser.new_context(storage_state=cookies)
    made.set_default_timeout(PATIENCE)
    yield made
    made.close()


@pytest.fixture
def tab(context: BrowserContext, site: RunningSite) -> Tab:
    """A fresh worksheet."""
    return new_worksheet(context, site)


def new_worksheet(context: BrowserContext, site: RunningSite) -> Tab:
    opened = context.new_page()
    opened.goto(f"http://127.0.0.1:{site.port}/worksheets")
    opened.get_by_role("button", name="New worksheet").first.click()
    expect(editor(opened, 1)).to_be_visible(timeout=PATIENCE)
    return opened


def editor(tab: Tab, number: int) -> Locator:
    return tab.get_by_role("textbox", name=f"Code of cell {number}", exact=True)


def output(tab: Tab, number: int) -> Locator:
    return tab.get_by_role("region", name=f"Output of cell {number}", exact=True)


def type_into(tab: Tab, number: int, code: str) -> None:
    """Behind what is in a cell."""
    editor(tab, number).focus()  # a click could meet output that moves the cells
    tab.keyboard.press("End")  # or the browser's cursor may be at the start for a moment
    tab.keyboard.insert_text(code)


def run(tab: Tab, number: int, code: str, keys: str = "Shift+Enter") -> Locator:
    """Type `code` into a cell and run it; its output, of which nothing may be there yet."""
    type_into(tab, number, code)
    tab.keyboard.press(keys)
    return output(tab, number)


def finished(place: Locator) -> Locator:
    expect(place).not_to_have_attribute("aria-busy", "true", timeout=PATIENCE)
    return place

"""Chromium for tests of the page: a plugin with fixtures, and what a person does in a worksheet."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Locator,
    StorageState,
    expect,
    sync_playwright,
)
from playwright.sync_api import Page as Tab

from tests import host
from tests.running_site import RunningSite

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


@pytest.fixture(scope="module")
def cookies(browser: Browser, site: RunningSite) -> StorageState:
    """What a browser keeps that has signed in."""
    made = browser.new_context()
    opened = made.new_page()
    opened.goto(site.new_address())
    kept = made.storage_state()
    made.close()
    return kept


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

"""The status page of a running site, in a real browser."""

from __future__ import annotations

import re
from typing import Any

import requests
from playwright.sync_api import BrowserContext, Locator, expect
from playwright.sync_api import Page as Tab

from app.token import site_token
from tests.browser import PATIENCE
from tests.page_client import Page
from tests.running_site import RunningSite


def opened(context: BrowserContext, site: RunningSite) -> Tab:
    tab = context.new_page()
    tab.goto(f"http://127.0.0.1:{site.port}/status")
    return tab


def state(tab: Tab, service: str) -> Locator:
    """Of a service, in words."""
    head = tab.get_by_role("rowheader", name=re.compile(f"^{service}\\b"))
    return tab.get_by_role("row").filter(has=head).locator(".state")


def ask(site: RunningSite, path: str) -> requests.Response:
    """As a tool of the site does."""
    return requests.get(
        f"http://127.0.0.1:{site.port}{path}",
        headers={
            "Accept": "application/json",
            "Authorization": f"Bearer {site_token(site.data_dir)}",
        },
        timeout=60,
    )


def test_it_shows_what_runs_and_keeps_up(
    context: BrowserContext, site: RunningSite, page: Page
) -> None:
    page.run("1 + 1")
    tab = opened(context, site)
    for name in ("postgresql", "sage-1", "app-1", "supervisor"):
        expect(state(tab, name)).to_have_text("up", timeout=PATIENCE)
    expect(tab.locator(".plots figure canvas")).to_have_count(5, timeout=PATIENCE)
    seen = tab.locator("time").first.get_attribute("datetime")
    expect(tab.locator("time").first).not_to_have_attribute("datetime", str(seen), timeout=PATIENCE)
    expect(tab.get_by_role("row", name="sage-1").locator("canvas").first).to_be_visible(
        timeout=PATIENCE
    )
    session = tab.get_by_role("row", name=page.worksheet[:8])
    expect(session).to_contain_text("idle", timeout=PATIENCE)
    expect(session).to_contain_text("MB", timeout=PATIENCE)
    tab.get_by_role("button", name="day").click()
    expect(tab.get_by_role("button", name="day")).to_have_attribute("aria-pressed", "true")


def test_it_fits_a_phone(context: BrowserContext, site: RunningSite) -> None:
    tab = opened(context, site)
    tab.set_viewport_size({"width": 360, "height": 740})
    expect(tab.locator(".plots canvas").first).to_be_visible(timeout=PATIENCE)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360


def test_it_needs_no_database(context: BrowserContext, site: RunningSite) -> None:
    tab = opened(context, site)
    site.run("stop", "postgresql")
    try:
        expect(tab.get_by_text("the database can't be asked")).to_be_visible(timeout=PATIENCE)
        expect(state(tab, "postgresql")).to_have_text("stopped", timeout=PATIENCE)
        tab.reload()
        expect(state(tab, "postgresql")).to_have_text("stopped", timeout=PATIENCE)
        found: dict[str, Any] = ask(site, "/status").json()
        assert "sessions" not in found
        assert {"sage-1", "app-1"} <= {one["name"] for one in found["services"]}
        assert ask(site, "/status/course").status_code == 503
        assert "salvus_database_up 0.0" in ask(site, "/metrics").text
    finally:
        site.run("start", "postgresql")
    expect(tab.get_by_text("the database can't be asked")).to_be_hidden(timeout=PATIENCE)

"""Accounts in a real browser, on a whole site, by what people can read and press."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
import requests
import websocket
from playwright.sync_api import Browser, BrowserContext, expect
from playwright.sync_api import Page as Tab

from tests.browser import PATIENCE, editor, finished, run
from tests.page_client import Page, SignedIn
from tests.running_site import RunningSite

PASSWORD = "correct horse battery"


@pytest.fixture
def stranger(browser: Browser) -> Iterator[BrowserContext]:
    """A browser that is not signed in."""
    made = browser.new_context(viewport={"width": 390, "height": 844})
    made.set_default_timeout(PATIENCE)
    yield made
    made.close()


def join(context: BrowserContext, site: RunningSite, name: str, role: str = "member") -> Tab:
    """Come in by an invitation; the first worksheet."""
    tab = context.new_page()
    tab.goto(site.run("invite", "--role", role).strip())
    tab.get_by_label("Your name").fill(name)
    tab.get_by_label("Name to sign in by").fill(name.lower())
    tab.get_by_label("Password").fill(PASSWORD)
    tab.get_by_role("button", name="Join").click()
    expect(editor(tab, 1)).to_be_visible(timeout=PATIENCE)
    return tab


def unique(name: str) -> str:
    return f"{name}-{secrets.token_hex(3)}"


def test_a_person_joins_computes_and_comes_back(
    stranger: BrowserContext, site: RunningSite, person: SignedIn
) -> None:
    name = unique("Emmy")
    tab = join(stranger, site, name)
    expect(finished(run(tab, 1, "6*7"))).to_contain_text("42")
    own = tab.url
    tab.goto(f"{person.origin}/w/{person.worksheet}")
    expect(tab.get_by_role("heading", name="There is no such page")).to_be_visible()
    tab.goto(f"{person.origin}/status")
    expect(tab.get_by_text("Your account does not allow this.")).to_be_visible()
    tab.goto(f"{person.origin}/worksheets")
    expect(tab.get_by_role("link", name="Status")).to_have_count(0)
    tab.get_by_role("link", name="Account").click()
    expect(tab.get_by_role("heading", name=name)).to_be_visible()
    tab.get_by_role("button", name="Sign out", exact=True).click()
    expect(tab.get_by_role("heading", name="Sign in")).to_be_visible()
    tab.goto(own)
    tab.get_by_label("Name").fill(name)
    tab.get_by_label("Password").fill("something else")
    tab.get_by_role("button", name="Sign in").click()
    expect(tab.get_by_role("alert")).to_contain_text("No account has this name and this password")
    tab.get_by_label("Password").fill(PASSWORD)
    tab.get_by_role("button", name="Sign in").click()
    expect(tab).to_have_url(own)
    expect(finished(tab.get_by_role("region", name="Output of cell 1"))).to_contain_text("42")


def test_who_is_new_is_led_to_the_first_steps(stranger: BrowserContext, site: RunningSite) -> None:
    tab = join(stranger, site, unique("Sofia"))
    tab.get_by_role("button", name="First steps").click()
    expect(tab.get_by_role("heading", name="First steps")).to_be_visible(timeout=PATIENCE)
    expect(tab.get_by_text("New here?")).to_have_count(0)
    tab.goto(f"http://127.0.0.1:{site.port}/console")
    tab.get_by_role("textbox", name="Command line").press("h")
    expect(tab.get_by_role("textbox", name="Command line")).to_have_text("h")


def test_signing_out_everywhere_reaches_open_pages_at_once(
    context: BrowserContext, stranger: BrowserContext, site: RunningSite
) -> None:
    name = unique("Sophie")
    open_page = join(stranger, site, name)
    context.clear_cookies()
    other = context.new_page()
    other.goto(f"http://127.0.0.1:{site.port}/account")
    other.get_by_label("Name").fill(name)
    other.get_by_label("Password").fill(PASSWORD)
    other.get_by_role("button", name="Sign in").click()
    expect(other.get_by_role("table", name="Where you are signed in")).to_contain_text(
        "Chrome on Linux (this one)"
    )
    other.get_by_role("button", name="Sign out everywhere").click()
    expect(other.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(open_page.get_by_role("status")).to_contain_text("you are signed out", timeout=PATIENCE)


def test_who_is_disabled_at_the_command_line_is_cut_off(site: RunningSite) -> None:
    name = unique("Mallory")
    token = site.run("invite").strip().rpartition("/")[2]
    person = SignedIn(site.new_address())
    person.http.cookies.clear()
    form = {"name": name, "login": name, "password": PASSWORD}
    headers = {"Origin": person.origin}
    person.http.post(f"{person.origin}/join/{token}", data=form, headers=headers, timeout=60)
    page = Page(person, person.new_worksheet())
    site.run("disable", name, "--because", "It was shared.")
    with pytest.raises(websocket.WebSocketConnectionClosedException):
        page.until(lambda message: False)
    refused = person.http.post(
        f"{person.origin}/sign-in",
        data={"login": name, "password": PASSWORD},
        headers=headers,
        timeout=60,
    )
    assert (refused.status_code, "It was shared." in refused.text) == (403, True)
    assert f"operator disabled {name} It was shared." in site.run("audit")
    site.run("enable", name)
    reset = site.run("reset-password", name).strip()
    assert name in requests.get(reset, timeout=60).text
    site.run("delete", name, "--yes")
    assert name not in site.run("people")
    assert requests.get(reset, timeout=60).status_code == 404

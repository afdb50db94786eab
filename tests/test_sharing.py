"""Links to worksheets: who may make, see and revoke them, and what they show."""

from __future__ import annotations

import re
import uuid

import gevent
import psycopg2
import pytest
import requests
from playwright.sync_api import Browser, expect
from playwright.sync_api import Page as Tab

from app import settings as settings_file
from supervisor.postgresql import database_url
from tests.page_client import PATIENCE, Page, SignedIn
from tests.running_site import RunningSite

# What they print is not in the code, so it is known to be there only when it is
PRINTS = "print('was ' + 'here')"
HOSTILE = "html('<script>document.title = 1</script><b>bo' + 'ld</b>')"
BOLD = "&lt;b&gt;bold"


@pytest.fixture
def sheet(person: SignedIn) -> str:
    """A worksheet with output."""
    made = person.new_worksheet()
    page = Page(person, made)
    for number, code in enumerate((PRINTS, HOSTILE), start=1):
        cell = str(uuid.uuid4())
        page.save(cell, code, float(number))
        page.run(code, cell=cell)
    page.close()
    return made


def post(user: SignedIn, path: str, **form: str) -> requests.Response:
    headers = {"Origin": user.origin}
    return user.http.post(f"{user.origin}{path}", headers=headers, data=form, timeout=PATIENCE)


def get(user: SignedIn, path: str) -> requests.Response:
    """As anybody who has the link."""
    return requests.get(f"{user.origin}{path}", timeout=PATIENCE)


def share(user: SignedIn, sheet: str, **form: str) -> str:
    """Make a link; its path."""
    answer = post(user, f"/w/{sheet}/share", **form)
    assert answer.status_code == 200, answer.text
    found = re.findall(r'href="(/p/[\w-]{16})"', answer.text)
    return str(found[0])


def until_published(user: SignedIn, link: str, text: str) -> requests.Response:
    for _ in range(100):
        answer = get(user, link)
        if text in answer.text:
            return answer
        gevent.sleep(0.1)
    raise AssertionError(answer.text)


def test_a_link_shows_what_was_and_another_what_is(person: SignedIn, sheet: str) -> None:
    live = share(person, sheet, shows="live")
    until_published(person, live, BOLD)
    fixed = share(person, sheet, shows="snapshot", days="7")
    assert fixed != live
    page = Page(person, sheet)
    page.save(str(uuid.uuid4()), "# added later", 3.0)
    page.until(lambda message: message.HasField("cell_saved"))
    page.close()
    assert "added later" in get(person, live).text
    shown = get(person, fixed)
    assert "added later" not in shown.text
    assert "was here" in shown.text
    assert "script-src" not in shown.headers["Content-Security-Policy"]
    assert shown.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert shown.headers["Referrer-Policy"] == "same-origin"


def test_a_link_is_not_good_once_it_is_revoked_or_late_or_its_worksheet_is_gone(
    site: RunningSite, person: SignedIn, sheet: str
) -> None:
    first, late, third = (share(person, sheet, days=days) for days in ("", "1", ""))
    assert get(person, first).status_code == 200
    post(person, f"/w/{sheet}/share/{first.removeprefix('/p/')}/revoke")
    assert get(person, first).status_code == 404
    url = database_url(settings_file.read(environment=site.environment))
    with psycopg2.connect(url) as database, database.cursor() as cursor:
        cursor.execute(
            "UPDATE shares SET expires = now() WHERE key = %s", (late.removeprefix("/p/"),)
        )
    database.close()
    assert get(person, late).status_code == 404
    assert get(person, third).status_code == 200
    post(person, f"/w/{sheet}/trash")
    assert get(person, third).status_code == 404
    assert get(person, "/p/guessed-AAAAAAAA").status_code == 404


def test_who_is_signed_in_opens_a_copy(person: SignedIn, sheet: str) -> None:
    link = share(person, sheet, shows="live")
    until_published(person, link, "was here")
    copy = post(person, f"{link}/copy")
    made = copy.url.rsplit("/", 1)[1]
    assert made != sheet
    page = Page(person, made)
    page.until(lambda message: message.HasField("state"))
    assert "was here\n" in page.printed()
    page.close()


def test_a_copy_is_opened_from_the_page(tab: Tab, person: SignedIn, sheet: str) -> None:
    link = share(person, sheet, shows="live")
    until_published(person, link, BOLD)
    tab.goto(f"{person.origin}{link}")
    tab.get_by_role("button", name="Open a copy").click()
    expect(tab.get_by_role("region", name="Output of cell 1")).to_contain_text("was here")
    assert sheet not in tab.url


def test_a_stranger_signs_in_and_comes_back_for_a_copy(
    browser: Browser, site: RunningSite, person: SignedIn, sheet: str
) -> None:
    link = share(person, sheet, shows="live")
    until_published(person, link, BOLD)
    with browser.new_context() as stranger:
        tab = stranger.new_page()
        tab.goto(f"{person.origin}{link}")
        tab.get_by_role("button", name="Open a copy").click()
        expect(tab.get_by_role("heading", name="Sign in")).to_be_visible()
        assert tab.locator("input[name=next]").first.get_attribute("value") == link


def test_only_its_owner_shares_a_worksheet(person: SignedIn) -> None:
    for path in (f"/w/{uuid.uuid4()}/share",):
        assert post(person, path).status_code == 404
    assert post(person, f"/w/{person.worksheet}/share", days="1000000").status_code == 400


def test_a_published_page_needs_no_program_and_runs_none(
    browser: Browser, person: SignedIn, sheet: str
) -> None:
    link = share(person, sheet, shows="live")
    until_published(person, link, BOLD)
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(f"{person.origin}{link}")
    assert tab.get_by_text("was here").first.is_visible()
    context.close()
    context = browser.new_context()
    tab = context.new_page()
    tab.goto(f"{person.origin}{link}")
    frame = tab.frame_locator("iframe").first
    frame.get_by_text("bold").wait_for()
    assert tab.title() == "Untitled"
    context.close()

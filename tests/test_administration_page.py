"""Administration in a real browser, on a whole site: what an administrator does, and what the
person it is done to sees of it."""

from __future__ import annotations

import json
import subprocess
import zipfile
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from playwright.sync_api import Browser, BrowserContext, expect
from playwright.sync_api import Page as Tab

from app import settings
from app.db import Database
from supervisor.postgresql import database_url
from tests.browser import PATIENCE, finished, output, run
from tests.running_site import RunningSite
from tests.test_people_page import PASSWORD, join, unique

BUSY = "while True: pass"


@pytest.fixture
def other(browser: Browser) -> Iterator[BrowserContext]:
    """The browser of somebody else, who is not signed in."""
    made = browser.new_context()
    made.set_default_timeout(PATIENCE)
    yield made
    made.close()


def address(site: RunningSite, path: str) -> str:
    return f"http://127.0.0.1:{site.port}{path}"


def busy(tab: Tab) -> None:
    """Compute without an end."""
    place = run(tab, 1, f"print('begun')\n{BUSY}")
    expect(place).to_contain_text("begun", timeout=PATIENCE)


def account(site: RunningSite, name: str) -> dict[str, Any]:
    """As the command line knows somebody."""
    found = json.loads(site.run("people", name, "--json"))
    assert len(found) == 1
    return dict(found[0])


def sessions(site: RunningSite, name: str) -> list[dict[str, Any]]:
    return list(json.loads(site.run("sessions", "--person", name, "--json")))


def test_a_busy_session_is_ended_with_a_reason_that_its_person_sees(
    context: BrowserContext, other: BrowserContext, site: RunningSite
) -> None:
    name = unique("Ada")
    theirs = join(other, site, name)
    busy(theirs)
    tab = context.new_page()
    tab.goto(address(site, "/administration/sessions"))
    row = tab.get_by_role("table", name="Sessions").get_by_role("row").filter(has_text=name)
    expect(row).to_contain_text("busy", timeout=PATIENCE)
    expect(row.get_by_role("cell").nth(3)).to_contain_text("MB", timeout=PATIENCE)
    tab.get_by_label("Why a session is ended").fill("Maintenance at noon")
    row.get_by_role("button", name=f"End the session of {name}").click()
    expect(row).to_have_count(0, timeout=PATIENCE)
    why = "an administrator ended it: Maintenance at noon"
    expect(output(theirs, 1)).to_contain_text(why, timeout=PATIENCE)
    expect(theirs.locator("#status")).to_contain_text(why, timeout=PATIENCE)
    said = site.run("audit", "--person", name, "--kind", "administration")
    assert f"ended a session of {name} Maintenance at noon" in said
    expect(run(theirs, 2, "6*7")).to_contain_text("42", timeout=PATIENCE)


def test_sessions_appear_and_go_without_the_page_being_loaded_again(
    context: BrowserContext, other: BrowserContext, site: RunningSite
) -> None:
    tab = context.new_page()
    tab.goto(address(site, "/administration/sessions"))
    tab.get_by_label("Why a session is ended").fill("half a reason")
    name = unique("Emmy")
    theirs = join(other, site, name)
    busy(theirs)
    row = tab.get_by_role("row").filter(has_text=name)
    expect(row).to_contain_text("busy", timeout=PATIENCE)
    said = site.run("end-session", sessions(site, name)[0]["id"][:13], "--reason", "Enough.")
    assert said == "ended\n"
    expect(row).to_have_count(0, timeout=PATIENCE)
    expect(tab.get_by_label("Why a session is ended")).to_have_value("half a reason")
    expect(output(theirs, 1)).to_contain_text("Enough.", timeout=PATIENCE)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("0123",), "say why with --reason"),
        (("0123", "--reason", "x"), "no session, and no worksheet that has one, begins with"),
        (("", "--reason", "x"), "no session"),
    ],
)
def test_what_can_t_be_ended_is_told(
    site: RunningSite, arguments: tuple[str, ...], complaint: str
) -> None:
    with pytest.raises(subprocess.CalledProcessError) as error:
        site.run("end-session", *arguments)
    assert complaint in error.value.stderr


def test_who_is_disabled_is_told_why_and_their_busy_session_ends(
    context: BrowserContext, other: BrowserContext, site: RunningSite
) -> None:
    name = unique("Mallory")
    theirs = join(other, site, name)
    busy(theirs)
    journals = {path.stem for path in (site.data_dir / "sage").rglob("*.journal")}
    [session] = sessions(site, name)
    assert session["id"] in journals
    tab = context.new_page()
    tab.goto(address(site, f"/administration/people/{account(site, name)['id']}"))
    tab.get_by_label("Why this person is kept out").fill("The password was shared.")
    tab.get_by_role("button", name="Keep this person out").click()
    expect(tab.get_by_text("Disabled on")).to_contain_text("The password was shared.")
    expect(theirs.locator("#status")).to_contain_text(
        "your account is disabled. The password was shared.", timeout=PATIENCE
    )
    expect(tab.get_by_text("There are none.")).to_be_visible(timeout=PATIENCE)
    theirs.goto(address(site, "/worksheets"))
    theirs.get_by_label("Name").fill(name)
    theirs.get_by_label("Password").fill(PASSWORD)
    theirs.get_by_role("button", name="Sign in").click()
    expect(theirs.get_by_role("alert")).to_contain_text("The password was shared.")
    tab.get_by_role("button", name="Let this person in again").click()
    theirs.get_by_label("Password").fill(PASSWORD)
    theirs.get_by_role("button", name="Sign in").click()
    theirs.goto(address(site, f"/w/{session['worksheet']}"))
    why = "the account is disabled. The password was shared."
    expect(finished(output(theirs, 1))).to_contain_text(why)
    left = {path.stem for path in (site.data_dir / "sage").rglob("*.journal")}
    assert session["id"] not in left


def test_a_busy_session_ends_however_its_person_is_disabled(
    other: BrowserContext, site: RunningSite
) -> None:
    """Nobody watches it: its page is closed."""
    name = unique("Eve")
    theirs = join(other, site, name)
    busy(theirs)
    [session] = sessions(site, name)
    theirs.close()
    site.run("disable", name)
    journal = next((site.data_dir / "sage").rglob("journals")) / f"{session['id']}.journal"
    with gevent.Timeout(PATIENCE / 1000):
        while sessions(site, name) or journal.exists():
            gevent.sleep(0.2)


def test_nothing_remains_of_who_is_deleted(
    context: BrowserContext, other: BrowserContext, site: RunningSite
) -> None:
    """Though it is computing at that moment."""
    name, secret = unique("Sophie"), unique("secret")
    theirs = join(other, site, name)
    place = run(theirs, 1, f"print({secret!r})\nopen('a.txt', 'w').write({secret!r})")
    expect(finished(place)).to_contain_text(secret)
    busy_place = run(theirs, 2, f"print({secret!r})\n{BUSY}")
    expect(busy_place).to_contain_text(secret, timeout=PATIENCE)
    person = account(site, name)
    [session] = sessions(site, name)
    tab = context.new_page()
    tab.goto(address(site, f"/administration/people/{person['id']}"))
    with tab.expect_download() as download:
        tab.get_by_role("link", name="Download all of it").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert any(archive.read(each).decode() == secret
                   for each in archive.namelist() if each.endswith("a.txt"))  # fmt: skip
    tab.get_by_label(f"Type the name, {name}").fill(name)
    tab.get_by_role("button", name="Delete for ever").click()
    expect(tab.get_by_role("heading", name="People")).to_be_visible()
    expect(tab.get_by_role("link", name=name)).to_have_count(0)
    expect(theirs.locator("#status")).to_contain_text("you are signed out", timeout=PATIENCE)
    marks = [person["id"], session["id"], session["worksheet"], name, name.lower(), secret]
    with gevent.Timeout(PATIENCE / 1000):
        while left := mentions(site, marks):
            gevent.sleep(0.5)
    assert left == []
    log = site.run("audit", "--person", person["id"]).splitlines()
    assert log[-1].endswith(f"Owner deleted the account {person['id']}")
    assert name not in "\n".join(log)


def mentions(site: RunningSite, marks: list[str]) -> list[str]:
    """Tables, but for the audit log, and journals of sage servers that have one of `marks`."""
    found = [
        str(path)
        for path in (site.data_dir / "sage").rglob("*.journal")
        if any(mark.encode() in path.read_bytes() for mark in marks)
    ]
    hexes = [mark.encode().hex() for mark in marks]
    database = Database(
        url=database_url(settings.read(environment=site.environment)), connections=1,
        wait_seconds=10, statement_seconds=30,
    )  # fmt: skip
    with database.reading() as cursor:
        cursor.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
            " AND table_type = 'BASE TABLE' AND table_name NOT IN ('audit', 'log')"
        )
        for (table,) in cursor.fetchall():
            cursor.execute(
                f"SELECT count(*) FROM {table} AS t WHERE EXISTS"
                " (SELECT FROM unnest(%s::text[]) AS mark WHERE strpos(t::text, mark) > 0)",
                (marks + hexes,),
            )
            if cursor.fetchone() != (0,):
                found.append(table)
    database.close()
    return found

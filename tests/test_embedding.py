"""Permalinks to cells, and cells in other sites' pages."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, FrameLocator, expect
from playwright.sync_api import Page as Tab

from app import settings as settings_file
from app.db import Database
from supervisor.postgresql import database_url
from tests import browser as typing
from tests.page_client import PATIENCE, SignedIn
from tests.running_site import RunningSite
from tests.web_app import WebApp

INTERACT = "@interact\ndef f(n=slider(1, 10, 1)):\n    print('n ' + 'is', n)"
ELSEWHERE = """<!doctype html><title>A lesson</title>
<pre class="salvus" title="Sum">print(20 +
      22)</pre>
<p>and</p>
<pre class="salvus" title="Bold">show(html('&lt;b&gt;bo' + 'ld&lt;/b&gt;'))
matrix_plot(identity_matrix(3))</pre>
<script src="{site}/embed.js" async></script>
"""


@pytest.fixture
def elsewhere(site: RunningSite, tmp_path: Path) -> Iterator[str]:
    """The address of a page of another site that embeds cells of ours."""
    (tmp_path / "index.html").write_text(ELSEWHERE.format(site=f"http://127.0.0.1:{site.port}"))
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever).start()
    yield f"http://localhost:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture
def reader(browser: Browser) -> Iterator[Tab]:
    """A stranger's browser."""
    made = browser.new_context()
    made.set_default_timeout(typing.PATIENCE)
    yield made.new_page()
    made.close()


def run_button(place: Tab | FrameLocator) -> None:
    place.get_by_role("toolbar", name="Cell").get_by_role("button", name="Run").click()


def link_of(context: BrowserContext, tab: Tab) -> str:
    """The link to the first cell, as its menu copies it."""
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab.get_by_role("region", name="Cell 1", exact=True).hover()
    tab.get_by_role("button", name="Actions of cell 1", exact=True).click()
    tab.get_by_role("menuitem", name="Copy a link to this code").click()
    expect(tab.get_by_text("The link is copied")).to_be_visible()
    return str(tab.evaluate("navigator.clipboard.readText()"))


def test_a_link_keeps_code_and_values(
    context: BrowserContext, tab: Tab, site: RunningSite, reader: Tab
) -> None:
    place = typing.finished(typing.run(tab, 1, INTERACT))
    slider = place.get_by_role("slider")
    for _ in range(4):
        slider.press("ArrowRight")
    expect(place).to_contain_text("n is 5")
    link = link_of(context, tab)
    assert link.startswith(f"http://127.0.0.1:{site.port}/cell#")
    opened = context.new_page()
    opened.goto(link)
    run_button(opened)
    expect(opened.get_by_text("n is 5")).to_be_visible()
    assert opened.get_by_role("slider").input_value() == "4"
    opened.get_by_role("link", name="Open as a worksheet").click()
    expect(typing.editor(opened, 1)).to_contain_text("slider(1, 10, 1)")
    expect(opened.get_by_text("n is 5")).to_be_visible()
    reader.goto(link)  # who is not signed in
    run_button(reader)
    expect(reader.get_by_text("n is 5")).to_be_visible()
    expect(reader.get_by_role("link", name="Open as a worksheet")).to_be_hidden()


def test_a_damaged_link_says_so(context: BrowserContext, site: RunningSite) -> None:
    opened = context.new_page()
    opened.goto(f"http://127.0.0.1:{site.port}/cell#z=abc")
    expect(opened.get_by_role("alert")).to_contain_text("This link is damaged")


def test_cells_run_in_pages_of_other_sites(reader: Tab, elsewhere: str, site: RunningSite) -> None:
    reader.goto(elsewhere)
    first = reader.frame_locator("iframe >> nth=0")
    expect(first.get_by_role("textbox", name="Code of cell 1")).to_contain_text("print(20 +")
    expect(reader.locator("pre.salvus").first).to_be_hidden()
    before = visitors(site)
    run_button(first)
    expect(first.get_by_role("region", name="Output of cell 1")).to_have_text("42\n")
    second = reader.frame_locator("iframe >> nth=1")
    run_button(second)
    output = second.get_by_role("region", name="Output of cell 1")
    expect(output.locator("iframe").content_frame.get_by_text("bold")).to_be_visible()
    expect(output.get_by_role("img")).to_be_visible()
    height = reader.locator("iframe").nth(1).bounding_box()
    assert height is not None
    assert height["height"] > 200  # as tall as its picture
    assert len(visitors(site) - before) == 2
    assert reader.context.cookies() == []
    # Reset: the code as it was, nothing of what was computed
    editor = first.get_by_role("textbox", name="Code of cell 1")
    editor.click()
    reader.keyboard.press("Control+End")
    reader.keyboard.insert_text("\nprint('more')")
    first.get_by_role("button", name="Reset").press("Enter")
    expect(editor).not_to_contain_text("more")
    expect(first.get_by_role("region", name="Output of cell 1")).to_have_text("")
    reader.goto("about:blank")
    for account in visitors(site) - before:
        until_no_session(site, account)


def test_what_comes_after_a_cell_with_a_mistake_runs(
    reader: Tab, elsewhere: str, tmp_path: Path
) -> None:
    page = tmp_path / "index.html"
    page.write_text(page.read_text().replace('title="Sum"', 'title="Sum" data-values="no JSON"'))
    reader.goto(elsewhere)
    for place in (0, 1):
        frame = reader.frame_locator(f"iframe >> nth={place}")
        expect(frame.get_by_role("textbox", name="Code of cell 1")).to_be_visible()


def test_a_visit_whose_time_is_over_begins_anew(reader: Tab, site: RunningSite) -> None:
    """As after a night with the laptop closed."""
    reader.goto(f"http://127.0.0.1:{site.port}/cell")
    cell = reader.get_by_role("textbox", name="Code of cell 1")
    cell.focus()
    reader.keyboard.insert_text("print(20 + 22)")
    run_button(reader)
    output = reader.get_by_role("region", name="Output of cell 1")
    expect(output).to_have_text("42\n")
    url = database_url(settings_file.read(environment=site.environment))
    with closing(psycopg2.connect(url)) as database, database, database.cursor() as cursor:
        cursor.execute(
            "UPDATE sign_ins SET expires = now() FROM accounts"
            " WHERE accounts.id = account AND role = 'guest'"
        )
    reader.context.set_offline(True)
    reader.evaluate("dispatchEvent(new Event('online'))")  # have it look at its connection now
    expect(reader.get_by_text("reconnecting")).to_be_visible(timeout=typing.PATIENCE)
    cell.focus()
    reader.keyboard.press("Control+End")
    reader.keyboard.insert_text("\nprint('anew')")
    reader.keyboard.press("Shift+Enter")
    reader.context.set_offline(False)
    expect(output).to_have_text("42\nanew\n", timeout=typing.PATIENCE)
    expect(reader.get_by_text("This visit was over")).to_be_visible()


def test_the_code_stays_to_be_read_while_the_site_is_away(reader: Tab, elsewhere: str) -> None:
    reader.route("**/embed", lambda route: route.abort())
    with reader.expect_request("**/embed"):
        reader.goto(elsewhere)
    expect(reader.get_by_text("print(20 +")).to_be_visible()
    expect(reader.locator("iframe").first).to_be_hidden()
    reader.unroute("**/embed")
    reader.route("**/embed.js", lambda route: route.abort())
    reader.reload()
    expect(reader.get_by_text("print(20 +")).to_be_visible()
    expect(reader.locator("iframe")).to_have_count(0)


def test_a_ticket_opens_its_own_worksheet_alone(person: SignedIn) -> None:
    answer = requests.post(
        f"{person.origin}/embed/visit", headers={"Origin": person.origin}, timeout=PATIENCE
    )
    assert answer.status_code == 200, answer.text
    ticket, own = answer.json()["ticket"], answer.json()["worksheet"]
    others = person.new_worksheet()

    def status(path: str) -> int:
        asked = f"{person.origin}{path}?ticket={ticket}"
        return requests.get(asked, timeout=PATIENCE, allow_redirects=False).status_code

    assert status(f"/w/{others}/files/notes.txt") == 404
    assert status(f"/w/{own}/files/notes.txt") == 404  # its own, but there is no such file
    assert status(f"/w/{own}") == 403  # not a sign-in
    assert status("/worksheets") == 403


def test_the_operator_says_who_may_embed(database: Database, tmp_path: Path) -> None:
    closed = WebApp(database, tmp_path).client()
    assert closed.get("/embed").status_code == 403
    assert closed.post("/embed/visit").status_code == 403
    assert "Sign in" in closed.get("/cell").text
    assert "frame-ancestors 'none'" in closed.get("/cell").headers["Content-Security-Policy"]
    some = "https://www.example.org"
    web = WebApp(database, tmp_path, embed_origins=some, embed_visits_per_address="2").client()
    for path in ("/embed", "/output"):
        policy = web.get(path).headers["Content-Security-Policy"]
        assert f"frame-ancestors 'self' {some}" in policy
    assert "frame-ancestors 'none'" in web.get("/cell").headers["Content-Security-Policy"]
    address = {"REMOTE_ADDR": "192.0.2.77"}
    answers = [web.post("/embed/visit", environ_base=address) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert "Too many" in answers[2].text
    other = {"REMOTE_ADDR": "192.0.2.78"}
    assert web.post("/embed/visit", environ_base=other).status_code == 200
    foreign = {"HTTP_SEC_FETCH_SITE": "cross-site"}
    assert web.post("/embed/visit", environ_base=foreign).status_code == 400


def visitors(site: RunningSite) -> set[str]:
    """Accounts of visits that have begun."""
    return {str(row[0]) for row in ask(site, "SELECT id FROM accounts WHERE name = 'Visitor'")}


def until_no_session(site: RunningSite, account: str) -> None:
    question = "SELECT count(*) FROM sessions WHERE account = %s AND ended IS NULL"
    for _ in range(100):
        if ask(site, question, account) == [(0,)]:
            return
        threading.Event().wait(0.1)
    raise AssertionError("the session of a visit goes on")


def ask(site: RunningSite, question: str, *values: str) -> list[tuple[object, ...]]:
    url = database_url(settings_file.read(environment=site.environment))
    with closing(psycopg2.connect(url)) as database, database.cursor() as cursor:
        cursor.execute(question, values)
        return cursor.fetchall()

"""Dropbox: the calls of its API, and what people do with it, against a double at loopback."""

from __future__ import annotations

import html
import json
import re
import time
import uuid
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from playwright.sync_api import Browser, expect
from playwright.sync_api import Page as Tab

from app import (
    dropbox,
    dropbox_accounts,
    folders,
    markdown,
    people,
    people_commands,
    worksheets,
)
from app.changes import Content
from app.db import Database
from app.dropbox import CHUNK, Dropbox, Entry, Person, Tokens, Trouble, header_json, hosts
from app.dropbox_accounts import Seal
from app.manuscript import Manuscript, Part
from tests import browser as typing
from tests import dropbox_double, host, test_axe
from tests.dropbox_double import APP, PAGE, SECRET, Double
from tests.host import free_port, silent_server
from tests.running_site import RunningSite, supervised
from tests.web_app import WebApp

PATIENCE = 30.0
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
AWAY = re.compile(r'content="0;url=([^"]+)"')


@pytest.fixture(scope="module")
def running() -> Iterator[Double]:
    with dropbox_double.started() as double:
        yield double


@pytest.fixture
def double(running: Double) -> Double:
    """An empty one, of somebody who has let nobody in."""
    running.tell(reset=True)
    return running


# --- The calls -------------------------------------------------------------------


@pytest.fixture
def kept() -> list[Tokens]:
    """Tokens as they are renewed."""
    return []


@pytest.fixture
def box(double: Double, kept: list[Tokens]) -> Dropbox:
    return of(double, double.tokens(), kept)


def of(double: Double, tokens: Tokens, kept: list[Tokens], secret: str = SECRET) -> Dropbox:
    return Dropbox(
        id=APP, secret=secret, hosts=hosts(double.address), tokens=tokens, keep=kept.append
    )


def put(box: Dropbox, path: str, data: bytes, rev: str = "") -> Entry:
    return finished(box.upload(path, iter([data]), rev=rev))[0]


def finished(steps: Generator[int, None, Entry]) -> tuple[Entry, list[int]]:
    told = []
    while True:
        try:
            told.append(next(steps))
        except StopIteration as end:
            return end.value, told


def trouble(action: Any) -> str:
    with pytest.raises(Trouble) as raised:
        action()
    return raised.value.kind


def test_who_it_is(box: Dropbox) -> None:
    person = box.person()
    assert (person.name, person.email) == ("Ada Lövelace", "ada@example.org")


@pytest.mark.parametrize("name", ["a.txt", "Лист 1.ipynb", "x\x7fy.txt", "🐙.sage", 'quote".md'])
def test_any_name_goes_there_and_back(box: Dropbox, name: str) -> None:
    if name.startswith("quote"):
        assert trouble(lambda: put(box, f"/{name}", b"1")) == "name"
        return
    entry = put(box, f"/{name}", b"content")
    assert entry.path == f"/{name}"
    content = box.download(entry.path)
    assert b"".join(content.pieces) == b"content"
    assert content.entry.name == name


@pytest.mark.parametrize("value", ["é", "\x7f", "\n", "🐙", '"'])
def test_what_is_in_a_header_is_printable_ascii(value: str) -> None:
    assert re.fullmatch("[ -~]+", header_json({"path": value}))


def test_large_files_go_in_parts(box: Dropbox, double: Double) -> None:
    data = bytes(range(256)) * (CHUNK // 128) + b"end"
    pieces = iter([data[at : at + 700_000] for at in range(0, len(data), 700_000)])
    entry, told = finished(box.upload("/large.bin", pieces))
    assert double.files["/large.bin"] == data
    assert (entry.size, told) == (len(data), [CHUNK, 2 * CHUNK, len(data)])


@pytest.mark.parametrize("size", [0, 1, CHUNK])
def test_small_ones_in_one(box: Dropbox, double: Double, size: int) -> None:
    _, told = finished(box.upload("/small.bin", iter([b"x" * size])))
    assert (double.files["/small.bin"], told) == (b"x" * size, [size])
    assert double.tell()["calls"][-1] == "/2/files/upload"


def test_a_part_that_has_arrived_is_not_written_twice(box: Dropbox, double: Double) -> None:
    """Its answer was lost: it is repeated, and Dropbox says how far it is."""
    data = b"x" * (2 * CHUNK + 5)
    steps = box.upload("/large.bin", iter([data]))
    next(steps)
    again = {"error": {".tag": "incorrect_offset", "correct_offset": 2 * CHUNK}}
    double.tell(troubles=[{"route": "append_v2", "status": 503}])
    next(steps)
    finished(steps)
    assert double.files["/large.bin"] == data
    steps = box.upload("/other.bin", iter([data]))
    next(steps)
    double.tell(troubles=[{"route": "append_v2", "status": 409, "body": again}])
    next(steps)  # as told; then the end does not fit, as nothing has arrived in truth
    assert trouble(lambda: finished(steps)) == "refused"


def test_nothing_is_overwritten(box: Dropbox, double: Double) -> None:
    first = put(box, "/a.txt", b"1")
    second = put(box, "/a.txt", b"2")
    assert second.name == "a (1).txt"
    third = put(box, "/a.txt", b"3", first.rev)
    assert third.path == "/a.txt"
    fourth = put(box, "/a.txt", b"4", first.rev)
    assert fourth.name == "a (conflicted copy).txt"
    assert sorted(double.files.values()) == [b"2", b"3", b"4"]
    double.tell(delete=["/a.txt"])
    assert put(box, "/a.txt", b"5", third.rev).path == "/a.txt"


def test_a_folder_is_listed_page_by_page_folders_first(box: Dropbox) -> None:
    for number in range(2 * PAGE + 1):
        put(box, f"/{number}.txt", b"1")
    put(box, "/Sub/below.txt", b"2")
    found = box.folder("")
    assert [one.name for one in found] == ["Sub", "0.txt", "1.txt", "2.txt", "3.txt", "4.txt"]
    assert found[0].is_folder
    assert [one.path for one in box.folder("/Sub")] == ["/Sub/below.txt"]
    assert trouble(lambda: box.folder("/nowhere")) == "missing"
    assert trouble(lambda: box.download("/nowhere.txt")) == "missing"


def test_tokens_are_renewed_when_they_are_over(
    box: Dropbox, double: Double, kept: list[Tokens]
) -> None:
    double.tell(expire=True)  # earlier than they were told
    put(box, "/a.txt", b"1")
    assert len(kept) == 1
    before = Tokens(kept[0].refresh, "stale", time.time() + 1)
    of(double, before, kept).person()
    assert kept[1].refresh == kept[0].refresh
    assert kept[1].access not in ("stale", kept[0].access)


def test_access_that_was_withdrawn(box: Dropbox, double: Double, kept: list[Tokens]) -> None:
    tokens = double.tokens()
    double.tell(withdraw=True)
    assert trouble(box.person) == "withdrawn"
    assert trouble(of(double, Tokens(tokens.refresh), kept).person) == "withdrawn"


def test_what_is_given_back_is_good_for_nothing_more(box: Dropbox, double: Double) -> None:
    box.revoke()
    assert double.tell()["connected"] == 0
    assert trouble(box.person) == "withdrawn"


def test_another_app_s_secret(double: Double, kept: list[Tokens]) -> None:
    other = of(double, Tokens(double.tokens().refresh), kept, "wrong")
    assert trouble(other.person) == "refused"


def test_a_full_dropbox(box: Dropbox, double: Double) -> None:
    double.tell(room=10)
    assert trouble(lambda: put(box, "/a.txt", b"x" * 11)) == "full"
    large = iter([b"x" * (CHUNK + 1)])
    assert trouble(lambda: finished(box.upload("/large.bin", large))) == "full"


def test_a_pause_that_dropbox_asks_for_is_made_if_it_is_short(
    box: Dropbox, double: Double
) -> None:
    short = {"route": "upload", "status": 429, "wait": "0.1"}
    double.tell(troubles=[short, short])
    put(box, "/a.txt", b"1")
    double.tell(troubles=[{**short, "wait": "300"}])
    assert trouble(lambda: put(box, "/b.txt", b"1")) == "busy"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (500, "", "unreachable"),
        (400, "Error in call", "refused"),
        (401, {"error": {".tag": "missing_scope", "required_scope": "x"}}, "scope"),
        (403, {"error": {".tag": "invalid_account_type"}}, "refused"),
        (409, {"error": {".tag": "path", "reason": {".tag": "disallowed_name"}}}, "name"),
        (409, {"error": {".tag": "path", "path": {".tag": "restricted_content"}}}, "refused"),
        (409, {"error": []}, "refused"),
        (409, [], "refused"),
        (302, "", "refused"),
    ],
)  # fmt: skip
def test_what_dropbox_says_is_told_apart(
    box: Dropbox, double: Double, status: int, body: Any, kind: str
) -> None:
    answer = {"route": "upload", "status": status, "body": body, "wait": "0"}
    double.tell(troubles=[answer] * dropbox.TRIES)
    assert trouble(lambda: put(box, "/a.txt", b"1")) == kind


def test_dropbox_can_not_be_reached(
    double: Double, kept: list[Tokens], monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = Double(free_port())
    tokens = double.tokens()
    assert trouble(of(nowhere, tokens, kept).person) == "unreachable"
    monkeypatch.setattr(dropbox, "TIMEOUT", (0.2, 0.2))
    with silent_server() as port:
        assert trouble(of(Double(port), tokens, kept).person) == "unreachable"


@pytest.mark.parametrize("said", [{}, {"name": 1}, [], None, {"name": "x", "path_display": 3}])
def test_nonsense_is_no_file(said: Any) -> None:
    assert trouble(lambda: dropbox._entry(said)) == "refused"


def test_names_are_such_as_pages_and_the_database_can_have() -> None:
    entry = dropbox._entry({"name": "a\0\ud800", "path_display": "/a\0"})
    assert (entry.name, entry.path) == ("a�?", "/a�")


# --- Connecting ------------------------------------------------------------------


def app_with(database: Database, folder: Path, double: Double, **keys: str) -> WebApp:
    return WebApp(
        database, folder, providers_dropbox_id=APP, providers_dropbox_secret=SECRET,
        providers_dropbox_issuer=double.address, **keys,
    )  # fmt: skip


@pytest.fixture
def web(database: Database, tmp_path: Path, double: Double) -> WebApp:
    return app_with(database, tmp_path, double)


def leave(browser: FlaskClient) -> str:
    """Where the browser is led, to let the site in."""
    answer = browser.post("/dropbox/connect")
    assert answer.status_code == 200, answer.text
    found = AWAY.search(answer.text)
    assert found
    return html.unescape(found[1])


def back(browser: FlaskClient, address: str) -> Any:
    parts = urlsplit(address)
    return browser.get(f"{parts.path}?{parts.query}")


def connected(web: WebApp, double: Double, name: str = "Ada") -> tuple[FlaskClient, str]:
    """Somebody who has connected their Dropbox."""
    browser, account = web.person("member", name)
    answer = back(browser, double.consent(leave(browser)))
    assert answer.location == "/dropbox", answer.text
    return browser, account


def test_who_connects_again_is_let_in_by_that_alone(web: WebApp, double: Double) -> None:
    browser, account = connected(web, double)
    assert back(browser, double.consent(leave(browser))).location == "/dropbox"
    assert (rows(web), double.tell()["connected"]) == ([account], 1)
    assert "Nothing is here yet" in browser.get("/dropbox").text
    double.tell(troubles=[{"route": "revoke", "status": 400}])
    assert back(browser, double.consent(leave(browser))).location == "/dropbox"
    assert "Nothing is here yet" in browser.get("/dropbox").text


def rows(web: WebApp) -> list[str]:
    with web.database.reading() as cursor:
        cursor.execute("SELECT account::text FROM dropbox_accounts")
        return [account for (account,) in cursor.fetchall()]


def test_a_person_connects_and_disconnects(web: WebApp, double: Double) -> None:
    browser, account = connected(web, double)
    page = browser.get("/dropbox")
    assert "Ada Lövelace · ada@example.org" in page.text
    assert "Nothing is here yet" in page.text
    assert browser.post("/dropbox/disconnect").location == "/dropbox"
    assert (rows(web), double.tell()["connected"]) == ([], 0)
    assert "Connect Dropbox" in browser.get("/dropbox").text
    with web.database.reading() as cursor:
        cursor.execute("SELECT action FROM audit WHERE actor = %s ORDER BY id", (account,))
        assert [row[0] for row in cursor.fetchall()] == [
            "connected a Dropbox", "disconnected a Dropbox",
        ]  # fmt: skip


def test_state_and_pkce_are_asked_for_and_each_return_is_good_once(
    web: WebApp, double: Double
) -> None:
    browser, _ = web.person("member")
    away = leave(browser)
    asked = parse_qs(urlsplit(away).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == ["http://localhost/dropbox/back"]
    assert back(browser, double.consent(away).replace("state=", "state=x")).status_code == 400
    assert rows(web) == []
    address = double.consent(leave(browser))
    assert back(browser, address).location == "/dropbox"
    assert back(browser, address).status_code == 400


def test_who_says_no_is_told_that_nothing_was_done(web: WebApp, double: Double) -> None:
    browser, _ = web.person("member")
    answer = back(browser, double.consent(leave(browser), "deny"))
    assert answer.status_code == 403
    assert "You did not allow it" in answer.text
    assert rows(web) == []


def test_nobody_is_given_another_one_s_dropbox(web: WebApp, double: Double) -> None:
    """Neither by a link that somebody else has begun, nor by signing in meanwhile."""
    ada, _ = web.person("member", "Ada")
    eve, account = web.person("member", "Eve")
    address = double.consent(leave(eve))
    assert back(ada, address).status_code == 400
    address = double.consent(leave(ada))
    session = web.browser_of(account).get_cookie("salvus-salvus")
    assert session
    ada.set_cookie("salvus-salvus", session.value)
    assert back(ada, address).status_code == 403
    assert rows(web) == []


def test_permissions_that_the_app_lacks(web: WebApp, double: Double) -> None:
    double.tell(scopes="account_info.read")
    browser, _ = web.person("member")
    answer = back(browser, double.consent(leave(browser)))
    assert "docs/DROPBOX.md" in answer.text
    assert rows(web) == []


def test_withdrawn_there_it_is_asked_for_again(web: WebApp, double: Double) -> None:
    browser, account = connected(web, double)
    double.tell(withdraw=True)
    page = browser.get("/dropbox")
    assert page.status_code == 409
    assert "does not let this site in any more" in page.text
    assert "Connect Dropbox" in page.text
    assert back(browser, double.consent(leave(browser))).location == "/dropbox"
    assert rows(web) == [account]


def test_without_dropbox_the_page_says_so(web: WebApp, double: Double, tmp_path: Path) -> None:
    browser, _ = connected(web, double)
    again = {"route": "list_folder", "status": 500, "wait": "0"}
    double.tell(troubles=[again] * dropbox.TRIES)
    page = browser.get("/dropbox")
    assert (page.status_code, "be reached now" in page.text) == (502, True)
    double.tell(troubles=[{"route": "revoke", "status": 400}])
    answer = browser.post("/dropbox/disconnect")
    assert "remove it there, too" in " ".join(answer.text.split())
    assert rows(web) == []


def test_a_site_without_an_app_has_no_dropbox(database: Database, tmp_path: Path) -> None:
    browser, _ = WebApp(database, tmp_path).person("member")
    for answer in (browser.get("/dropbox"), browser.post("/dropbox/connect")):
        assert answer.status_code == 404
        assert "whoever runs it" in answer.text


def test_tokens_are_sealed_and_go_with_the_account(web: WebApp, double: Double) -> None:
    _, account = connected(web, double)
    with web.database.reading() as cursor:
        cursor.execute("SELECT tokens FROM dropbox_accounts")
        (sealed,) = cursor.fetchone() or (b"",)
        found = dropbox_accounts.find(cursor, account, Seal(SECRET))
        other = dropbox_accounts.find(cursor, account, Seal("another"))
    assert found
    assert found.tokens
    assert found.tokens.refresh.encode() not in bytes(sealed)
    assert other
    assert other.tokens is None
    with web.database.transaction() as cursor:
        people.delete(cursor, account, actor="operator")
    assert rows(web) == []


def test_who_is_deleted_is_given_back_at_dropbox(web: WebApp, double: Double) -> None:
    owner, _ = web.person("owner")
    _, account = connected(web, double, "Ada")
    path = f"/administration/people/{account}/delete"
    assert owner.post(path, data={"name": "Eve"}).status_code == 400
    assert double.tell()["connected"] == 1
    assert owner.post(path, data={"name": "Ada"}).location == "/administration"
    assert (rows(web), double.tell()["connected"]) == ([], 0)
    _, account = connected(web, double, "Emmy")
    double.tell(troubles=[{"route": "revoke", "status": 400}])
    path = f"/administration/people/{account}/delete"
    answer = owner.post(path, data={"name": "Emmy"})
    assert "Emmy is deleted, but Dropbox could not be told so" in answer.text
    assert rows(web) == []


def test_who_is_deleted_at_the_command_line_is_given_back_too(
    web: WebApp, double: Double
) -> None:
    connected(web, double, "Ada")
    (delete,) = [
        command
        for command in people_commands.commands(lambda: (web.settings, web.database, ""))
        if command.name == "delete"
    ]
    said = CliRunner().invoke(delete, ["Ada", "--yes"])
    assert said.output == "Ada is deleted.\n"
    assert (rows(web), double.tell()["connected"]) == ([], 0)


def test_another_dropbox_forgets_what_was_saved_in_the_first(
    web: WebApp, double: Double
) -> None:
    browser, account = connected(web, double)
    worksheet = browser.post("/worksheets").location.rsplit("/", 1)[1]
    seal, tokens = Seal(SECRET), Tokens("r")
    with web.database.transaction() as cursor:
        entry = Entry("a", "/a", rev="1")
        dropbox_accounts.note_saved(cursor, account, worksheet, "", wanted="/a", entry=entry)
        saved = dropbox_accounts.saved(cursor, account, worksheet, "")
        assert saved
        assert saved.rev == "1"
        other = Person("dbid:other", "", "")
        dropbox_accounts.connect(cursor, account, other, tokens, seal)
        assert dropbox_accounts.saved(cursor, account, worksheet, "") is None
        dropbox_accounts.keep(cursor, account, Tokens("r", "renewed", 1.0), seal)
        dropbox_accounts.keep(cursor, account, Tokens("of before", "x", 1.0), seal)
        found = dropbox_accounts.find(cursor, account, seal)
    assert found
    assert found.tokens == Tokens("r", "renewed", 1.0)


# --- Worksheets and files there and back -----------------------------------------


def sheet(browser: FlaskClient, title: str = "") -> str:
    """A new worksheet."""
    made = str(browser.post("/worksheets").location).rsplit("/", 1)[1]
    if title:
        browser.post(f"/w/{made}/rename", data={"title": title})
    return made


def fill(web: WebApp, worksheet: str, code: str) -> None:
    with web.database.transaction() as cursor:
        cursor.execute("SELECT account::text FROM worksheets WHERE id = %s", (worksheet,))
        (account,) = cursor.fetchone() or ("",)
        content = Content(position=1.0, code=code, kind="code")
        worksheets.save_cell(cursor, worksheet, account, str(uuid.uuid4()), content)


def save(browser: FlaskClient, worksheet: str, path: str = "") -> list[dict[str, Any]]:
    answer = browser.post(
        f"/w/{worksheet}/dropbox", data={"path": path}, headers={"Accept": "application/x-ndjson"}
    )
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def upload(browser: FlaskClient, worksheet: str, path: str, data: bytes) -> None:
    form = {"path": path, "size": len(data), "mark": "m"}
    begun = browser.post(f"/w/{worksheet}/uploads", data=form).get_json()
    for start in range(0, len(data), folders.PIECE):
        address = f"/w/{worksheet}/uploads/{begun['id']}?start={start}"
        assert browser.post(address, data=data[start : start + folders.PIECE]).status_code == 200


def test_a_worksheet_is_saved_and_updated_and_opened(web: WebApp, double: Double) -> None:
    browser, _ = connected(web, double)
    worksheet = sheet(browser, "Grüße: 1/2")
    fill(web, worksheet, "factor(2026)")
    *_, last = save(browser, worksheet)
    assert last == {"said": "Saved to your Dropbox as /Grüße 1 2.ipynb."}
    fill(web, worksheet, "factor(2027)")
    assert save(browser, worksheet)[-1] == last
    assert list(double.files) == ["/Grüße 1 2.ipynb"]
    assert b"factor(2027)" in double.files["/Grüße 1 2.ipynb"]

    page = browser.get("/dropbox")
    assert "Open Grüße 1 2.ipynb as a worksheet" in page.text
    opened = browser.post("/dropbox/open", data={"path": "/Grüße 1 2.ipynb"}).location
    assert "factor(2026)" in browser.get(f"{opened}/export.sage").text
    # What was opened is saved as what it was opened from
    fill(web, opened.rsplit("/", 1)[1], "factor(2028)")
    save(browser, opened.rsplit("/", 1)[1])
    assert list(double.files) == ["/Grüße 1 2.ipynb"]
    assert b"factor(2028)" in double.files["/Grüße 1 2.ipynb"]


def test_what_was_changed_there_is_kept(web: WebApp, double: Double) -> None:
    browser, _ = connected(web, double)
    worksheet = sheet(browser, "Mine")
    double.tell(put={"/Mine.ipynb": "of somebody"})
    assert "as it has another Mine.ipynb" in save(browser, worksheet)[-1]["said"]
    double.tell(put={"/Mine (1).ipynb": "changed there"})
    fill(web, worksheet, "1")
    said = save(browser, worksheet)[-1]["said"]
    assert "has been changed in your Dropbox" in said
    assert said.endswith("as Mine (1) (conflicted copy).ipynb.")
    assert double.files["/Mine.ipynb"] == b"of somebody"
    assert double.files["/Mine (1).ipynb"] == b"changed there"
    # Under another title it is another file
    browser.post(f"/w/{worksheet}/rename", data={"title": "Renamed"})
    assert save(browser, worksheet)[-1]["said"].endswith("as /Renamed.ipynb.")


def test_a_file_goes_there_with_progress_and_back(web: WebApp, double: Double) -> None:
    browser, _ = connected(web, double)
    worksheet, other = sheet(browser, "Data"), sheet(browser, "Other")
    data = bytes(range(256)) * 40_000
    upload(browser, worksheet, "sub/täble?.csv", data)
    first, second, last = save(browser, worksheet, "sub/täble?.csv")
    assert first == {"sent": CHUNK, "size": len(data)}
    assert second["sent"] == len(data)
    assert last["said"].endswith("as /Data/sub/täble-.csv.")
    assert double.files == {"/Data/sub/täble-.csv": data}
    for name in ("täble-.csv", "täble- (2).csv"):  # never over another one
        answer = browser.post(
            "/dropbox/fetch", data={"path": "/Data/sub/täble-.csv", "worksheet": other}
        )
        assert f"{name} is in the folder of “Other”" in answer.text
        assert browser.get(f"/w/{other}/files/{name}").data == data


def test_without_javascript_the_page_says_what_came_of_it(web: WebApp, double: Double) -> None:
    browser, _ = connected(web, double)
    worksheet = sheet(browser, "Plain")
    answer = browser.post(f"/w/{worksheet}/dropbox")
    assert "Saved to your Dropbox as /Plain.ipynb." in answer.text
    double.tell(room=0)
    fill(web, worksheet, "1")
    answer = browser.post(f"/w/{worksheet}/dropbox")
    assert (answer.status_code, "Your Dropbox is full" in answer.text) == (409, True)


def test_what_keeps_from_saving_is_said_with_what_helps(web: WebApp, double: Double) -> None:
    browser, _ = web.person("member")
    worksheet = sheet(browser)
    [last] = save(browser, worksheet)
    assert (last["connect"], last["problem"].startswith("Connect your Dropbox")) == (True, True)
    back(browser, double.consent(leave(browser)))
    [last] = save(browser, worksheet, "nothing.txt")
    assert (last["connect"], "can't be read" in last["problem"]) == (False, True)
    double.tell(withdraw=True)
    [last] = save(browser, worksheet)
    assert (last["connect"], "any more" in last["problem"]) == (True, True)


def test_nobody_saves_another_one_s_worksheet(web: WebApp, double: Double) -> None:
    ada, _ = connected(web, double, "Ada")
    eve, _ = connected(web, double, "Eve")
    worksheet = sheet(ada)
    double.tell(put={"/a.csv": "1"})
    assert eve.post(f"/w/{worksheet}/dropbox").status_code == 404
    form = {"path": "/a.csv", "worksheet": worksheet}
    assert eve.post("/dropbox/fetch", data=form).status_code == 404
    assert eve.post("/dropbox/fetch", data=form | {"worksheet": "x"}).status_code == 400
    guest, _ = web.person("guest")
    assert guest.get("/dropbox").status_code == 403


HOSTILE = {
    "/<script>alert(1)</script>.ipynb": "no notebook",
    "/.hidden": "1",
    "/latin.sage": "1",
    "/picture.png": "1",
}


def test_names_and_content_there_are_anybody_s(web: WebApp, double: Double) -> None:
    browser, _ = connected(web, double)
    worksheet = sheet(browser)
    double.tell(put=HOSTILE)
    page = browser.get("/dropbox")
    assert "<script>alert" not in page.text
    for path, words in (
        ("/<script>alert(1)</script>.ipynb", "notebook"),
        ("/picture.png", "can be imported"),
        ("/nowhere.sage", "no such thing"),
        ("no path", "refused"),
    ):
        answer = browser.post("/dropbox/open", data={"path": path})
        assert 400 <= answer.status_code < 600, path
        assert words in html.unescape(answer.text), path
        assert "<script>alert" not in answer.text
    answer = browser.post("/dropbox/fetch", data={"path": "/.hidden", "worksheet": worksheet})
    assert "begin with a dot" in answer.text
    assert browser.get(f"/w/{worksheet}/files").get_json()["files"] == []


def test_a_file_that_is_too_large_for_the_folder(
    database: Database, tmp_path: Path, double: Double
) -> None:
    web = app_with(database, tmp_path, double, limits_folder="1000")
    browser, _ = connected(web, double)
    worksheet = sheet(browser)
    double.tell(put={"/a.csv": "x" * 1001})
    answer = browser.post("/dropbox/fetch", data={"path": "/a.csv", "worksheet": worksheet})
    assert answer.status_code == 409
    assert browser.get(f"/w/{worksheet}/files").get_json()["used"] == 0


@pytest.mark.parametrize(
    ("text", "title", "parts"),
    [
        ("# A title\n\nSome *text*.\n\n```sage\n1 + 1\n```\n\nMore.", "A title",
         [("markdown", "Some *text*."), ("code", "1 + 1"), ("markdown", "More.")]),
        ("````python\n```\nx\n````", "name", [("code", "```\nx")]),
        ("```\nplain\n# no title\n```", "name", [("markdown", "```\nplain\n# no title\n```")]),
        ("~~~{python}\nopen", "name", [("code", "open")]),
        ("", "name", []),
    ],
)  # fmt: skip
def test_markdown_is_read(text: str, title: str, parts: list[tuple[str, str]]) -> None:
    found = markdown.read(text, "name")
    assert found.title == title
    assert [(part.kind, part.code) for part in found.parts] == parts


def test_markdown_that_was_written_is_read_again() -> None:
    parts = (Part("markdown", "## Part\n\ntext"), Part("code", "print('```')"), Part("code", "2"))
    found = markdown.read(markdown.write(Manuscript("T", parts)), "")
    assert found == Manuscript("T", parts)


# --- In a browser ----------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(running: Double) -> Iterator[RunningSite]:
    """A whole site that has an app at that Dropbox."""
    host.needs_sage()
    with host.short_folder() as folder:
        site = supervised(
            folder, providers_dropbox_id=APP, providers_dropbox_secret=SECRET,
            providers_dropbox_issuer=running.address,
        )  # fmt: skip
        site.start()
        yield site
        site.stop()


def test_in_a_browser_a_worksheet_and_a_file_are_saved_and_opened(
    whole: RunningSite, browser: Browser, double: Double
) -> None:
    with typing.signed_in(browser, whole) as context:
        tab = typing.new_worksheet(context, whole)
        tab.get_by_role("textbox", name="Title").fill("Primes")
        place = typing.run(tab, 1, "open('p.txt', 'w').write('2 3 5'); print(6 * 7)")
        expect(typing.finished(place)).to_contain_text("42")
        expect(tab.locator("#saved")).to_have_text("saved")
        choose(tab, "Save to Dropbox")
        tab.get_by_role("button", name="Connect Dropbox").click()
        connect(tab)
        tab.go_back()
        tab.goto(f"http://127.0.0.1:{whole.port}/")
        expect(typing.editor(tab, 1)).to_be_visible()
        choose(tab, "Save to Dropbox")
        expect(tab.get_by_text("Saved to your Dropbox as /Primes.ipynb.")).to_be_visible()
        choose(tab, "Files")
        tab.get_by_role("button", name="Save p.txt to Dropbox").click()
        expect(tab.get_by_text("Saved to your Dropbox as /Primes/p.txt.")).to_be_visible()
        assert double.files["/Primes/p.txt"] == b"2 3 5"
        check_page(tab, whole)
        tab.get_by_role("button", name="Open Primes.ipynb as a worksheet").click()
        expect(typing.editor(tab, 1)).to_contain_text("6 * 7")
        expect(typing.output(tab, 1)).to_contain_text("42")


def choose(tab: Tab, name: str) -> None:
    """In the worksheet's menu."""
    tab.get_by_role("button", name="Worksheet menu").click()
    tab.get_by_role("menu").get_by_text(name, exact=True).click()


def connect(tab: Tab) -> None:
    tab.get_by_role("button", name="Connect Dropbox").click()
    tab.get_by_role("button", name="Allow").click()
    expect(tab.get_by_text("Ada Lövelace")).to_be_visible()


def check_page(tab: Tab, site: RunningSite) -> None:
    """At phone width, in light and dark."""
    tab.goto(f"http://127.0.0.1:{site.port}/dropbox")
    tab.set_viewport_size({"width": 360, "height": 740})
    expect(tab.get_by_role("link", name="Primes/")).to_be_visible()
    tab.set_viewport_size({"width": 1280, "height": 800})
    edge = tab.get_by_role("button", name="Put Primes.ipynb into").bounding_box()
    table = tab.get_by_role("table", name="Files").locator("xpath=..").bounding_box()
    assert edge
    assert table
    assert edge["x"] + edge["width"] <= table["x"] + table["width"]
    tab.set_viewport_size({"width": 360, "height": 740})
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    for scheme in SCHEMES:
        tab.emulate_media(color_scheme=scheme)
        test_axe.check(tab)

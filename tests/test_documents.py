"""Worksheets as documents: their list, history, copies and trash."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import psycopg2
import pytest
import requests

from app import accounts, changes, copies, documents, permissions, transcripts, worksheets
from app.changes import Change, Content
from app.db import Database
from app.transcripts import Transcript
from app.web.history import restore
from app.wire.messages_pb2 import Finished, Frame, Queued, SaveCell, Stream
from supervisor.postgresql import database_url
from tests import host
from tests.page_client import Page, SignedIn
from tests.running_site import RunningSite

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def account(database: Database) -> str:
    with database.transaction() as cursor:
        return accounts.owner(cursor)


def new_cell(database: Database, account: str, worksheet: str, code: str, **fields: object) -> str:
    cell = str(uuid.uuid4())
    save(database, account, worksheet, cell, code, **fields)
    return cell


def save(
    database: Database, account: str, worksheet: str, cell: str, code: str, **fields: object
) -> None:
    content = Content(position=1.0, code=code, **fields)  # type: ignore[arg-type]
    with database.transaction() as cursor:
        worksheets.save_cell(cursor, worksheet, account, cell, content)


# --- The history ------------------------------------------------------------------


def rows(*seconds: float) -> Iterable[Change]:
    for number, second in enumerate(seconds, start=1):
        yield Change(number, START + timedelta(seconds=second), f"cell {number % 2}", "Emmy")


@pytest.mark.parametrize(
    ("seconds", "moments"),
    [
        ((), []),
        ((0,), [(1, 1)]),
        ((0, 1, 2), [(3, 2)]),
        ((0, 6, 7), [(1, 1), (3, 2)]),
        ((0, 4, 8, 12), [(4, 2)]),
        ((0, 4, 400), [(2, 2), (3, 1)]),
    ],
)
def test_changes_close_to_each_other_are_a_moment(
    seconds: tuple[float, ...], moments: list[tuple[int, int]]
) -> None:
    found = changes.gathered(rows(*seconds))
    assert [(moment.id, moment.cells) for moment in found] == moments


@pytest.mark.parametrize(
    ("content", "age", "same_person", "amends"),
    [
        (Content(1, "ab"), 1, True, True),
        (Content(2, "a"), 1, True, True),
        (Content(1, "ab"), 31, True, False),
        (Content(1, "ab"), 1, False, False),
        (Content(1, "a", "markdown"), 1, True, False),
        (Content(1, "a", deleted=True), 1, True, False),
    ],
)
def test_a_burst_of_typing_is_one_row(
    content: Content, age: float, same_person: bool, amends: bool
) -> None:
    latest = Content(1, "a")
    assert changes.is_amendment(latest, content, age=age, same_person=same_person) is amends


def test_every_state_can_be_had_back(database: Database, account: str) -> None:
    with database.transaction() as cursor:
        sheet = documents.create(cursor, account)
    kept = new_cell(database, account, sheet, "one")
    gone = new_cell(database, account, sheet, "two")
    with database.transaction() as cursor:
        cursor.execute("UPDATE changes SET began = began - interval '1 hour'")
        cursor.execute("SELECT max(id) FROM changes")
        row = cursor.fetchone()
        assert row
        moment = int(row[0])
    save(database, account, sheet, kept, "something else")
    save(database, account, sheet, gone, "two", deleted=True)
    late = new_cell(database, account, sheet, "three")

    def now() -> dict[str, tuple[str, bool]]:
        with database.reading() as cursor:
            cells = worksheets.load(cursor, sheet, "").cells
        return {cell.id: (cell.content.code, cell.content.deleted) for cell in cells}

    after = now()
    with database.transaction() as cursor:
        restore(cursor, sheet, account, moment)
    assert now() == {kept: ("one", False), gone: ("two", False), late: ("three", True)}
    with database.transaction() as cursor:  # what was restored over is history, too
        latest = [each.id for each in changes.moments(cursor, sheet)]
        cursor.execute("SELECT max(id) FROM changes WHERE code = 'three' AND NOT deleted")
        row = cursor.fetchone()
        assert row
        restore(cursor, sheet, account, int(row[0]))
    assert latest
    assert now() == after


# --- List, copies, trash ------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", ["Curves", "Numbers"]),
        ("curves", ["Curves"]),
        ("FACTOR", ["Numbers"]),
        ("numb actor", ["Numbers"]),
        ("curves factor", []),
        ("100%", ["Numbers"]),
        ("10%0", []),
        ("f_ctor", []),
        ("\0", ["Curves", "Numbers"]),
    ],
)
def test_search(database: Database, account: str, words: str, found: list[str]) -> None:
    with database.transaction() as cursor:
        documents.create(cursor, account, "Curves")
        numbers = documents.create(cursor, account, "Numbers")
    new_cell(database, account, numbers, "factor(100)  # 100% sure")
    new_cell(database, account, numbers, "curves", deleted=True)
    with database.reading() as cursor:
        entries = documents.entries(cursor, account, words=words)
    assert sorted(entry.title for entry in entries) == found


def test_a_starred_worksheet_is_on_top(database: Database, account: str) -> None:
    with database.transaction() as cursor:
        first = documents.create(cursor, account, "first")
    with database.transaction() as cursor:
        documents.create(cursor, account, "second")
        documents.star(cursor, account, first, starred=True)
        documents.star(cursor, account, first, starred=True)
        assert [each.title for each in documents.entries(cursor, account)] == ["first", "second"]
        documents.star(cursor, account, first, starred=False)
        assert [each.title for each in documents.entries(cursor, account)] == ["second", "first"]


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Two\n words ", "Two words"),
        ("", "Untitled"),
        ("\0", "Untitled"),
        ("x" * 1000, "x" * 200),
    ],
)
def test_a_title_is_one_line(typed: str, kept: str) -> None:
    assert documents.proper_title(typed) == kept


def test_a_copy_has_cells_and_output_but_not_the_run_that_goes_on(
    database: Database, account: str
) -> None:
    with database.transaction() as cursor:
        sheet = documents.create(cursor, account, "Original")
    cell = new_cell(database, account, sheet, "print('hello')")
    new_cell(database, account, sheet, "gone", deleted=True)
    said = Transcript(cell, "print('hello')", (
        Frame(queued=Queued(cell=cell, code="print('hello')", worksheet=sheet)),
        Frame(stream=Stream(text="hello\n")),
    ))  # fmt: skip
    with database.transaction() as cursor:
        transcripts.write(cursor, sheet, account, [said], {cell: cell}, language="", reason="")
        copy = copies.duplicate(cursor, sheet, account, "Copy")
        (copied,) = worksheets.load(cursor, copy, "").cells
        (output,) = transcripts.read(cursor, copy).values()
    assert copied.id != cell
    assert copied.content.code == "print('hello')"
    assert output.cell == copied.id
    assert [frame.stream.text for frame in output.frames][1] == "hello\n"
    assert output.frames[0].queued.cell == copied.id
    assert output.frames[0].queued.worksheet == copy
    assert output.frames[-1].finished.status == Finished.INTERRUPTED


def test_only_what_is_in_the_trash_is_deleted_for_ever(database: Database, account: str) -> None:
    with database.transaction() as cursor:
        sheet = documents.create(cursor, account)
        documents.purge(cursor, sheet)
        found = permissions.find(cursor, account, sheet)
        assert found
        assert found.writes
        documents.trash(cursor, sheet)
        found = permissions.find(cursor, account, sheet)
        assert found
        assert not found.writes
        assert documents.entries(cursor, account) == ()
        assert documents.latest(cursor, account) is None
        documents.purge(cursor, sheet)
        assert permissions.find(cursor, account, sheet) is None


# --- A whole site -------------------------------------------------------------------


def post(person: SignedIn, path: str, **fields: str) -> requests.Response:
    return person.http.post(
        f"{person.origin}{path}", data=fields, headers={"Origin": person.origin}, timeout=60
    )


def test_the_list_works_with_forms_alone(person: SignedIn) -> None:
    sheet = person.new_worksheet()
    assert "Gauß sums" in post(person, f"/w/{sheet}/rename", title=" Gauß  sums").text
    found = person.http.get(f"{person.origin}/worksheets", params={"q": "gauß"}, timeout=60).text
    assert f'href="/w/{sheet}"' in found
    after = post(person, f"/w/{sheet}/trash").text
    assert f'action="/w/{sheet}/restore"' in after
    assert f'href="/w/{sheet}"' not in after
    assert f'href="/w/{sheet}"' in post(person, f"/w/{sheet}/restore").text
    copy = post(person, f"/w/{sheet}/duplicate")
    assert 'value="Copy of Gauß sums"' in copy.text


@pytest.mark.parametrize("act", ["rename", "duplicate", "star", "trash", "restore", "purge"])
def test_what_another_site_sends_is_not_done(person: SignedIn, act: str) -> None:
    sheet = person.new_worksheet()
    for headers in ({}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = person.http.post(
            f"{person.origin}/w/{sheet}/{act}", headers=headers, timeout=60
        )
        assert answer.status_code == 400
    assert post(person, f"/w/{uuid.uuid4()}/{act}").status_code == 404


def test_a_page_is_told_what_its_worksheet_is_called_in_the_list(person: SignedIn) -> None:
    sheet = person.new_worksheet()
    page = Page(person, sheet)
    post(person, f"/w/{sheet}/rename", title="  Rings and fields  ")
    assert page.until(lambda m: m.HasField("title")).title.title == "Rings and fields"
    page.close()


def test_a_worksheet_in_the_trash_takes_no_changes(person: SignedIn) -> None:
    sheet = person.new_worksheet()
    page = Page(person, sheet)
    post(person, f"/w/{sheet}/trash")
    told = page.until(lambda m: m.HasField("saving")).saving
    assert told.delayed
    assert "in the trash" in told.reason
    page.save(str(uuid.uuid4()), "1+1")
    assert page.until(lambda m: m.HasField("saving")).saving.delayed
    post(person, f"/w/{sheet}/restore")
    assert not page.until(lambda m: m.HasField("saving")).saving.delayed
    page.close()
    page = Page(person, sheet)
    stored = page.until(lambda m: m.HasField("worksheet")).worksheet
    assert "1+1" not in [cell.code for cell in stored.cells]
    page.close()


def test_a_restored_version_reaches_those_who_have_it_open(
    site: RunningSite, person: SignedIn, page: Page
) -> None:
    cell = str(uuid.uuid4())
    page.save(cell, "1")
    page.until(lambda m: m.HasField("cell_saved"))
    page.send(save_cell=SaveCell(id=cell, position=1, code="1", deleted=True))
    page.until(lambda m: m.HasField("cell_saved") and m.cell_saved.revision == 2)
    address = f"{person.origin}/w/{page.worksheet}/history"
    history = person.http.get(address, timeout=60).text
    assert "deleted" in history
    with psycopg2.connect(database_url(host.settings_in(site.data_dir))) as asked:
        asking = asked.cursor()
        asking.execute("SELECT min(id) FROM changes WHERE cell = %s", (cell,))
        ((first,),) = asking.fetchall()
    asked.close()
    post(person, f"/w/{page.worksheet}/history/{first}")
    told = page.until(lambda m: m.HasField("cell") and not m.cell.deleted).cell
    assert (told.id, told.code, told.revision) == (cell, "1", 3)

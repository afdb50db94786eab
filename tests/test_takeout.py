"""All that a site has of a person, as one zip."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from pathlib import Path

import pytest

from app import accounts, documents, folders, notebooks, takeout, worksheets
from app.changes import Content
from app.db import Database
from tests.web_app import WebApp


@pytest.fixture
def web(database: Database, tmp_path: Path) -> WebApp:
    return WebApp(database, tmp_path)


def fill(web: WebApp, account: str, title: str, code: str, *, trashed: bool = False) -> str:
    """A worksheet of one cell and a file of two pieces."""
    data = [b"1" * folders.PIECE, b"22"]
    with web.database.transaction() as cursor:
        made = documents.create(cursor, account, title)
        content = Content(position=1.0, code=code, kind="code", deleted=False)
        worksheets.save_cell(
            cursor, made, account, str(uuid.uuid4()), content, folded=False, auto=False
        )
        size = sum(map(len, data))
        folders.put(cursor, made, "data/big.bin", iter(data), size, limit=10 * size)
        if trashed:
            documents.trash(cursor, made)
    return made


def test_a_person_takes_everything_of_theirs_and_nothing_else(web: WebApp) -> None:
    client, account = web.person("member", "Emmy Noether")
    _, other = web.person("member", "Somebody else")
    first = fill(web, account, "Rings / ideals: I", "1+1")
    second = fill(web, account, "Rings / ideals: I", "2+2", trashed=True)
    fill(web, other, "Secret", "3+3")
    answer = client.get("/account/export")
    assert answer.status_code == 200
    assert "Emmy Noether.zip" in answer.headers["Content-Disposition"]
    archive = zipfile.ZipFile(io.BytesIO(answer.data))
    assert archive.testzip() is None
    names = [f"Rings ideals I-{one[:8]}" for one in (first, second)]
    assert set(archive.namelist()) == {
        "README.txt", "account.json", "audit.json", "classes.json",
        f"worksheets/{names[0]}.ipynb", f"worksheets/trash/{names[1]}.ipynb",
        f"files/{names[0]}/data/big.bin", f"files/{names[1]}/data/big.bin",
        f"history/{names[0]}.jsonl", f"history/{names[1]}.jsonl",
    }  # fmt: skip
    notebook = notebooks.read(archive.read(f"worksheets/{names[0]}.ipynb").decode(), "")
    assert [part.code for part in notebook.parts] == ["1+1"]
    assert archive.read(f"files/{names[0]}/data/big.bin").endswith(b"1122")
    assert json.loads(archive.read("account.json"))["name"] == "Emmy Noether"
    again = zipfile.ZipFile(io.BytesIO(client.get("/account/export").data))
    assert "exported the account" in again.read("audit.json").decode()


def test_what_cells_were_before_is_taken_along(
    web: WebApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(takeout, "HISTORY_PAGE", 2)
    client, account = web.person("member", "Emmy Noether")
    made, cell = fill(web, account, "Rings", "1+1"), str(uuid.uuid4())
    for number in range(5):
        with web.database.transaction() as cursor:
            content = Content(position=2.0, code=f"a = {number}", kind="code")
            worksheets.save_cell(cursor, made, account, cell, content, typed=False)
    archive = zipfile.ZipFile(io.BytesIO(client.get("/account/export").data))
    lines = archive.read(f"history/Rings-{made[:8]}.jsonl").decode().splitlines()
    said = [json.loads(line) for line in lines]
    assert [one["code"] for one in said] == ["1+1", *(f"a = {number}" for number in range(5))]
    assert {one["by"] for one in said} == {"Emmy Noether"}


def test_whatever_table_has_something_of_a_person_was_thought_of(database: Database) -> None:
    """A table that is added later is to be taken along, or to be named here."""
    not_taken = {
        "invitations",  # hashes of secrets
        "flows",  # a browser that is at a provider just now
        "browsers",  # pages that are open just now
    }
    elsewhere = {  # in notebooks, histories, classes.json
        "worksheets", "changes", "class_members", "class_teachers", "handed_copies",
        "cell_comments", "handout_files", "visits_of_teachers",
    }  # fmt: skip
    with database.reading() as cursor:
        account = accounts.create(cursor, name="Emmy", role="member")
        listed = set(takeout._rows(cursor, account))
        cursor.execute(
            "SELECT table_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND column_name = 'account'"
        )
        there = {name for (name,) in cursor.fetchall()}
    assert there == not_taken | elsewhere | listed


def test_strangers_have_nothing_to_take(web: WebApp) -> None:
    assert web.client().get("/account/export").status_code == 403


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Algebra", "Algebra"), ("a/b\\c", "a b c"), ("..", "worksheet"), ("", "worksheet"),
        ("CON: x?", "CON x"), ("\0\n", "worksheet"), ("é" * 200, "é" * 80),
    ],
)  # fmt: skip
def test_titles_as_names_of_files(title: str, name: str) -> None:
    assert takeout.file_name(title) == name

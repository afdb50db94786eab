"""All that a site has of a person, as one zip: worksheets as notebooks, files, what is known.

Takes a cursor (of `app.db.Database`), whose transaction is of one moment; who may ask is settled
before. Nothing is gathered in memory but one worksheet and one piece of a file at a time.
"""

from __future__ import annotations

import json
import re
import zipfile
from datetime import datetime
from functools import partial
from typing import IO, Any

from psycopg2.extensions import cursor as Cursor

from app import audit, exchange, folders, kept_files, notebooks, people

LONGEST_NAME = 80  # characters of a worksheet's title in a file's name
MOST_ENTRIES = 100_000  # of the audit log
HISTORY_PAGE = 500  # rows
README = """Worksheets are Jupyter notebooks (.ipynb) with their output; those of the trash are in
worksheets/trash. What is in a worksheet's folder is in files/ under the same name, and what its
cells were before in history/, a line of JSON for each change. account.json is what the site knows
of the account, with its links, sessions and stars; audit.json, what it did and what was done to
it; classes.json, its classes, and what was returned in them. What was collected is in collected/.
"""


def write(cursor: Cursor, account: str, target: IO[bytes]) -> None:
    """Raises LookupError if there is no such account."""
    person = people.person(cursor, account)
    if person is None:
        raise LookupError(account)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", README)
        archive.writestr("account.json", _json(person.as_json() | _rows(cursor, account)))
        entries = audit.entries(cursor, account=account, limit=MOST_ENTRIES)
        archive.writestr("audit.json", _json([vars(entry) for entry in entries]))
        cursor.execute(
            "SELECT id::text, title, deleted IS NOT NULL FROM worksheets"
            " WHERE account = %s ORDER BY created, id",
            (account,),
        )
        for worksheet, title, trashed in cursor.fetchall():
            name = f"{file_name(title)}-{worksheet[:8]}"
            _write_worksheet(cursor, archive, worksheet, title, name, trashed=trashed)
        _write_classes(cursor, archive, account)


def file_name(title: str) -> str:
    """A title as a name that every system's files may have."""
    plain = re.sub(r'[\x00-\x1f/\\:*?"<>|]+', " ", title)
    return " ".join(plain.split())[:LONGEST_NAME].strip(". ") or "worksheet"


def _write_worksheet(
    cursor: Cursor, archive: zipfile.ZipFile, worksheet: str, title: str, name: str, *,
    trashed: bool,
) -> None:  # fmt: skip
    folder = "worksheets/trash" if trashed else "worksheets"
    notebook = notebooks.write(exchange.export(cursor, worksheet, title))
    archive.writestr(f"{folder}/{name}.ipynb", notebook)
    for file in folders.listing(cursor, worksheet):
        folders.pack(archive, f"files/{name}/{file.path}", partial(folders.piece, cursor, file.id))
    _write_history(cursor, archive, worksheet, f"history/{name}.jsonl")


def _write_history(
    cursor: Cursor, archive: zipfile.ZipFile, worksheet: str, name: str
) -> None:
    """What each cell was, with who has changed it, the oldest change first."""
    columns = ("began", "time", "cell", "by", "position", "kind", "code", "deleted")
    last = 0
    with archive.open(name, "w", force_zip64=True) as target:
        while True:
            cursor.execute(
                "SELECT changes.id, began, time, cell::text, coalesce(name, ''), position, kind,"
                " code, deleted FROM changes LEFT JOIN accounts ON accounts.id = account"
                " WHERE worksheet = %s AND changes.id > %s ORDER BY changes.id LIMIT %s",
                (worksheet, last, HISTORY_PAGE),
            )
            rows = cursor.fetchall()
            for _, *row in rows:
                line = dict(zip(columns, row, strict=True))
                said = json.dumps(line, ensure_ascii=False, default=_plain)
                target.write(f"{said}\n".encode())
            if len(rows) < HISTORY_PAGE:
                return
            last = rows[-1][0]


def _write_classes(cursor: Cursor, archive: zipfile.ZipFile, account: str) -> None:
    """What was collected of the person and returned to them, and which teachers were in theirs."""
    found: dict[str, list[dict[str, Any]]] = {}
    for part, table, time in (
        ("teaches", "class_teachers", "created"), ("attends", "class_members", "joined"),
    ):  # fmt: skip
        cursor.execute(
            f"SELECT title, {time} FROM {table} JOIN classes ON classes.id = class"
            f" WHERE account = %s ORDER BY {time}, classes.id",
            (account,),
        )
        found[part] = [{"title": title, "since": since} for title, since in cursor.fetchall()]
    cursor.execute(
        """
        SELECT handouts.id::text, classes.title, handouts.title, made, handed_copies.collected,
               as_of, returned, CASE WHEN returned IS NOT NULL THEN comment ELSE '' END,
               (SELECT jsonb_object_agg(cell + 1, cell_comments.comment) FROM cell_comments
                WHERE cell_comments.handout = handouts.id AND returned IS NOT NULL
                      AND cell_comments.account = handed_copies.account)
        FROM handed_copies JOIN handouts ON handouts.id = handout
                           JOIN classes ON classes.id = class
        WHERE account = %s ORDER BY made, handouts.id
        """,
        (account,),
    )
    columns = ("class", "title", "given", "collected", "as_of", "returned", "comment", "cells")
    rows = cursor.fetchall()
    found["copies"] = [dict(zip(columns, row[1:], strict=True)) for row in rows]
    cursor.execute(
        "SELECT title, coalesce(name, ''), began FROM visits_of_teachers AS visits"
        " JOIN worksheets ON worksheets.id = worksheet"
        " LEFT JOIN accounts ON accounts.id = visits.account"
        " WHERE worksheets.account = %s ORDER BY visits.id",
        (account,),
    )
    found["entered"] = [
        {"worksheet": title, "by": name, "when": began} for title, name, began in cursor.fetchall()
    ]
    archive.writestr("classes.json", _json(found))
    for handout, _, title, *_ in rows:
        cursor.execute(
            "SELECT notebook FROM handed_copies WHERE handout = %s AND account = %s"
            " AND notebook IS NOT NULL",
            (handout, account),
        )
        if row := cursor.fetchone():
            name = f"collected/{file_name(title)}-{handout[:8]}"
            archive.writestr(f"{name}.ipynb", row[0])
            kept_files.write(cursor, handout, account, archive, name)


def _rows(cursor: Cursor, account: str) -> dict[str, Any]:
    """Where else the person signs in, from which browsers they are in now, their Dropbox and what
    was saved there, links and stars, sessions, the processor time that they used lately, and the
    limits that were raised for them."""
    found = {}
    for table, columns in (
        ("identities", ("provider", "subject", "email", "linked")),
        ("sign_ins", ("created", "seen", "expires", "how", "address", "agent")),
        ("dropbox_accounts", ("name", "email", "connected")),
        ("dropbox_files", ("worksheet", "path", "saved_as")),
        ("shares", ("worksheet", "key", "created", "expires")),
        ("stars", ("worksheet",)),
        ("sessions", ("id", "worksheet", "language", "started", "ended", "reason")),
        ("consumption", ("session", "since", "seconds", "cpu_seconds")),
        ("raised_limits", ("name", "value", "reason", "created", "expires")),
    ):
        cursor.execute(
            f"SELECT {', '.join(columns)} FROM {table} WHERE account = %s", (account,)
        )
        found[table] = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    return found


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=_plain)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)

"""All that a site has of a person, as one zip: worksheets as notebooks, files, what is known.

Takes a cursor (of `app.db.Database`), whose transaction is of one moment; who may ask is settled
before. Nothing is gathered in memory but one worksheet and one piece of a file at a time.
"""

from __future__ import annotations

import json
import re
import zipfile
from datetime import datetime
from typing import IO, Any

from psycopg2.extensions import cursor as Cursor

from app import audit, exchange, folders, notebooks, people

LONGEST_NAME = 80  # characters of a worksheet's title in a file's name
MOST_ENTRIES = 100_000  # of the audit log
README = """Worksheets are Jupyter notebooks (.ipynb) with their output; those of the trash are in
worksheets/trash. What is in a worksheet's folder is in files/ under the same name. account.json
is what the site knows of the account; audit.json, what it did and what was done to it.
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
        with archive.open(f"files/{name}/{file.path}", "w", force_zip64=True) as target:
            start = 0
            while data := folders.piece(cursor, file.id, start):
                target.write(data)
                start += len(data)


def _rows(cursor: Cursor, account: str) -> dict[str, Any]:
    """Where else the person signs in, from which browsers they are in now, and the limits that
    were raised for them."""
    found = {}
    for table, columns in (
        ("identities", ("provider", "subject", "email", "linked")),
        ("sign_ins", ("created", "seen", "expires", "how", "address", "agent")),
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

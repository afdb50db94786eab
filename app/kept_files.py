"""Files of worksheets as they were when these were handed out, or collected of somebody.

Every function takes a cursor (of `app.db.Database`). `account`: of whom they were collected;
None: they were handed out.
"""

from __future__ import annotations

import uuid
import zipfile
from dataclasses import dataclass
from functools import partial

from psycopg2.extensions import cursor as Cursor

from app import folders


@dataclass(frozen=True)
class KeptFile:
    id: str
    path: str
    size: int  # bytes


def keep(cursor: Cursor, handout: str, worksheet: str, account: str | None = None) -> None:
    """Keep the files that a worksheet has now."""
    for file in folders.listing(cursor, worksheet):
        kept = str(uuid.uuid4())
        cursor.execute(
            "INSERT INTO handout_files (id, handout, path, size, account)"
            " VALUES (%s, %s, %s, %s, %s)",
            (kept, handout, file.path, file.size, account),
        )
        cursor.execute(
            "INSERT INTO handout_pieces (file, start, data)"
            " SELECT %s, start, data FROM file_pieces WHERE file = %s",
            (kept, file.id),
        )


def listed(cursor: Cursor, handout: str, account: str | None = None) -> list[KeptFile]:
    """By path."""
    cursor.execute(
        "SELECT id::text, path, size FROM handout_files"
        " WHERE handout = %s AND account IS NOT DISTINCT FROM %s ORDER BY path",
        (handout, account),
    )
    return [KeptFile(*row) for row in cursor.fetchall()]


def give(cursor: Cursor, handout: str, worksheet: str) -> None:
    """Put what was handed out into the folder of a worksheet."""
    for file in listed(cursor, handout):
        made = str(uuid.uuid4())
        cursor.execute(
            "INSERT INTO files (id, worksheet, path, size, received, complete)"
            " VALUES (%s, %s, %s, %s, %s, true)",
            (made, worksheet, file.path, file.size, file.size),
        )
        cursor.execute(
            "INSERT INTO file_pieces (file, start, data)"
            " SELECT %s, start, data FROM handout_pieces WHERE file = %s",
            (made, file.id),
        )


def write(
    cursor: Cursor, handout: str, account: str, archive: zipfile.ZipFile, folder: str
) -> None:
    """Put what was collected of somebody into a folder of a zip, a piece at a time."""
    for file in listed(cursor, handout, account):
        folders.pack(archive, f"{folder}/{file.path}", partial(_piece, cursor, file.id))


def _piece(cursor: Cursor, file: str, start: int) -> bytes:
    cursor.execute(
        "SELECT data FROM handout_pieces WHERE file = %s AND start = %s", (file, start)
    )
    row = cursor.fetchone()
    return bytes(row[0]) if row else b""

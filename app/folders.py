"""The folders of worksheets, as the database keeps them: files that outlive sessions.

A session has a copy of its worksheet's at home (`app/sage/keeper.py`). Every function takes a
cursor (of `app.db.Database`); who may ask is settled before, by `app.permissions`. Content comes
and goes in pieces of at most PIECE bytes, so that no process holds a large file.
"""

from __future__ import annotations

import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import cursor as Cursor

PIECE = 1 << 19  # bytes
MOST = 1000  # files of a worksheet
LONGEST_PATH = 500  # characters
LONGEST_NAME = 255  # bytes, as of Linux
ABANDONED = "7 days"  # after which an upload that nobody goes on with is forgotten


class FolderError(Exception):
    """It can't be done; the text is for the person who asked."""


@dataclass(frozen=True)
class File:
    id: str  # another one whenever its content has changed
    path: str
    size: int
    changed: datetime


@dataclass(frozen=True)
class Upload:
    id: str
    path: str
    size: int
    received: int


def check_path(path: str) -> str:
    """`path` if a file may have it. Raises FolderError."""
    parts = path.split("/")
    if not 0 < len(path) <= LONGEST_PATH or not all(
        part and part.isprintable() and len(part.encode("utf-8", "replace")) <= LONGEST_NAME
        for part in parts
    ):
        raise FolderError("That is no name for a file.")
    if any(part.startswith(".") for part in parts):
        raise FolderError("Names that begin with a dot are not kept.")
    return path


def has_files(cursor: Cursor, worksheet: str) -> bool:
    cursor.execute(
        "SELECT EXISTS (SELECT 1 FROM files WHERE worksheet = %s AND complete)", (worksheet,)
    )
    row = cursor.fetchone()
    return bool(row and row[0])


def listing(cursor: Cursor, worksheet: str) -> list[File]:
    """Its files, by path."""
    cursor.execute(
        "SELECT id::text, path, size, changed FROM files WHERE worksheet = %s AND complete"
        ' ORDER BY path COLLATE "C"',
        (worksheet,),
    )
    return [File(*row) for row in cursor.fetchall()]


def find(cursor: Cursor, worksheet: str, path: str) -> File | None:
    cursor.execute(
        "SELECT id::text, path, size, changed FROM files"
        " WHERE worksheet = %s AND path = %s AND complete",
        (worksheet, path),
    )
    row = cursor.fetchone()
    return File(*row) if row else None


def piece(cursor: Cursor, file: str, start: int) -> bytes:
    """What a file has from `start` on, up to the end of its piece; empty at the end."""
    cursor.execute(
        "SELECT data FROM file_pieces WHERE file = %s AND start = %s", (file, start)
    )
    row = cursor.fetchone()
    return bytes(row[0]) if row else b""


def pieces(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """All of a file, a piece at a time; `read(start)` is as `piece`."""
    start = 0
    while data := read(start):
        yield data
        start += len(data)


def pack(archive: zipfile.ZipFile, name: str, read: Callable[[int], bytes]) -> None:
    """Put a file into a zip; `read` as for `pieces`."""
    with archive.open(name, "w", force_zip64=True) as target:
        for data in pieces(read):
            target.write(data)


def used(cursor: Cursor, worksheet: str) -> int:
    """Bytes of its files, and of the uploads under way."""
    cursor.execute(
        "SELECT coalesce(sum(size), 0)::bigint FROM files WHERE worksheet = %s", (worksheet,)
    )
    row = cursor.fetchone()
    return int(row[0]) if row else 0


# --- Changing it ----------------------------------------------------------------------


def begin(
    cursor: Cursor, worksheet: str, path: str, size: int, *, limit: int, mark: str = ""
) -> Upload:
    """Begin to write a file of `size` bytes, or go on with what was begun with the same `mark`.

    `limit`: bytes that the folder may have. Raises FolderError.
    """
    check_path(path)
    cursor.execute("SELECT 1 FROM worksheets WHERE id = %s FOR UPDATE", (worksheet,))
    cursor.execute(
        "DELETE FROM files WHERE worksheet = %s AND NOT complete"
        f" AND (changed < now() - interval '{ABANDONED}' OR (path = %s AND mark <> %s))",
        (worksheet, path, mark),
    )
    cursor.execute(
        "SELECT id::text, path, size, received FROM files WHERE worksheet = %s"
        " AND NOT complete AND path = %s AND mark = %s AND size = %s AND mark <> ''",
        (worksheet, path, mark, size),
    )
    if row := cursor.fetchone():
        return Upload(*row)
    _check_room(cursor, worksheet, path, size, limit)
    made = str(uuid.uuid4())
    cursor.execute(
        "INSERT INTO files (id, worksheet, path, size, mark) VALUES (%s, %s, %s, %s, %s)",
        (made, worksheet, path, size, mark),
    )
    return Upload(made, path, size, 0)


def add(cursor: Cursor, worksheet: str, upload: str, start: int, data: bytes) -> Upload:
    """Take the next piece; one that is here already changes nothing. Raises FolderError."""
    found = under_way(cursor, worksheet, upload)
    if start == found.received and data:
        if start + len(data) > found.size or len(data) > PIECE:
            raise FolderError("That is more than was announced.")
        cursor.execute(
            "INSERT INTO file_pieces (file, start, data) VALUES (%s, %s, %s)",
            (upload, start, data),
        )
        cursor.execute(
            "UPDATE files SET received = received + %s, changed = now() WHERE id = %s",
            (len(data), upload),
        )
        return Upload(found.id, found.path, found.size, start + len(data))
    return found


def under_way(cursor: Cursor, worksheet: str, upload: str) -> Upload:
    """How far an upload has come. Raises FolderError."""
    cursor.execute(
        "SELECT id::text, path, size, received FROM files"
        " WHERE worksheet = %s AND id = %s AND NOT complete FOR UPDATE",
        (worksheet, upload),
    )
    row = cursor.fetchone()
    if row is None:
        raise FolderError("There is no such upload, or not any more.")
    return Upload(*row)


def finish(cursor: Cursor, worksheet: str, upload: Upload) -> bool:
    """If all of it is here it becomes the file of its path; whether it has."""
    if upload.received < upload.size:
        return False
    remove(cursor, worksheet, upload.path)
    cursor.execute(
        "UPDATE files SET complete = true, mark = '', changed = now() WHERE id = %s", (upload.id,)
    )
    return True


def give_up(cursor: Cursor, worksheet: str, upload: str) -> None:
    cursor.execute(
        "DELETE FROM files WHERE worksheet = %s AND id = %s AND NOT complete", (worksheet, upload)
    )


def put(
    cursor: Cursor, worksheet: str, path: str, pieces: Iterator[bytes], size: int, *, limit: int
) -> str:
    """Write a file; its id. Raises FolderError."""
    upload = begin(cursor, worksheet, path, size, limit=limit)
    for data in pieces:
        upload = add(cursor, worksheet, upload.id, upload.received, data)
    if upload.received < size:  # it became shorter while it was read
        cursor.execute("UPDATE files SET size = received WHERE id = %s", (upload.id,))
        upload = Upload(upload.id, path, upload.received, upload.received)
    finish(cursor, worksheet, upload)
    return upload.id


def remove(cursor: Cursor, worksheet: str, path: str, *, id: str = "") -> bool:
    """Delete a file, with `id` only if it is that one still; whether it was there."""
    cursor.execute(
        "DELETE FROM files WHERE worksheet = %s AND path = %s AND complete"
        " AND (%s = '' OR id::text = %s)",
        (worksheet, path, id, id),
    )
    return bool(cursor.rowcount)


def rename(cursor: Cursor, worksheet: str, path: str, new: str) -> None:
    """Raises FolderError."""
    check_path(new)
    if find(cursor, worksheet, new) is not None:
        raise FolderError(f"There is a file {new} already.")
    cursor.execute(
        "UPDATE files SET path = %s WHERE worksheet = %s AND path = %s AND complete",
        (new, worksheet, path),
    )
    if not cursor.rowcount:
        raise FolderError(f"There is no file {path} any more.")


def copy(cursor: Cursor, worksheet: str, made: str) -> None:
    """Give the worksheet `made` the files of another one."""
    for file in listing(cursor, worksheet):
        id = str(uuid.uuid4())
        cursor.execute(
            "INSERT INTO files (id, worksheet, path, size, received, complete, changed)"
            " VALUES (%s, %s, %s, %s, %s, true, %s)",
            (id, made, file.path, file.size, file.size, file.changed),
        )
        cursor.execute(
            "INSERT INTO file_pieces (file, start, data)"
            " SELECT %s, start, data FROM file_pieces WHERE file = %s",
            (id, file.id),
        )


def _check_room(cursor: Cursor, worksheet: str, path: str, size: int, limit: int) -> None:
    """Raises FolderError if a file of `size` bytes would be too much."""
    replaced = find(cursor, worksheet, path)
    room = limit - used(cursor, worksheet) + (replaced.size if replaced else 0)
    if size > room:
        raise FolderError(
            f"{path} has {_amount(size)}, but the folder has room for {_amount(max(0, room))}"
            f" of its {_amount(limit)}: delete something first."
        )
    cursor.execute("SELECT count(*) FROM files WHERE worksheet = %s", (worksheet,))
    row = cursor.fetchone()
    if row and row[0] >= MOST and not replaced:
        raise FolderError(f"The folder has {MOST} files, which is the most: delete some first.")


def _amount(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size} bytes"

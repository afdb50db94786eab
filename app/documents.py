"""Worksheets as documents: their list, their names, copies, stars and the trash.

Every function takes a cursor (of `app.db.Database`) and asks one question. Who may ask it
is settled before, by `app.permissions`.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import cursor as Cursor

from app import burials

UNTITLED = "Untitled"
LONGEST_TITLE = 200  # characters
COMMAND_LINE = '{"salvus": {"console": true}}'  # metadata of the worksheet that is one


@dataclass(frozen=True)
class Entry:
    """A line of the list of worksheets; `first` is the beginning of its first cell."""

    id: str
    title: str
    changed: datetime
    cells: int
    first: str
    starred: bool


def create(cursor: Cursor, account: str, title: str = UNTITLED) -> str:
    """Make an empty worksheet and return its id."""
    worksheet = str(uuid.uuid4())
    cursor.execute(
        "INSERT INTO worksheets (id, account, title) VALUES (%s, %s, %s)",
        (worksheet, account, proper_title(title)),
    )
    return worksheet


def proper_title(title: str) -> str:
    """A title as it is kept: one line, not empty, not endless."""
    return " ".join(title.replace("\0", "").split())[:LONGEST_TITLE] or UNTITLED


def latest(cursor: Cursor, account: str) -> str | None:
    """The worksheet that this account changed most recently."""
    cursor.execute(
        "SELECT id::text FROM worksheets WHERE account = %s AND deleted IS NULL"
        " ORDER BY changed DESC, id LIMIT 1",
        (account,),
    )
    row = cursor.fetchone()
    return row[0] if row else None


def is_newcomer(cursor: Cursor, account: str) -> bool:
    """Whether this account has no more than the worksheet it began with."""
    cursor.execute(
        "SELECT count(*) < 2 FROM (SELECT FROM worksheets WHERE account = %s LIMIT 2) AS first",
        (account,),
    )
    return bool((cursor.fetchone() or (False,))[0])


def command_line(cursor: Cursor, account: str, title: str) -> str:
    """The worksheet in which this account's command line goes on.

    If there is none it is made, with `title`.
    """
    cursor.execute("SELECT pg_advisory_xact_lock(hashtext('console'), hashtext(%s))", (account,))
    cursor.execute(
        "SELECT id::text FROM worksheets WHERE account = %s AND deleted IS NULL"
        " AND metadata @> %s ORDER BY changed DESC, id LIMIT 1",
        (account, COMMAND_LINE),
    )
    row = cursor.fetchone()
    if row is not None:
        return str(row[0])
    made = create(cursor, account, title)
    cursor.execute("UPDATE worksheets SET metadata = %s WHERE id = %s", (COMMAND_LINE, made))
    return made


def entries(
    cursor: Cursor, account: str, *, words: str = "", trashed: bool = False
) -> tuple[Entry, ...]:
    """This account's worksheets, starred ones first, then the most recently changed.

    `words`: each of them is in the title or in a cell, whatever its case.
    """
    patterns = [f"%{_literal(word)}%" for word in words.replace("\0", "").split()]
    cursor.execute(
        """
        SELECT id::text, title, changed,
               (SELECT count(*) FROM cells WHERE worksheet = worksheets.id AND NOT deleted),
               coalesce((SELECT left(code, 200) FROM cells
                         WHERE worksheet = worksheets.id AND NOT deleted
                         ORDER BY position, id LIMIT 1), ''),
               EXISTS (SELECT 1 FROM stars WHERE account = %(account)s
                       AND worksheet = worksheets.id) AS starred
        FROM worksheets
        WHERE account = %(account)s AND (deleted IS NOT NULL) = %(trashed)s
              AND NOT EXISTS (
                  SELECT 1 FROM unnest(%(patterns)s::text[]) AS word
                  WHERE title NOT ILIKE word AND NOT EXISTS (
                      SELECT 1 FROM cells WHERE worksheet = worksheets.id AND NOT deleted
                      AND code ILIKE word))
        ORDER BY starred DESC, coalesce(deleted, changed) DESC, id
        """,
        {"account": account, "trashed": trashed, "patterns": patterns},
    )
    return tuple(Entry(*row) for row in cursor.fetchall())


def _literal(word: str) -> str:
    """A word that LIKE takes as it is."""
    return word.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")


def rename(cursor: Cursor, worksheet: str, title: str) -> str:
    """Give a worksheet another title; the title as it is kept."""
    kept = proper_title(title)
    cursor.execute("UPDATE worksheets SET title = %s WHERE id = %s", (kept, worksheet))
    return kept


def star(cursor: Cursor, account: str, worksheet: str, *, starred: bool) -> None:
    if starred:
        cursor.execute(
            "INSERT INTO stars (account, worksheet) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            (account, worksheet),
        )
    else:
        cursor.execute(
            "DELETE FROM stars WHERE account = %s AND worksheet = %s", (account, worksheet)
        )


def trash(cursor: Cursor, worksheet: str) -> None:
    """Put a worksheet into the trash, from where `restore` takes it."""
    cursor.execute(
        "UPDATE worksheets SET deleted = now() WHERE id = %s AND deleted IS NULL", (worksheet,)
    )


def restore(cursor: Cursor, worksheet: str) -> None:
    cursor.execute("UPDATE worksheets SET deleted = NULL WHERE id = %s", (worksheet,))


def purge(cursor: Cursor, worksheet: str) -> None:
    """Delete a worksheet of the trash, with its history and output: for ever."""
    cursor.execute(
        "SELECT FROM worksheets WHERE id = %s AND deleted IS NOT NULL FOR UPDATE", (worksheet,)
    )
    if cursor.rowcount:
        burials.bury(cursor, [worksheet])

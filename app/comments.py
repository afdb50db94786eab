"""What teachers say of collected copies, cell by cell and overall, in Markdown.

The student reads it once the copy is returned, then also what is changed later. Every function
takes a cursor (of `app.db.Database`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from app import audit

LONGEST = 20_000  # characters of a comment


@dataclass(frozen=True)
class Commented:
    """A copy as it was collected, with what was said of it."""

    notebook: str
    overall: str
    cells: Mapping[int, str]  # by the place of the cell, from 0


def read(cursor: Cursor, handout: str, account: str) -> Commented | None:
    """None if nothing was collected."""
    cursor.execute(
        "SELECT notebook, comment FROM handed_copies"
        " WHERE handout = %s AND account = %s AND notebook IS NOT NULL",
        (handout, account),
    )
    row = cursor.fetchone()
    if row is None:
        return None
    notebook, overall = row
    cursor.execute(
        "SELECT cell, comment FROM cell_comments WHERE handout = %s AND account = %s",
        (handout, account),
    )
    return Commented(notebook, overall, dict(cursor.fetchall()))


def write(
    cursor: Cursor, handout: str, account: str, overall: str, cells: Mapping[int, str]
) -> None:
    """Say this instead of what was said before."""
    cursor.execute(
        "UPDATE handed_copies SET comment = %s WHERE handout = %s AND account = %s",
        (_proper(overall), handout, account),
    )
    cursor.execute(
        "DELETE FROM cell_comments WHERE handout = %s AND account = %s", (handout, account)
    )
    said = [
        (handout, account, cell, comment)
        for cell, text in cells.items()
        if (comment := _proper(text))
    ]
    execute_values(
        cursor, "INSERT INTO cell_comments (handout, account, cell, comment) VALUES %s", said
    )


def _proper(comment: str) -> str:
    """As it is kept; PostgreSQL's text can't hold U+0000."""
    return comment.replace("\0", "").replace("\r\n", "\n").strip()[:LONGEST]


def give_back(cursor: Cursor, handout: str, account: str = "", *, actor: str) -> list[str]:
    """Return a collected copy, or all that were not returned yet; to whom."""
    cursor.execute(
        "UPDATE handed_copies SET returned = now()"
        " WHERE handout = %(handout)s AND collected IS NOT NULL"
        " AND (account::text = %(account)s OR %(account)s = '' AND returned IS NULL)"
        " RETURNING account::text",
        {"handout": handout, "account": account},
    )
    found = [row[0] for row in cursor.fetchall()]
    cursor.execute(
        "SELECT classes.title || ': ' || handouts.title FROM handouts"
        " JOIN classes ON classes.id = class WHERE handouts.id = %s",
        (handout,),
    )
    (title,) = cursor.fetchone() or ("",)
    for student in found:
        audit.note(cursor, actor=actor, action="returned", subject=student, detail=title)
    return found


def as_text(commented: Commented) -> str:
    """All of it as one Markdown text, empty if nothing was said."""
    parts = [commented.overall] if commented.overall else []
    parts += [
        f"## Cell {place + 1}\n\n{comment}" for place, comment in sorted(commented.cells.items())
    ]
    return "\n\n".join(parts) + "\n" if parts else ""

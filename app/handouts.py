"""Worksheets handed out in classes: each member gets a copy, also who joins later.

Who has which copy is a row of `handed_copies`. `give_next` makes one that is missing: whoever
calls it until nothing is missing has handed out everything, however many do so at a time.
Every function takes a cursor (of `app.db.Database`).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import cursor as Cursor

from app import audit, exchange, kept_files, notebooks
from app.classes import Class

MOST = 500  # worksheets that a class hands out


class BadHandout(Exception):
    """It can't be handed out so."""


class TooMany(BadHandout):
    pass


class PastDeadline(BadHandout):
    """The deadline is not in the future."""


@dataclass(frozen=True)
class Handout:
    id: str
    class_: str
    title: str
    created: datetime
    deadline: datetime | None  # None: it is collected when a teacher says so
    collected: datetime | None
    gathered: int  # copies that were collected
    returned: int  # of those

    @property
    def is_due(self) -> bool:
        """Whether it is to be collected still, at a deadline or when a teacher says so."""
        return self.collected is None


@dataclass(frozen=True)
class Given:
    """A copy that has been made."""

    class_title: str
    title: str
    account: str  # whose it is
    worksheet: str


HANDOUT = """
    SELECT id::text, class::text, title, created, deadline, collected,
           (SELECT count(*) FROM handed_copies
            WHERE handout = handouts.id AND handed_copies.collected IS NOT NULL),
           (SELECT count(*) FROM handed_copies
            WHERE handout = handouts.id AND returned IS NOT NULL)
    FROM handouts
"""


def listed(cursor: Cursor, class_: str) -> list[Handout]:
    """What a class has been given, the latest first."""
    cursor.execute(HANDOUT + "WHERE class = %s ORDER BY created DESC, id", (class_,))
    return [Handout(*row) for row in cursor.fetchall()]


def find(cursor: Cursor, class_: str, id: str) -> Handout | None:
    cursor.execute(HANDOUT + "WHERE class = %s AND id = %s", (class_, id))
    row = cursor.fetchone()
    return Handout(*row) if row else None


# --- Handing out ----------------------------------------------------------------------


def hand_out(
    cursor: Cursor, class_: Class, worksheet: str, title: str, deadline: datetime | None, *,
    actor: str,
) -> str:  # fmt: skip
    """Keep a worksheet with its files, as it is now, to be given to all; the handout's id.

    Raises TooMany, PastDeadline.
    """
    if len(listed(cursor, class_.id)) >= MOST:
        raise TooMany(f"a class hands out at most {MOST} worksheets")
    _check(cursor, deadline)
    made = str(uuid.uuid4())
    notebook = notebooks.write(exchange.export(cursor, worksheet, title))
    notebooks.read(notebook, title)  # or nobody would ever get it
    cursor.execute(
        "INSERT INTO handouts (id, class, title, notebook, deadline) VALUES (%s, %s, %s, %s, %s)",
        (made, class_.id, title, notebook, deadline),
    )
    kept_files.keep(cursor, made, worksheet)
    audit.note(cursor, actor=actor, action="handed out", detail=f"{class_.title}: {title}")
    return made


def set_deadline(cursor: Cursor, handout: str, deadline: datetime | None) -> bool:
    """Another deadline for what is to be collected still and whose deadline has not passed;
    whether it is. Raises PastDeadline."""
    _check(cursor, deadline)
    cursor.execute(
        "UPDATE handouts SET deadline = %s WHERE id = %s AND collected IS NULL"
        " AND (deadline IS NULL OR deadline > now())",
        (deadline, handout),
    )
    return bool(cursor.rowcount)


def _check(cursor: Cursor, deadline: datetime | None) -> None:
    """By the database's clock, by which it is collected. Raises PastDeadline."""
    cursor.execute("SELECT %s::timestamptz <= now()", (deadline,))
    (is_past,) = cursor.fetchone() or (False,)
    if is_past:
        raise PastDeadline("the deadline has passed already")


# --- Giving it to each ----------------------------------------------------------------


def give_next(cursor: Cursor) -> Given | None:
    """Make a copy that a member of a class lacks; None if nobody lacks any, or others see to it."""
    while True:
        cursor.execute(
            """
            SELECT handouts.id::text, classes.title, handouts.title, handouts.notebook,
                   account::text
            FROM class_members JOIN classes ON classes.id = class_members.class
                               JOIN handouts ON handouts.class = class_members.class
            WHERE archived IS NULL AND NOT EXISTS (
                  SELECT 1 FROM handed_copies
                  WHERE handout = handouts.id AND account = class_members.account)
            ORDER BY handouts.created, account LIMIT 1 FOR UPDATE OF class_members SKIP LOCKED
            """
        )
        row = cursor.fetchone()
        if row is None:
            return None
        handout, class_title, title, notebook, account = row
        cursor.execute(
            "INSERT INTO handed_copies (handout, account) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            (handout, account),
        )
        if cursor.rowcount:  # else somebody has just given it, and we saw the time before
            break
    worksheet = exchange.bring_in(cursor, account, notebooks.read(notebook, title))
    kept_files.give(cursor, handout, worksheet)
    cursor.execute(
        "UPDATE handed_copies SET worksheet = %s WHERE handout = %s AND account = %s",
        (worksheet, handout, account),
    )
    return Given(class_title, title, account, worksheet)

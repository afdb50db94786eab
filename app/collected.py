"""The copies of what was handed out: who has which, what was collected of it.

A copy is collected as it was at the deadline, whenever that is done: what cells were is in
their history. Files have none: they are kept as they are found. Each step collects one copy and
locks its row, so however many app servers take steps, each copy is collected once. Every
function takes a cursor (of `app.db.Database`).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime

from psycopg2.extensions import cursor as Cursor

from app import audit, exchange, kept_files, notebooks
from app.manuscript import Manuscript, Part

SETTLE = 3.0  # seconds after a moment until output from before it has come to the database
CLOCK = "deadline"  # who collects, in the audit log
LOST = "*The output of these cells could not be collected.*"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Copy:
    """What a student has of a handout, or of which something was collected."""

    handout: str
    account: str
    name: str
    attends: bool  # is in the class still
    worksheet: str  # empty: not given yet, or deleted
    given: datetime | None
    changed: datetime | None  # since it was given, by the student
    collected: datetime | None
    as_of: datetime | None  # what was collected is the worksheet as it was then
    kept: bool  # something was collected: else the worksheet was gone by then
    returned: datetime | None


@dataclass(frozen=True)
class Finished:
    """A handout of which all copies have been collected."""

    id: str
    class_: str
    title: str


COPY = """
    SELECT handouts.id::text, accounts.id::text, name, class_members.account IS NOT NULL,
           coalesce(worksheet::text, ''), made,
           CASE WHEN worksheets.changed > made THEN worksheets.changed END,
           handed_copies.collected, as_of, handed_copies.notebook IS NOT NULL, returned
    FROM handouts CROSS JOIN accounts
         LEFT JOIN handed_copies ON handout = handouts.id AND handed_copies.account = accounts.id
         LEFT JOIN class_members ON class_members.class = handouts.class
                                 AND class_members.account = accounts.id
         LEFT JOIN worksheets ON worksheets.id = worksheet
    WHERE (class_members.account IS NOT NULL OR handed_copies.collected IS NOT NULL)
"""


def roster(cursor: Cursor, handout: str) -> list[Copy]:
    """Everybody who is to have a copy, and of whom one was collected, by name."""
    cursor.execute(
        COPY + "AND handouts.id = %s ORDER BY lower(name), accounts.id", (handout,)
    )
    return [Copy(*row) for row in cursor.fetchall()]


def of_student(cursor: Cursor, class_: str, account: str) -> dict[str, Copy]:
    """What a student has in a class, by handout."""
    cursor.execute(COPY + "AND handouts.class = %s AND accounts.id = %s", (class_, account))
    found = [Copy(*row) for row in cursor.fetchall()]
    return {copy.handout: copy for copy in found}


def find(cursor: Cursor, handout: str, account: str) -> Copy | None:
    cursor.execute(COPY + "AND handouts.id = %s AND accounts.id = %s", (handout, account))
    row = cursor.fetchone()
    return Copy(*row) if row else None


# --- Collecting -----------------------------------------------------------------------


def collect_due(cursor: Cursor) -> bool:
    """Collect a copy whose deadline has passed; whether there was one that nobody else has."""
    cursor.execute(
        """
        SELECT handouts.id::text, handed_copies.account::text, worksheet::text, deadline
        FROM handed_copies JOIN handouts ON handouts.id = handout
             JOIN class_members ON class_members.class = handouts.class
                                AND class_members.account = handed_copies.account
        WHERE handouts.collected IS NULL AND handed_copies.collected IS NULL
              AND deadline <= now() - make_interval(secs => %s) AND made <= deadline
        ORDER BY deadline, handouts.id LIMIT 1 FOR UPDATE OF handed_copies SKIP LOCKED
        """,
        (SETTLE,),
    )
    return _collect_found(cursor)


def moment(cursor: Cursor) -> datetime:
    """Now, by the database's clock, as all that has a history."""
    cursor.execute("SELECT now()")
    ((now,),) = cursor.fetchall()
    assert isinstance(now, datetime)
    return now


def collect_now(cursor: Cursor, handout: str, asked: datetime) -> bool:
    """Collect a copy of a handout that a teacher wants back; whether there was one.

    As it was when the teacher asked, `SETTLE` ago; but if its deadline has just passed, as it was
    then.
    """
    cursor.execute(
        """
        SELECT handouts.id::text, handed_copies.account::text, worksheet::text,
               CASE WHEN handouts.collected IS NULL AND deadline BETWEEN made AND now()
                    THEN deadline ELSE greatest(%s, made) END
        FROM handed_copies JOIN handouts ON handouts.id = handout
             JOIN class_members ON class_members.class = handouts.class
                                AND class_members.account = handed_copies.account
        WHERE handouts.id = %s AND handed_copies.collected IS NULL
        LIMIT 1 FOR UPDATE OF handed_copies SKIP LOCKED
        """,
        (asked, handout),
    )
    return _collect_found(cursor)


def _collect_found(cursor: Cursor) -> bool:
    """Collect the copy that was asked for; whether there was one."""
    row = cursor.fetchone()
    if row is not None:
        _collect(cursor, *row)
    return row is not None


def _collect(
    cursor: Cursor, handout: str, account: str, worksheet: str | None, as_of: datetime
) -> None:
    notebook = None
    cursor.execute("SELECT title FROM worksheets WHERE id = %s", (worksheet,))
    if row := cursor.fetchone():
        assert worksheet
        notebook = _written(exchange.export(cursor, worksheet, row[0], as_of))
        kept_files.keep(cursor, handout, worksheet, account)  # these have no history
    cursor.execute(
        "UPDATE handed_copies SET collected = now(), as_of = %s, notebook = %s"
        " WHERE handout = %s AND account = %s",
        (as_of, notebook, handout, account),
    )


def _written(manuscript: Manuscript) -> str:
    """As a notebook; without output if that is none, whatever a session has sent."""
    try:
        return notebooks.write(manuscript)
    except Exception:  # nobody's output may keep others from being collected
        log.exception("%s: output can't be collected", manuscript.title)
    bare = [replace(part, frames=(), metadata={}) for part in manuscript.parts]
    return notebooks.write(Manuscript(manuscript.title, (Part("markdown", LOST), *bare)))


def finish_due(cursor: Cursor) -> Finished | None:
    """Mark a handout as collected of which no copy is missing after its deadline; None without.

    Of many who ask at a time one gets it.
    """
    cursor.execute(
        """
        UPDATE handouts SET collected = now() WHERE id = (
            SELECT id FROM handouts
            WHERE collected IS NULL AND deadline <= now() - make_interval(secs => %s)
                  AND NOT EXISTS (
                      SELECT 1 FROM handed_copies JOIN class_members
                          ON class_members.class = handouts.class
                          AND class_members.account = handed_copies.account
                      WHERE handout = handouts.id AND handed_copies.collected IS NULL
                            AND made <= deadline)
            ORDER BY deadline, id LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING id::text, class::text, title
        """,
        (SETTLE,),
    )
    row = cursor.fetchone()
    if row is None:
        return None
    finished = Finished(*row)
    _note(cursor, finished, CLOCK)
    return finished


def finish_now(cursor: Cursor, handout: str, *, actor: str) -> None:
    """A teacher has collected it. A deadline that was to come does not any more."""
    cursor.execute(
        "UPDATE handouts SET collected = coalesce(collected, now()) WHERE id = %s"
        " RETURNING id::text, class::text, title",
        (handout,),
    )
    if row := cursor.fetchone():
        _note(cursor, Finished(*row), actor)


def _note(cursor: Cursor, finished: Finished, actor: str) -> None:
    cursor.execute("SELECT title FROM classes WHERE id = %s", (finished.class_,))
    (class_title,) = cursor.fetchone() or ("",)
    audit.note(cursor, actor=actor, action="collected", detail=f"{class_title}: {finished.title}")


def seconds_to_next(cursor: Cursor) -> float | None:
    """Until something is to be collected, by the database's clock; None if nothing is."""
    cursor.execute(
        "SELECT extract(epoch FROM min(deadline) - now())::float + %s FROM handouts"
        " WHERE collected IS NULL",
        (SETTLE,),
    )
    row = cursor.fetchone()
    return row[0] if row else None

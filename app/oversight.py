"""Teachers in the worksheets of their students: only those handed out in a class, never secretly.

A teacher who goes in leaves a row that the student is shown, and may stay for HOURS, while
both are in the class. Without such a row nobody but its owner gets to a worksheet.
Every function takes a cursor (of `app.db.Database`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import cursor as Cursor

from app import audit

HOURS = 2.0  # for which a teacher who went in may stay, or come back
SHOWN = 5  # visits that a student is shown of a worksheet

# Whether an account governs a class in which a worksheet was handed out to its owner
GOVERNED = """
    EXISTS (
        SELECT 1 FROM handed_copies
             JOIN handouts ON handouts.id = handed_copies.handout
             JOIN classes ON classes.id = handouts.class AND classes.archived IS NULL
             JOIN class_members ON class_members.class = classes.id
                                AND class_members.account = handed_copies.account
             JOIN accounts AS teachers ON teachers.id = %(teacher)s
        WHERE handed_copies.worksheet = worksheets.id
              AND handed_copies.account = worksheets.account
              AND (teachers.role IN ('owner', 'administrator')
                   OR teachers.role = 'teacher' AND EXISTS (
                       SELECT 1 FROM class_teachers
                       WHERE class = classes.id AND account = teachers.id)))
"""

VISIT = """
    SELECT visits.worksheet::text, coalesce(name, ''), began, zone
    FROM visits_of_teachers AS visits
         LEFT JOIN accounts ON accounts.id = visits.account
         JOIN handed_copies ON handed_copies.worksheet = visits.worksheet
         JOIN handouts ON handouts.id = handed_copies.handout
         JOIN classes ON classes.id = handouts.class
"""


@dataclass(frozen=True)
class Visit:
    worksheet: str
    name: str  # of the teacher; empty if the account is gone
    began: datetime
    zone: str  # of the class


@dataclass(frozen=True)
class Entered:
    student: str  # account
    title: str  # of the worksheet


def enter(cursor: Cursor, worksheet: str, teacher: str) -> Entered | None:
    """Let a teacher into a worksheet; None if there is none that they may enter."""
    cursor.execute(
        "SELECT account::text, title FROM worksheets"
        f" WHERE id = %(worksheet)s AND deleted IS NULL AND {GOVERNED}",
        {"worksheet": worksheet, "teacher": teacher},
    )
    row = cursor.fetchone()
    if row is None:
        return None
    entered = Entered(*row)
    cursor.execute(
        "INSERT INTO visits_of_teachers (worksheet, account, expires)"
        " VALUES (%s, %s, now() + make_interval(secs => %s))",
        (worksheet, teacher, 3600 * HOURS),
    )
    audit.note(cursor, actor=teacher, action="entered a worksheet of", subject=entered.student,
               detail=entered.title)  # fmt: skip
    return entered


def may_stay(cursor: Cursor, worksheet: str, teacher: str) -> bool:
    """Whether a teacher who went into a worksheet may be in it still."""
    cursor.execute(
        f"""
        SELECT 1 FROM worksheets
        WHERE id = %(worksheet)s AND deleted IS NULL AND {GOVERNED} AND EXISTS (
              SELECT 1 FROM visits_of_teachers AS visits
              WHERE visits.worksheet = worksheets.id AND visits.account = %(teacher)s
                    AND expires > now())
        """,
        {"worksheet": worksheet, "teacher": teacher},
    )
    return cursor.fetchone() is not None


def end(cursor: Cursor, class_: str, student: str = "") -> list[str]:
    """End all visits in a class, or in what a student has of it; who was there."""
    cursor.execute(
        "UPDATE visits_of_teachers SET expires = now() FROM handed_copies, handouts"
        " WHERE handed_copies.worksheet = visits_of_teachers.worksheet"
        " AND handouts.id = handed_copies.handout AND handouts.class = %(class)s"
        " AND (%(student)s = '' OR handed_copies.account::text = %(student)s)"
        " AND expires > now() AND visits_of_teachers.account IS NOT NULL"
        " RETURNING visits_of_teachers.account::text",
        {"class": class_, "student": student},
    )
    return sorted({row[0] for row in cursor.fetchall()})


def visits(cursor: Cursor, worksheet: str) -> list[Visit]:
    """Who has been in a worksheet, the latest first."""
    cursor.execute(
        VISIT + "WHERE visits.worksheet = %s ORDER BY visits.id DESC LIMIT %s", (worksheet, SHOWN)
    )
    return [Visit(*row) for row in cursor.fetchall()]


def visits_of_student(cursor: Cursor, class_: str, student: str) -> dict[str, list[Visit]]:
    """Who has been in the worksheets of a class that a student has, by worksheet."""
    cursor.execute(
        VISIT + "WHERE classes.id = %s AND handed_copies.account = %s ORDER BY visits.id DESC",
        (class_, student),
    )
    found: dict[str, list[Visit]] = {}
    for row in cursor.fetchall():
        of_one = found.setdefault(row[0], [])
        if len(of_one) < SHOWN:
            of_one.append(Visit(*row))
    return found

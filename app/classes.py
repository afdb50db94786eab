"""Classes: who teaches them, who attends, and the codes by which students come in.

Every function takes a cursor (of `app.db.Database`). What is done is in the audit log by the
same transaction. Who may do it is settled before, by what `find` says.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from psycopg2.extensions import cursor as Cursor

from app import audit, join_codes, roles
from app.join_codes import JoinCode

LONGEST_TITLE = 200  # characters
UTC = "UTC"

CLASS = """
    SELECT id::text, title, zone, created, archived,
           ARRAY(SELECT name FROM class_teachers JOIN accounts ON accounts.id = account
                 WHERE class = classes.id ORDER BY lower(name)),
           (SELECT count(*) FROM class_members WHERE class = classes.id),
           EXISTS (SELECT 1 FROM class_teachers WHERE class = classes.id
                   AND account::text = %(account)s) AS teaches,
           EXISTS (SELECT 1 FROM class_members WHERE class = classes.id
                   AND account::text = %(account)s) AS attends
    FROM classes
"""


class NoClass(Exception):
    """There is none, or none for who asks; the text says so."""


@dataclass(frozen=True)
class Class:
    """A class, as one person sees it."""

    id: str
    title: str
    zone: str  # its time zone, as the IANA names it
    created: datetime
    archived: datetime | None
    teachers: tuple[str, ...]  # names
    students: int
    teaches: bool  # the person does
    attends: bool  # the person does
    governs: bool  # the person does what its teachers may, as one of them or as administrator

    def as_json(self) -> dict[str, Any]:
        """What it is to everybody."""
        return {
            "id": self.id,
            "title": self.title,
            "teachers": self.teachers,
            "students": self.students,
            "zone": self.zone,
            "created": self.created.isoformat(),
            "archived": self.archived.isoformat() if self.archived else None,
        }


@dataclass(frozen=True)
class Student:
    id: str
    name: str
    login: str
    joined: datetime


# --- Which there are ------------------------------------------------------------------


def find(cursor: Cursor, id: str, account: str, kind: str) -> Class | None:
    """The class `id`, None if there is none for this account of this `kind`."""
    cursor.execute(CLASS + "WHERE id = %(id)s", {"account": account, "id": id})
    row = cursor.fetchone()
    found = _class(row, kind) if row else None
    return found if found and (found.governs or found.attends) else None


def listed(cursor: Cursor, account: str, kind: str) -> list[Class]:
    """Those that an account has to do with; for administrators all, their own first.

    By title, archived ones at the end.
    """
    everything = kind in roles.ADMINISTRATORS
    cursor.execute(
        f"SELECT * FROM ({CLASS}) AS all_of_them WHERE teaches OR attends OR %(everything)s"
        " ORDER BY archived IS NOT NULL, NOT (teaches OR attends), lower(title), id",
        {"account": account, "everything": everything},
    )
    found = [_class(row, kind) for row in cursor.fetchall()]
    return [one for one in found if one.governs or one.attends]


def _class(row: tuple[Any, ...], kind: str) -> Class:
    id, title, zone, created, archived, teachers, count, teaches, attends = row
    teaches = teaches and kind in roles.TEACHERS  # who was made a member teaches no more
    governs = teaches or kind in roles.ADMINISTRATORS
    return Class(
        id, title, zone, created, archived, tuple(teachers), count, teaches, attends, governs
    )


def concerns(cursor: Cursor, account: str) -> bool:
    """Whether there is a class that an account teaches or attends."""
    cursor.execute(
        "SELECT EXISTS (SELECT 1 FROM class_members WHERE account = %(account)s)"
        " OR EXISTS (SELECT 1 FROM class_teachers WHERE account = %(account)s)",
        {"account": account},
    )
    row = cursor.fetchone()
    return bool(row and row[0])


def students(cursor: Cursor, class_: str) -> list[Student]:
    """By name."""
    cursor.execute(
        "SELECT id::text, name, coalesce(login, ''), joined"
        " FROM class_members JOIN accounts ON accounts.id = account"
        " WHERE class = %s ORDER BY lower(name), id",
        (class_,),
    )
    return [Student(*row) for row in cursor.fetchall()]


# --- What teachers do -----------------------------------------------------------------


def create(cursor: Cursor, title: str, zone: str, *, teacher: str) -> str:
    """A new class; its id."""
    made = str(uuid.uuid4())
    cursor.execute(
        "INSERT INTO classes (id, title, zone) VALUES (%s, %s, %s)",
        (made, proper_title(title), proper_zone(zone)),
    )
    cursor.execute(
        "INSERT INTO class_teachers (class, account) VALUES (%s, %s)", (made, teacher)
    )
    audit.note(cursor, actor=teacher, action="made a class", detail=proper_title(title))
    return made


def proper_title(title: str) -> str:
    """A title as it is kept: one line, not empty, not endless."""
    return " ".join(title.replace("\0", "").split())[:LONGEST_TITLE] or "Class"


def proper_zone(zone: str) -> str:
    """`zone` if there is such a time zone, else UTC."""
    return zone if zone in available_timezones() else UTC


def zone_of(name: str) -> ZoneInfo:
    """The time zone of a class; UTC if this host does not know it."""
    return ZoneInfo(proper_zone(name))


def change(cursor: Cursor, class_: str, title: str, zone: str) -> None:
    cursor.execute(
        "UPDATE classes SET title = %s, zone = %s WHERE id = %s",
        (proper_title(title), proper_zone(zone), class_),
    )


def archive(cursor: Cursor, class_: str, *, actor: str) -> None:
    """It can be read still, but nobody joins it, and nothing is handed out or entered."""
    cursor.execute(
        "UPDATE classes SET archived = now() WHERE id = %s AND archived IS NULL RETURNING title",
        (class_,),
    )
    if row := cursor.fetchone():
        cursor.execute("DELETE FROM join_codes WHERE class = %s", (class_,))
        audit.note(cursor, actor=actor, action="archived a class", detail=row[0])


def reopen(cursor: Cursor, class_: str, *, actor: str) -> None:
    cursor.execute(
        "UPDATE classes SET archived = NULL WHERE id = %s AND archived IS NOT NULL"
        " RETURNING title",
        (class_,),
    )
    if row := cursor.fetchone():
        audit.note(cursor, actor=actor, action="reopened a class", detail=row[0])


def delete(cursor: Cursor, class_: str, *, actor: str) -> bool:
    """Delete an archived class with what was handed out, collected and said in it; whether it was
    one. What students were given stays theirs."""
    cursor.execute(
        "DELETE FROM classes WHERE id = %s AND archived IS NOT NULL RETURNING title", (class_,)
    )
    row = cursor.fetchone()
    if row is not None:
        audit.note(cursor, actor=actor, action="deleted a class", detail=row[0])
    return row is not None


def give_to(cursor: Cursor, class_: str, account: str, *, actor: str, alone: bool) -> None:
    """Make somebody its teacher, instead of all others if `alone`."""
    if alone:
        cursor.execute("DELETE FROM class_teachers WHERE class = %s", (class_,))
    cursor.execute(
        "INSERT INTO class_teachers (class, account) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        (class_, account),
    )
    cursor.execute("SELECT title FROM classes WHERE id = %s", (class_,))
    (title,) = cursor.fetchone() or ("",)
    audit.note(cursor, actor=actor, action="gave a class to", subject=account, detail=title)


# --- Coming and going -----------------------------------------------------------------


def new_code(
    cursor: Cursor, class_: Class, *, seats: int, days: float, actor: str
) -> JoinCode:
    made = join_codes.create(
        cursor, seats=seats, days=days, title=class_.title, class_=class_.id
    )
    detail = f"for {class_.title}, {seats} seats"
    audit.note(cursor, actor=actor, action="made a join code", detail=detail)
    return made


def revoke_code(cursor: Cursor, class_: Class, code: str, *, actor: str) -> None:
    """Nobody joins by it any more; of another class it does nothing."""
    if code in (one.code for one in join_codes.listed(cursor, class_.id)):
        join_codes.revoke(cursor, code)
        audit.note(cursor, actor=actor, action="revoked a join code", detail=class_.title)


def join(cursor: Cursor, class_: str, account: str) -> bool:
    """Put somebody into a class; whether they were not in it yet. Raises NoClass."""
    cursor.execute("SELECT title FROM classes WHERE id = %s AND archived IS NULL", (class_,))
    row = cursor.fetchone()
    if row is None:
        raise NoClass("the class is over")
    cursor.execute(
        "INSERT INTO class_members (class, account) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        (class_, account),
    )
    if cursor.rowcount:
        audit.note(cursor, actor=account, action="joined a class", detail=row[0])
    return bool(cursor.rowcount)


def remove(cursor: Cursor, class_: str, account: str, *, actor: str) -> bool:
    """End somebody's membership; whether there was one. What was collected stays with the class."""
    cursor.execute(
        "DELETE FROM class_members WHERE class = %s AND account = %s", (class_, account)
    )
    removed = bool(cursor.rowcount)
    cursor.execute("SELECT title FROM classes WHERE id = %s", (class_,))
    (title,) = cursor.fetchone() or ("",)
    if removed and actor == account:
        audit.note(cursor, actor=actor, action="left a class", detail=title)
    elif removed:
        audit.note(cursor, actor=actor, action="removed from a class", subject=account,
                   detail=title)  # fmt: skip
    return removed

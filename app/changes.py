"""The history of worksheets: what each cell was, and when.

A row of `changes` says what a cell was from then on. The worksheet at a row is, for each
of its cells, the latest row up to that one. One burst of typing in a cell is one row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import cursor as Cursor

BURST = 30.0  # seconds of typing that are one row
PAUSE = 5.0  # seconds without a change that end a moment


@dataclass(frozen=True)
class Content:
    """What a cell is. `kind`: code, markdown or raw."""

    position: float
    code: str
    kind: str = "code"
    deleted: bool = False


@dataclass(frozen=True)
class Change:
    """A row, without what the cell was. `name`: of the account, "" if it is gone."""

    id: int
    time: datetime
    cell: str
    name: str


@dataclass(frozen=True)
class Moment:
    """Changes close to each other: a stop of the slider. `id` is that of the last."""

    id: int
    time: datetime
    names: tuple[str, ...]
    cells: int


@dataclass(frozen=True)
class Version:
    """A cell as it was, and whether that was new at the moment asked for."""

    id: str
    content: Content
    fresh: bool


def is_amendment(latest: Content, content: Content, *, age: float, same_person: bool) -> bool:
    """Whether `content` goes on with the row `latest`, which began `age` seconds ago.

    Only code and place, that is: what is deleted, restored or made another kind shows.
    """
    same_sort = (latest.kind, latest.deleted) == (content.kind, content.deleted)
    return same_sort and same_person and age < BURST


def note(
    cursor: Cursor, worksheet: str, account: str, cell: str, content: Content, *, typed: bool
) -> None:
    """Remember what a cell is from now on. What was `typed` may go on with the latest row.

    But not with one from before a deadline, at which the worksheet is collected as it was.
    """
    cursor.execute(
        """
        SELECT id, position, code, kind, deleted, CASE WHEN EXISTS (
                   SELECT 1 FROM handed_copies JOIN handouts ON handouts.id = handout
                   WHERE worksheet = changes.worksheet AND deadline >= began AND deadline < now())
               THEN 'infinity' ELSE extract(epoch FROM now() - began)::float END, account::text
        FROM changes WHERE cell = %s ORDER BY id DESC LIMIT 1
        """,
        (cell,),
    )
    row = cursor.fetchone()
    if row is not None:
        id, *fields, age, by = row
        latest = Content(*fields)
        if latest == content:
            return
        if typed and is_amendment(latest, content, age=age, same_person=by == account):
            cursor.execute(
                "UPDATE changes SET position = %s, code = %s, time = now() WHERE id = %s",
                (content.position, content.code, id),
            )
            return
    cursor.execute(
        "INSERT INTO changes (worksheet, cell, account, position, code, kind, deleted)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (worksheet, cell, account, content.position, content.code, content.kind,
         content.deleted),
    )  # fmt: skip


def at(cursor: Cursor, worksheet: str, moment: datetime) -> dict[str, Content]:
    """What each cell was at a moment, by its id."""
    cursor.execute(
        "SELECT DISTINCT ON (cell) cell::text, position, code, kind, deleted FROM changes"
        " WHERE worksheet = %s AND began <= %s ORDER BY cell, id DESC",
        (worksheet, moment),
    )
    return {cell: Content(*fields) for cell, *fields in cursor.fetchall()}


def moments(cursor: Cursor, worksheet: str) -> list[Moment]:
    """The history's stops, the oldest first."""
    cursor.execute(
        "SELECT changes.id, time, cell::text, coalesce(name, '')"
        " FROM changes LEFT JOIN accounts ON accounts.id = account"
        " WHERE worksheet = %s ORDER BY changes.id",
        (worksheet,),
    )
    return gathered(Change(*row) for row in cursor.fetchall())


def gathered(changes: Iterable[Change]) -> list[Moment]:
    """Changes, the oldest first, as moments: no pause is within one."""
    groups: list[list[Change]] = []
    for change in changes:
        if groups and (change.time - groups[-1][-1].time).total_seconds() < PAUSE:
            groups[-1].append(change)
        else:
            groups.append([change])
    return [
        Moment(
            id=group[-1].id,
            time=group[-1].time,
            names=tuple(dict.fromkeys(change.name for change in group if change.name)),
            cells=len({change.cell for change in group}),
        )
        for group in groups
    ]


def versions(cursor: Cursor, worksheet: str, id: int, before: int) -> list[Version]:
    """The worksheet's cells at row `id`, by position, those deleted by then among them.

    `before`: what came after that row counts as fresh.
    """
    cursor.execute(
        """
        SELECT cell::text, position, code, kind, deleted, id > %s
        FROM (SELECT DISTINCT ON (cell) * FROM changes
              WHERE worksheet = %s AND id <= %s ORDER BY cell, id DESC) AS latest
        ORDER BY position, cell
        """,
        (before, worksheet, id),
    )
    return [Version(cell, Content(*fields), fresh) for cell, *fields, fresh in cursor.fetchall()]

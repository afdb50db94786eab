"""Worksheets as stored: their cells, and the frames that their latest runs left behind.

Every function takes a cursor (of `app.db.Database`) and asks one question. Frames are
paged by key, a cursor a page: no connection is held while a slow reader takes its time.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from psycopg2.extensions import cursor as Cursor

from app import changes, texts
from app.changes import Content

ALL = 2**63 - 1  # a seq that no frame has
SILENCE = 30.0  # seconds after which a sage server that was dropped counts as gone
Merge = Callable[[bytes | None, str], tuple[bytes, str]]  # (state, code) to (state, code)
BATCH = 64  # frames a statement fetches; a stream frame has at most 64 KiB


class BadCell(Exception):
    """The caller's mistake: this can't be a cell of this worksheet. The message says why."""


class ForeignCell(BadCell):
    """The id belongs to a cell of another worksheet."""


@dataclass(frozen=True)
class Cell:
    """`run` is the latest run of the cell, None if it has never run."""

    id: str
    content: Content
    folded: bool  # its code is not shown
    output_folded: bool  # its output is shown when somebody asks for it
    auto: bool  # run when the worksheet is opened
    revision: int
    run: str | None = None
    text: bytes = b""  # the state (app/texts.py) that the code is of


@dataclass(frozen=True)
class Sheet:
    """A worksheet with its cells by position, those that were deleted among them."""

    id: str
    title: str
    cells: tuple[Cell, ...]


def load(cursor: Cursor, worksheet: str, title: str) -> Sheet:
    """A worksheet with its cells."""
    cursor.execute(
        """
        SELECT id::text, position, code, kind, deleted, folded, output_folded, auto, revision,
               text,
               (SELECT runs.id::text FROM runs
                WHERE runs.worksheet = cells.worksheet AND runs.cell = cells.id
                ORDER BY runs.queued DESC, runs.id LIMIT 1)
        FROM cells WHERE worksheet = %s ORDER BY cells.position, cells.id
        """,
        (worksheet,),
    )
    cells = tuple(
        Cell(
            id, Content(position, code, kind, deleted), folded, output_folded, auto, revision, run,
            texts.begun(code) if text is None else bytes(text),
        )
        for (
            id, position, code, kind, deleted, folded, output_folded, auto, revision, text, run
        ) in cursor.fetchall()
    )
    return Sheet(worksheet, title, cells)


def save_cell(
    cursor: Cursor,
    worksheet: str,
    account: str,
    id: str,
    content: Content,
    *,
    folded: bool = False,
    output_folded: bool = False,
    auto: bool = False,
    typed: bool = True,
    merge: Merge | None = None,
) -> Cell:
    """Add or change a cell and return it as stored. Raises BadCell, ForeignCell, BadUpdate.

    What was not `typed` is a step of its own in the history. `merge` makes the new state and
    code of those before; without it the code becomes what `content` says.

    PostgreSQL's text can't hold U+0000, which no program contains either: it is kept as
    U+FFFD, where the person sees it.
    """
    if not math.isfinite(content.position):
        raise BadCell(f"A cell's position must be a finite number, not {content.position}.")
    try:
        uuid.UUID(id)
    except ValueError:
        raise BadCell(f"A cell's id must be a UUID, not {id[:50]!r}.") from None
    text, content = _new_text(cursor, worksheet, id, content, merge)
    cursor.execute(
        """
        INSERT INTO cells (id, worksheet, position, code, kind, deleted, folded, output_folded,
                           auto, text)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (id) DO UPDATE
            SET position = EXCLUDED.position, code = EXCLUDED.code, kind = EXCLUDED.kind,
                deleted = EXCLUDED.deleted, folded = EXCLUDED.folded,
                output_folded = EXCLUDED.output_folded, auto = EXCLUDED.auto,
                text = EXCLUDED.text, revision = cells.revision + 1, changed = now()
            WHERE cells.worksheet = EXCLUDED.worksheet
        RETURNING revision
        """,
        (id, worksheet, content.position, content.code, content.kind, content.deleted,
         folded, output_folded, auto, text),
    )  # fmt: skip
    row = cursor.fetchone()
    if row is None:
        raise ForeignCell(f"Cell {id} belongs to another worksheet.")
    changes.note(cursor, worksheet, account, id, content, typed=typed)
    cursor.execute("UPDATE worksheets SET changed = now() WHERE id = %s", (worksheet,))
    return Cell(id, content, folded, output_folded, auto, int(row[0]), text=text)


def _new_text(
    cursor: Cursor, worksheet: str, id: str, content: Content, merge: Merge | None
) -> tuple[bytes, Content]:
    """The state of a cell's text that is about to be stored, and its content with that code.

    Nobody else stores this cell until the transaction ends. Two who make the same one at once
    begin with an empty text, into which both are merged.
    """
    if merge is not None:
        cursor.execute(
            "INSERT INTO cells (id, worksheet, position, code) VALUES (%s, %s, %s, '')"
            " ON CONFLICT DO NOTHING",
            (id, worksheet, content.position),
        )
    cursor.execute(
        "SELECT code, text FROM cells WHERE id = %s AND worksheet = %s FOR UPDATE",
        (id, worksheet),
    )
    before, text = cursor.fetchone() or (None, None)
    state = None if text is None else bytes(text)
    if merge is not None and before is not None:
        state, code = merge(state, before)
        return state, replace(content, code=code)
    code = texts.plain(content.code.replace("\0", "\N{REPLACEMENT CHARACTER}"))
    content = replace(content, code=code)
    if before is None:
        return texts.begun(code), content
    return texts.rewritten(state, before, code), content


@dataclass(frozen=True)
class Missing:
    """Stored frames that a viewer lacks: those of `session` from above `after` to `up_to`.

    `runs`: of these runs only; None: of all.
    """

    session: str
    after: int
    up_to: int
    runs: tuple[str, ...] | None


@dataclass(frozen=True)
class Recorded:
    """A session as stored up to seq `last`, which is all of it if it has `ended`."""

    session: str = ""
    last: int = 0
    ended: bool = False
    reason: str = ""


def recorded(cursor: Cursor, worksheet: str) -> Recorded:
    """The latest session stored of a worksheet; one without an id if none is."""
    cursor.execute(
        """
        SELECT id::text, (SELECT coalesce(max(seq), 0) FROM outputs WHERE session = sessions.id),
               ended IS NOT NULL, coalesce(reason, '')
        FROM sessions WHERE worksheet = %s ORDER BY started DESC, id DESC LIMIT 1
        """,
        (worksheet,),
    )
    row = cursor.fetchone()
    return Recorded(*row) if row else Recorded()


def live_server(cursor: Cursor, worksheet: str, in_use: Sequence[str]) -> str:
    """host:port of the sage server that has the worksheet's live session, "" if none has.

    It is one of those `in_use`, or another that was heard of lately.
    """
    cursor.execute(
        "SELECT server FROM sessions LEFT JOIN sage_servers ON sage_servers.address = server"
        " WHERE worksheet = %s AND ended IS NULL"
        " AND (server = ANY(%s) OR seen > now() - make_interval(secs => %s))"
        " ORDER BY started DESC LIMIT 1",
        (worksheet, list(in_use), SILENCE),
    )
    row = cursor.fetchone()
    return row[0] if row else ""


def knows_session(cursor: Cursor, worksheet: str, session: str) -> bool:
    cursor.execute(
        "SELECT 1 FROM sessions WHERE id = %s AND worksheet = %s", (session, worksheet)
    )
    return cursor.fetchone() is not None


def missing(
    cursor: Cursor, worksheet: str, *, session: str, after: int, latest: str, up_to: int
) -> list[Missing]:
    """What a viewer lacks up to seq `up_to` of the `latest` session, by session start.

    A newcomer lacks the frames of each cell's latest run, also of a cell that was never saved.
    One that has `session` up to the seq `after` lacks the rest of that session, whole, then of
    every later session the frames of each cell's latest run.
    """
    cursor.execute(
        """
        SELECT latest.session::text, array_agg(latest.id::text)
        FROM (SELECT DISTINCT ON (runs.cell) runs.id, runs.session
              FROM runs LEFT JOIN cells
                   ON cells.id = runs.cell AND cells.worksheet = runs.worksheet
              WHERE runs.worksheet = %(worksheet)s AND cells.deleted IS NOT TRUE
              ORDER BY runs.cell, runs.queued DESC, runs.id) AS latest
        JOIN sessions ON sessions.id = latest.session
        WHERE sessions.id IS DISTINCT FROM %(session)s AND sessions.started >=
              coalesce((SELECT started FROM sessions WHERE id = %(session)s), '-infinity')
        GROUP BY latest.session, sessions.started
        ORDER BY sessions.started, latest.session
        """,
        {"worksheet": worksheet, "session": session or None},
    )
    found: list[tuple[str, int, tuple[str, ...] | None]] = []
    if session:
        found.append((session, after, None))
    found += [(later, 0, tuple(runs)) for later, runs in cursor.fetchall()]
    return [
        Missing(each, start, up_to if each == latest else ALL, runs) for each, start, runs in found
    ]


def frames(cursor: Cursor, part: Missing) -> list[tuple[int, bytes]]:
    """The first frames of `part`, by seq, each an encoded `Message`; at most BATCH."""
    runs = None if part.runs is None else list(part.runs)
    cursor.execute(
        """
        SELECT seq, frame FROM outputs
        WHERE session = %s AND seq > %s AND seq <= %s
              AND (%s::uuid[] IS NULL OR run = ANY(%s::uuid[]))
        ORDER BY seq LIMIT %s
        """,
        (part.session, part.after, part.up_to, runs, runs, BATCH),
    )
    return [(seq, bytes(frame)) for seq, frame in cursor.fetchall()]

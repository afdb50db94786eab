"""Worksheets from and to manuscripts: what is read from the database and written to it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from psycopg2.extensions import cursor as Cursor

from app import changes, documents, transcripts, worksheets
from app.changes import Content
from app.manuscript import Manuscript, Part
from app.transcripts import Transcript
from app.wire.messages_pb2 import Finished, Frame, Queued
from app.worksheets import Cell

REASON = "this worksheet was imported: its output comes from the file"


def export(
    cursor: Cursor, worksheet: str, title: str, as_of: datetime | None = None
) -> Manuscript:
    """A worksheet with the output of its cells, as it is now, or as it was at a moment.

    What its cells are besides their content, such as folded, is as it is now.
    """
    outputs = transcripts.read(cursor, worksheet, before=as_of)
    cursor.execute("SELECT id::text, metadata FROM cells WHERE worksheet = %s", (worksheet,))
    metadata = dict(cursor.fetchall())
    parts = tuple(
        Part(
            kind=cell.content.kind,
            code=cell.content.code,
            frames=tuple(_sent(outputs[cell.id])) if cell.id in outputs else (),
            folded=cell.folded,
            output_folded=cell.output_folded,
            auto=cell.auto,
            metadata=metadata[cell.id],
        )
        for cell in _cells(cursor, worksheet, as_of)
        if not cell.content.deleted
    )
    cursor.execute("SELECT metadata FROM worksheets WHERE id = %s", (worksheet,))
    (found,) = cursor.fetchone() or ({},)
    return Manuscript(title, parts, found)


def _cells(cursor: Cursor, worksheet: str, as_of: datetime | None) -> Sequence[Cell]:
    """By position."""
    cells = worksheets.load(cursor, worksheet, "").cells
    if as_of is None:
        return cells
    then = changes.at(cursor, worksheet, as_of)
    found = [replace(cell, content=then[cell.id]) for cell in cells if cell.id in then]
    return sorted(found, key=lambda cell: (cell.content.position, cell.id))


def _sent(transcript: Transcript) -> Iterator[Frame]:
    """What the run sent, without that it was queued and started."""
    for frame in transcript.frames:
        if frame.WhichOneof("content") not in ("queued", "started", "files"):
            yield frame


def bring_in(cursor: Cursor, account: str, manuscript: Manuscript) -> str:
    """Make a worksheet of a manuscript; its id. Raises BadCell."""
    made = documents.create(cursor, account, manuscript.title)
    cursor.execute(
        "UPDATE worksheets SET metadata = %s WHERE id = %s", (_json(manuscript.metadata), made)
    )
    shown = []
    for number, part in enumerate(manuscript.parts, start=1):
        cell = str(uuid.uuid4())
        content = Content(position=float(number), code=part.code, kind=part.kind)
        worksheets.save_cell(
            cursor, made, account, cell, content,
            folded=part.folded, output_folded=part.output_folded, auto=part.auto, typed=False,
        )  # fmt: skip
        cursor.execute(
            "UPDATE cells SET metadata = %s WHERE id = %s", (_json(part.metadata), cell)
        )
        if part.frames:
            shown.append(Transcript(cell, part.code, _whole(part, cell, made)))
    cells = {transcript.cell: transcript.cell for transcript in shown}
    transcripts.write(cursor, made, account, shown, cells, language="", reason=REASON)
    return made


def _whole(part: Part, cell: str, worksheet: str) -> tuple[Frame, ...]:
    """From the beginning of a run to its end."""
    queued = Frame(queued=Queued(cell=cell, code=part.code, worksheet=worksheet))
    ends = any(frame.HasField("finished") for frame in part.frames)
    finished = () if ends else (Frame(finished=Finished(status=Finished.OK)),)
    return (queued, *part.frames, *finished)


def _json(value: object) -> str:
    """PostgreSQL's JSON can't hold U+0000."""
    return json.dumps(value).replace("\\u0000", "\\ufffd")


"""A worksheet copied: its cells and the output of their latest runs, not its history."""

from __future__ import annotations

import uuid

from psycopg2.extensions import cursor as Cursor

from app import documents, folders, transcripts, worksheets

REASON = "this is a copy: its output comes from the original"


def duplicate(cursor: Cursor, worksheet: str, account: str, title: str) -> str:
    """Copy a worksheet for `account`, which may be another's; the copy's id."""
    made = documents.create(cursor, account, title)
    cursor.execute(
        "UPDATE worksheets SET metadata = original.metadata"
        " FROM worksheets AS original WHERE worksheets.id = %s AND original.id = %s",
        (made, worksheet),
    )
    cells = {}
    for cell in worksheets.load(cursor, worksheet, title).cells:
        if cell.content.deleted:
            continue
        cells[cell.id] = str(uuid.uuid4())
        worksheets.save_cell(
            cursor, made, account, cells[cell.id], cell.content,
            folded=cell.folded, output_folded=cell.output_folded, auto=cell.auto,
        )  # fmt: skip
        cursor.execute(
            "UPDATE cells SET metadata = original.metadata"
            " FROM cells AS original WHERE cells.id = %s AND original.id = %s",
            (cells[cell.id], cell.id),
        )
    folders.copy(cursor, worksheet, made)
    transcripts.write(
        cursor, made, account, transcripts.read(cursor, worksheet).values(), cells,
        language="", reason=REASON,
    )  # fmt: skip
    return made

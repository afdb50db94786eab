"""Worksheets that are deleted for ever, with what sage servers have written of them.

What they write has no foreign keys, and more of it comes as long as they do not know: each
looks itself whether the worksheets of its journals are still there (app/sage/sexton.py), so one
that was away at the time needs nobody to remember it.
"""

from __future__ import annotations

from collections.abc import Collection

from psycopg2.extensions import cursor as Cursor


def bury(cursor: Cursor, worksheets: Collection[str]) -> None:
    """Delete them, and all output of their runs."""
    asked = (list(worksheets),)
    # A sage server that records the end of a session meanwhile holds this lock, or waits for it
    cursor.execute("SELECT FROM worksheets WHERE id = ANY(%s::uuid[]) FOR UPDATE", asked)
    cursor.execute(
        "DELETE FROM outputs USING runs"
        " WHERE outputs.run = runs.id AND runs.worksheet = ANY(%s::uuid[])",
        asked,
    )
    cursor.execute("DELETE FROM runs WHERE worksheet = ANY(%s::uuid[])", asked)
    cursor.execute(
        "DELETE FROM session_use USING sessions"
        " WHERE session = sessions.id AND worksheet = ANY(%s::uuid[])",
        asked,
    )
    cursor.execute("DELETE FROM sessions WHERE worksheet = ANY(%s::uuid[])", asked)
    cursor.execute("DELETE FROM placements WHERE worksheet = ANY(%s::uuid[])", asked)
    cursor.execute("DELETE FROM worksheets WHERE id = ANY(%s::uuid[])", asked)


def erase(cursor: Cursor, session: str) -> None:
    """Delete what a sage server has written of a session whose worksheet is gone."""
    for table, column in (
        ("outputs", "session"), ("runs", "session"), ("session_use", "session"), ("sessions", "id"),
    ):  # fmt: skip
        cursor.execute(f"DELETE FROM {table} WHERE {column} = %s", (session,))


def is_there(cursor: Cursor, worksheet: str) -> bool:
    """Whether a worksheet is there; if so, it stays until the transaction ends."""
    cursor.execute("SELECT FROM worksheets WHERE id = %s FOR KEY SHARE", (worksheet,))
    return bool(cursor.rowcount)


def gone(
    cursor: Cursor, worksheets: Collection[str], accounts: Collection[str]
) -> tuple[set[str], set[str]]:
    """Those of these worksheets and accounts that are not there any more."""
    cursor.execute(
        "SELECT id::text, true FROM unnest(%s::uuid[]) AS asked (id)"
        " WHERE NOT EXISTS (SELECT FROM worksheets WHERE worksheets.id = asked.id)"
        " UNION ALL SELECT id::text, false FROM unnest(%s::uuid[]) AS asked (id)"
        " WHERE NOT EXISTS (SELECT FROM accounts WHERE accounts.id = asked.id)",
        (list(worksheets), list(accounts)),
    )
    found = cursor.fetchall()
    return {id for id, is_worksheet in found if is_worksheet}, {
        id for id, is_worksheet in found if not is_worksheet
    }

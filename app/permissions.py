"""Who may do what with a worksheet: the one place that knows.

Pages, sockets, sessions and files all ask `find`; whatever lets more people in than the
owner is added here.
"""

from __future__ import annotations

from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor


@dataclass(frozen=True)
class Permission:
    """What an account may do with a worksheet that it may see at all."""

    title: str
    writes: bool  # cells, title, files; runs code
    owns: bool  # shares it, puts it into the trash
    trashed: bool


def find(cursor: Cursor, account: str, worksheet: str) -> Permission | None:
    """None if for this account there is no such worksheet. In the trash it can only be read."""
    cursor.execute(
        "SELECT title, deleted IS NOT NULL FROM worksheets WHERE id = %s AND account = %s",
        (worksheet, account),
    )
    row = cursor.fetchone()
    if row is None:
        return None
    title, trashed = row
    return Permission(title, writes=not trashed, owns=True, trashed=trashed)

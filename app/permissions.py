"""Who may do what with a worksheet: the one place that knows.

Pages, sockets, sessions and files all ask `find`; whatever lets more people in than the
owner is added here. Those are a teacher who has entered a student's (`app/oversight.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor

from app import oversight

TRASHED = "the worksheet is in the trash, from where it can be restored"


@dataclass(frozen=True)
class Permission:
    """What an account may do with a worksheet that it may see at all."""

    title: str
    writes: bool  # cells, title, files; runs code
    owns: bool  # shares it, puts it into the trash
    trashed: bool
    account: str  # the owner's: sessions and files are theirs, with their limits, ...
    kind: str  # ... which are those of such users


def find(cursor: Cursor, account: str, worksheet: str) -> Permission | None:
    """None if for this account there is no such worksheet. In the trash it can only be read."""
    cursor.execute(
        "SELECT title, deleted IS NOT NULL, accounts.id::text, role"
        " FROM worksheets JOIN accounts ON accounts.id = account WHERE worksheets.id = %s",
        (worksheet,),
    )
    row = cursor.fetchone()
    if row is None:
        return None
    title, trashed, owner, kind = row
    owns = owner == account
    if not owns and (not account or not oversight.may_stay(cursor, worksheet, account)):
        return None
    return Permission(title, not trashed, owns, trashed, owner, kind)

"""The audit log: who came in, and who did what to whose account. Rows are only ever added."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import cursor as Cursor

OPERATOR = "operator"  # whoever may run the command line


@dataclass(frozen=True)
class Entry:
    id: int
    time: datetime
    actor: str  # names; what has no account any more keeps its id
    action: str
    subject: str
    detail: str
    address: str


def note(
    cursor: Cursor, *, actor: str, action: str, subject: str = "", detail: str = "",
    address: str = "",
) -> None:  # fmt: skip
    """Add a line. `actor`, `subject`: accounts; in one transaction with what it tells of."""
    cursor.execute(
        "INSERT INTO audit (actor, action, subject, detail, address) VALUES (%s, %s, %s, %s, %s)",
        (actor, action, subject, detail[:1000], address),
    )


def entries(
    cursor: Cursor, *, account: str = "", before: int = 2**62, limit: int = 100
) -> list[Entry]:
    """The latest lines, newest first; of what `account` did or was done to it, if named."""
    cursor.execute(
        """
        SELECT audit.id, time, coalesce(actors.name, actor), action,
               coalesce(subjects.name, subject), detail, address
        FROM audit
             LEFT JOIN accounts AS actors ON actors.id::text = actor
             LEFT JOIN accounts AS subjects ON subjects.id::text = subject
        WHERE audit.id < %(before)s
              AND (%(account)s = '' OR actor = %(account)s OR subject = %(account)s)
        ORDER BY audit.id DESC LIMIT %(limit)s
        """,
        {"before": before, "account": account, "limit": limit},
    )
    return [Entry(*row) for row in cursor.fetchall()]

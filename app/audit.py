"""The audit log: who came in, and who did what to whose account. Rows are only ever added."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from psycopg2.extensions import cursor as Cursor

OPERATOR = "operator"  # whoever may run the command line
KINDS = ("sign-ins", "administration")  # of entries: how people came in and went, and the rest
SIGN_INS = [
    "signed in", "gave a wrong password", "joined", "set a password", "signed out",
    "signed a browser out", "signed out everywhere",
]  # fmt: skip


@dataclass(frozen=True)
class Entry:
    id: int
    time: datetime
    actor: str  # names; what has no account any more keeps its id
    action: str
    subject: str
    detail: str
    address: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"time": self.time.isoformat()}


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
    cursor: Cursor, *, account: str = "", kind: str = "", since: datetime | None = None,
    before: int = 2**62, limit: int = 100,
) -> list[Entry]:  # fmt: skip
    """The latest lines, newest first, of those with an id below `before`.

    Only those of what `account` did or was done to it, of a kind (KINDS), not older than `since`.
    """
    cursor.execute(
        """
        SELECT audit.id, time, coalesce(actors.name, actor), action,
               coalesce(subjects.name, subject), detail, address
        FROM audit
             LEFT JOIN accounts AS actors ON actors.id::text = actor
             LEFT JOIN accounts AS subjects ON subjects.id::text = subject
        WHERE audit.id < %(before)s
              AND (%(account)s = '' OR actor = %(account)s OR subject = %(account)s)
              AND (%(kind)s = '' OR (action = ANY(%(sign_ins)s)) = (%(kind)s = 'sign-ins'))
              AND (%(since)s::timestamptz IS NULL OR time >= %(since)s)
        ORDER BY audit.id DESC LIMIT %(limit)s
        """,
        {"before": before, "account": account, "kind": kind, "since": since, "limit": limit,
         "sign_ins": SIGN_INS},
    )  # fmt: skip
    return [Entry(*row) for row in cursor.fetchall()]

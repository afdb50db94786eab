"""Codes by which many people, such as a class, make accounts: short enough for a blackboard.

A code is good for so many people and so long. It is short, so how often codes are tried is
limited by address (`app/attempts.py`), whoever tries. Every function takes a cursor.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import cursor as Cursor

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # without those that look like others
LENGTH = 8  # 40 bits
COLUMNS = "code, title, role, seats, used, created, expires, coalesce(class::text, '')"


@dataclass(frozen=True)
class JoinCode:
    code: str
    title: str
    role: str
    seats: int
    used: int
    created: datetime
    expires: datetime
    class_: str = ""  # of which whoever joins becomes a member

    @property
    def shown(self) -> str:
        """As people read it out: ABCD-EFGH."""
        return f"{self.code[:4]}-{self.code[4:]}"


def plain(typed: str) -> str:
    """A code as it is kept, of what somebody has typed."""
    return "".join(letter for letter in typed.upper() if letter.isalnum())


def create(
    cursor: Cursor, *, seats: int, days: float, role: str = "member", title: str = "",
    class_: str = "",
) -> JoinCode:  # fmt: skip
    """A new code, good for `seats` people within `days`; `class_`: of which they become members."""
    code = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
    cursor.execute(
        "INSERT INTO join_codes (code, title, role, seats, expires, class)"
        " VALUES (%s, %s, %s, %s, now() + make_interval(secs => %s), nullif(%s, '')::uuid)"
        f" RETURNING {COLUMNS}",
        (code, title, role, seats, 86400 * days, class_),
    )
    row = cursor.fetchone()
    assert row
    return JoinCode(*row)


def listed(cursor: Cursor, class_: str = "") -> list[JoinCode]:
    """All that are good still, or those of a class, the newest first."""
    cursor.execute(
        f"SELECT {COLUMNS} FROM join_codes WHERE expires > now()"
        " AND (%(class)s = '' OR class::text = %(class)s) ORDER BY created DESC, code",
        {"class": class_},
    )
    return [JoinCode(*row) for row in cursor.fetchall()]


def find(cursor: Cursor, typed: str) -> JoinCode | None:
    """The code that somebody has typed, if it is good and has a seat left."""
    cursor.execute(
        f"SELECT {COLUMNS} FROM join_codes WHERE code = %s AND expires > now() AND used < seats",
        (plain(typed),),
    )
    row = cursor.fetchone()
    return JoinCode(*row) if row else None


def take_seat(cursor: Cursor, typed: str) -> bool:
    """Take a seat of a code; whether there was one. Of many at a time each gets its own."""
    cursor.execute(
        "UPDATE join_codes SET used = used + 1"
        " WHERE code = %s AND expires > now() AND used < seats",
        (plain(typed),),
    )
    return bool(cursor.rowcount)


def revoke(cursor: Cursor, typed: str) -> bool:
    """Nobody joins by it any more; whether it was there."""
    cursor.execute("DELETE FROM join_codes WHERE code = %s", (plain(typed),))
    return bool(cursor.rowcount)

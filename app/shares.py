"""Links by which a worksheet can be read: of it as it was when it was shared, or as it is now.

A link's key is random, so who has it was given it. Every function takes a cursor (of
`app.db.Database`); who may share is settled before, by `app.permissions`.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import cursor as Cursor

from app import exchange, notebooks
from app.manuscript import Manuscript

KEY_BYTES = 12  # 96 bits of chance: 16 characters
MOST = 100  # links to a worksheet


class TooMany(Exception):
    """The text says what to do."""


@dataclass(frozen=True)
class Share:
    key: str
    created: datetime
    expires: datetime | None
    live: bool  # shows the worksheet as it is now


@dataclass(frozen=True)
class Published:
    """What a link shows."""

    manuscript: Manuscript
    by: str  # the name of who shares it
    live: bool
    created: datetime


def create(
    cursor: Cursor, worksheet: str, account: str, title: str, *, live: bool, days: float | None
) -> str:
    """Share a worksheet, for so many days or (None) until it is revoked; the link's key.

    Raises TooMany.
    """
    if len(listed(cursor, worksheet)) >= MOST:
        raise TooMany(f"This worksheet has {MOST} links: revoke some first.")
    notebook = None if live else notebooks.write(exchange.export(cursor, worksheet, title))
    key = secrets.token_urlsafe(KEY_BYTES)
    cursor.execute(
        "INSERT INTO shares (key, worksheet, account, expires, notebook)"
        " VALUES (%s, %s, %s, now() + make_interval(secs => %s), %s)",
        (key, worksheet, account, None if days is None else 86400 * days, notebook),
    )
    return key


def listed(cursor: Cursor, worksheet: str) -> tuple[Share, ...]:
    """The links to a worksheet that are good, the newest first."""
    cursor.execute(
        "SELECT key, created, expires, notebook IS NULL FROM shares"
        " WHERE worksheet = %s AND (expires IS NULL OR expires > now())"
        " ORDER BY created DESC, key",
        (worksheet,),
    )
    return tuple(Share(*row) for row in cursor.fetchall())


def revoke(cursor: Cursor, worksheet: str, key: str) -> None:
    cursor.execute("DELETE FROM shares WHERE worksheet = %s AND key = %s", (worksheet, key))


def published(cursor: Cursor, key: str) -> Published | None:
    """What a link shows; None if it is none, or not any more."""
    cursor.execute(
        "SELECT worksheets.id::text, title, name, shares.created, notebook FROM shares"
        " JOIN worksheets ON worksheets.id = shares.worksheet"
        " JOIN accounts ON accounts.id = shares.account"
        " WHERE key = %s AND worksheets.deleted IS NULL"
        " AND (shares.expires IS NULL OR shares.expires > now())",
        (key,),
    )
    row = cursor.fetchone()
    if row is None:
        return None
    worksheet, title, by, created, notebook = row
    if notebook is None:
        manuscript = exchange.export(cursor, worksheet, title)
    else:
        manuscript = notebooks.read(notebook, title)
    return Published(manuscript, by, notebook is None, created)

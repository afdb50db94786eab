"""Who may come in: accounts, addresses that sign a browser in once, and signed-in browsers.

Secrets are 32 random bytes; the database has only their SHA-256.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor


@dataclass(frozen=True)
class Account:
    id: str
    kind: str  # owner, administrator, teacher, member, guest


def digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def owner(cursor: Cursor) -> str:
    """The account of the site's owner, made when it is first asked for."""
    cursor.execute("SELECT pg_advisory_xact_lock(hashtext('accounts.owner'))")
    cursor.execute("SELECT id::text FROM accounts WHERE role = 'owner' ORDER BY created LIMIT 1")
    row = cursor.fetchone()
    if row:
        return str(row[0])
    account = str(uuid.uuid4())
    cursor.execute(
        "INSERT INTO accounts (id, name, role) VALUES (%s, 'Owner', 'owner')", (account,)
    )
    return account


def invite(cursor: Cursor, account: str, hours: int) -> str:
    """A token that signs one browser in as `account`, once, within `hours`."""
    token = secrets.token_urlsafe(32)
    cursor.execute(
        "INSERT INTO invitations (hash, account, expires)"
        " VALUES (%s, %s, now() + make_interval(hours => %s))",
        (digest(token), account, hours),
    )
    return token


def sign_in(cursor: Cursor, token: str, days: int) -> str | None:
    """The secret of a new cookie for a token that is still good; it is used up by this."""
    cursor.execute(
        "UPDATE invitations SET used = now()"
        " WHERE hash = %s AND used IS NULL AND expires > now() RETURNING account",
        (digest(token),),
    )
    row = cursor.fetchone()
    if row is None:
        return None
    secret = secrets.token_urlsafe(32)
    cursor.execute(
        "INSERT INTO sign_ins (hash, account, expires)"
        " VALUES (%s, %s, now() + make_interval(days => %s))",
        (digest(secret), row[0], days),
    )
    return secret


def signed_in(cursor: Cursor, secret: str) -> Account | None:
    """The account that a cookie's secret stands for."""
    cursor.execute(
        "SELECT accounts.id::text, role FROM sign_ins JOIN accounts ON accounts.id = account"
        " WHERE hash = %s AND expires > now()",
        (digest(secret),),
    )
    row = cursor.fetchone()
    return Account(*row) if row else None

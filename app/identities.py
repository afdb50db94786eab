"""Whom providers know our people as, and browsers that are at a provider just now.

An identity is the provider's own id of a person. An e-mail never says who somebody is here:
it changes, is given to others, and not everybody checks whose it is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg2.errors import UniqueViolation
from psycopg2.extensions import cursor as Cursor

from app.accounts import digest

FLOW_SECONDS = 900  # that somebody may take at the provider


class Taken(Exception):
    """This identity, or one of the same provider, is linked already."""


@dataclass(frozen=True)
class Identity:
    """What a provider says of a person."""

    provider: str
    subject: str  # their id of the person, which never changes
    name: str = ""
    email: str = ""


@dataclass(frozen=True)
class Linked:
    """A line of the list of an account's identities."""

    provider: str
    email: str
    linked: datetime


@dataclass(frozen=True)
class Flow:
    """What a browser wanted before it went to the provider."""

    next: str = "/"
    account: str = ""  # to link with; empty: to sign in
    invitation: str = ""


def account_of(cursor: Cursor, identity: Identity) -> str | None:
    """Whose identity it is; what the provider says now of their e-mail is kept."""
    cursor.execute(
        "UPDATE identities SET email = %s WHERE provider = %s AND subject = %s"
        " RETURNING account::text",
        (identity.email, identity.provider, identity.subject),
    )
    row = cursor.fetchone()
    return row[0] if row else None


def link(cursor: Cursor, account: str, identity: Identity) -> None:
    """From now on it signs `account` in. Raises Taken."""
    try:
        cursor.execute(
            "INSERT INTO identities (provider, subject, account, email) VALUES (%s, %s, %s, %s)",
            (identity.provider, identity.subject, account, identity.email),
        )
    except UniqueViolation:
        raise Taken from None


def unlink(cursor: Cursor, account: str, provider: str) -> bool:
    """Whether there was one that is not the only way in that the person has."""
    # Of two at a time the second sees what the first has left
    cursor.execute("SELECT FROM accounts WHERE id = %s FOR UPDATE", (account,))
    cursor.execute(
        "DELETE FROM identities WHERE account = %(account)s AND provider = %(provider)s AND"
        " (EXISTS (SELECT 1 FROM accounts WHERE id = %(account)s AND password IS NOT NULL)"
        "  OR (SELECT count(*) FROM identities WHERE account = %(account)s) > 1)",
        {"account": account, "provider": provider},
    )
    return bool(cursor.rowcount)


def of(cursor: Cursor, account: str) -> list[Linked]:
    cursor.execute(
        "SELECT provider, email, linked FROM identities WHERE account = %s ORDER BY provider",
        (account,),
    )
    return [Linked(*row) for row in cursor.fetchall()]


def begin(
    cursor: Cursor, *, state: str, browser: str, provider: str, data: dict[str, Any], flow: Flow
) -> None:
    """Remember a browser that leaves for the provider."""
    cursor.execute("DELETE FROM flows WHERE expires < now()")
    cursor.execute(
        "INSERT INTO flows (state, browser, provider, data, next, account, invitation, expires)"
        " VALUES (%s, %s, %s, %s, %s, nullif(%s, '')::uuid, %s,"
        " now() + make_interval(secs => %s))",
        (digest(state), digest(browser), provider, json.dumps(data), flow.next, flow.account,
         flow.invitation, FLOW_SECONDS),
    )  # fmt: skip


def end(
    cursor: Cursor, *, state: str, browser: str, provider: str
) -> tuple[dict[str, Any], Flow] | None:
    """What is remembered of one that comes back, once; None if it is another one's, or too late."""
    cursor.execute(
        "DELETE FROM flows WHERE state = %s AND browser = %s AND provider = %s"
        " RETURNING expires > now(), data, next, coalesce(account::text, ''), invitation",
        (digest(state), digest(browser), provider),
    )
    row = cursor.fetchone()
    return (row[1], Flow(*row[2:])) if row and row[0] else None

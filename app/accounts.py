"""Who may come in: accounts, links that are good once, and signed-in browsers.

Secrets are 32 random bytes; the database has only their SHA-256. A sign-in is a row: who
deletes it has ended it, whatever the cookie says. `app/passwords.py` has what people choose.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from psycopg2.errors import UniqueViolation
from psycopg2.extensions import cursor as Cursor

LONGEST_NAME = 200  # characters
LONGEST_AGENT = 300


class LoginTaken(Exception):
    """Another account signs in by that name."""


@dataclass(frozen=True)
class Account:
    """An account, by the sign-in that stands for it."""

    id: str
    kind: str  # owner, administrator, teacher, member, guest
    name: str = ""
    sign_in: bytes = b""  # its hash
    expires: datetime | None = None


@dataclass(frozen=True)
class Origin:
    """How a sign-in came about: with what, from which address, in which browser."""

    how: str = "address"
    address: str = ""
    agent: str = ""


@dataclass(frozen=True)
class SignIn:
    """A line of the list of an account's signed-in browsers."""

    hash: bytes
    created: datetime
    seen: datetime
    expires: datetime
    how: str
    address: str
    agent: str


@dataclass(frozen=True)
class Link:
    """A link that is still good."""

    purpose: str
    account: str  # empty: it makes one, ...
    role: str  # ... with this role
    name: str  # of the account
    login: str


@dataclass(frozen=True)
class Invitation:
    """A line of the list of links by which somebody may join. The link itself is not kept."""

    hash: bytes
    role: str  # of the account that it makes
    created: datetime
    expires: datetime


def digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


# --- Accounts -----------------------------------------------------------------


def owner(cursor: Cursor) -> str:
    """The account of the site's owner, made when it is first asked for."""
    cursor.execute("SELECT pg_advisory_xact_lock(hashtext('accounts.owner'))")
    cursor.execute("SELECT id::text FROM accounts WHERE role = 'owner' ORDER BY created LIMIT 1")
    row = cursor.fetchone()
    return str(row[0]) if row else create(cursor, name="Owner", role="owner")


def create(cursor: Cursor, *, name: str, role: str, login: str = "", password: str = "") -> str:
    """Make an account and return its id; `password`: its hash. Raises LoginTaken."""
    account = str(uuid.uuid4())
    try:
        cursor.execute(
            "INSERT INTO accounts (id, name, role, login, password)"
            " VALUES (%s, %s, %s, nullif(%s, ''), nullif(%s, ''))",
            (account, name[:LONGEST_NAME], role, login, password),
        )
    except UniqueViolation:
        raise LoginTaken(f"somebody signs in as {login} already; choose another name") from None
    return account


def credentials(cursor: Cursor, login: str) -> tuple[str, str] | None:
    """Account and hash of the password of who signs in by this name."""
    cursor.execute(
        "SELECT id::text, password FROM accounts"
        " WHERE lower(login) = lower(%s) AND password IS NOT NULL",
        (login,),
    )
    row = cursor.fetchone()
    return (row[0], row[1]) if row else None


def login_of(cursor: Cursor, account: str) -> tuple[str, str]:
    """The name an account signs in by and the hash of its password; empty without."""
    cursor.execute(
        "SELECT coalesce(login, ''), coalesce(password, '') FROM accounts WHERE id = %s",
        (account,),
    )
    row = cursor.fetchone()
    return (row[0], row[1]) if row else ("", "")


def set_password(cursor: Cursor, account: str, login: str, password: str) -> None:
    """`password`: the new hash. Raises LoginTaken."""
    try:
        cursor.execute(
            "UPDATE accounts SET login = %s, password = %s WHERE id = %s",
            (login, password, account),
        )
    except UniqueViolation:
        raise LoginTaken(f"somebody signs in as {login} already; choose another name") from None


def disabled_because(cursor: Cursor, account: str) -> str | None:
    """Why an account may not come in, None if it may."""
    cursor.execute(
        "SELECT disabled_because FROM accounts WHERE id = %s AND disabled IS NOT NULL", (account,)
    )
    row = cursor.fetchone()
    return row[0] if row else None


# --- Links that are good once ---------------------------------------------------


def invite(
    cursor: Cursor,
    account: str | None,
    hours: int,
    *,
    purpose: str = "sign-in",
    role: str = "member",
) -> str:
    """A token, good once within `hours`: to sign in as `account`, to set its password, or,
    for nobody yet, to join with `role`."""
    token = secrets.token_urlsafe(32)
    cursor.execute(
        "INSERT INTO invitations (hash, account, purpose, role, expires)"
        " VALUES (%s, %s, %s, %s, now() + make_interval(hours => %s))",
        (digest(token), account, purpose, role, hours),
    )
    return token


def link(cursor: Cursor, token: str, purpose: str) -> Link | None:
    """What a token is good for, without using it up."""
    cursor.execute(
        "SELECT purpose, coalesce(account::text, ''), invitations.role, coalesce(name, ''),"
        " coalesce(login, '')"
        " FROM invitations LEFT JOIN accounts ON accounts.id = account"
        " WHERE hash = %s AND purpose = %s AND used IS NULL AND expires > now()",
        (digest(token), purpose),
    )
    row = cursor.fetchone()
    return Link(*row) if row else None


def use(cursor: Cursor, token: str, purpose: str) -> bool:
    """Use a token up; whether it was still good. Of two that ask at a time one gets it."""
    cursor.execute(
        "UPDATE invitations SET used = now()"
        " WHERE hash = %s AND purpose = %s AND used IS NULL AND expires > now()",
        (digest(token), purpose),
    )
    return bool(cursor.rowcount)


def invitations(cursor: Cursor) -> list[Invitation]:
    """Links by which somebody may still join, the newest first."""
    cursor.execute(
        "SELECT hash, role, created, expires FROM invitations WHERE purpose = 'join'"
        " AND used IS NULL AND expires > now() ORDER BY created DESC, hash"
    )
    return [Invitation(bytes(hash), *rest) for hash, *rest in cursor.fetchall()]


def revoke_invitation(cursor: Cursor, hash: bytes) -> bool:
    """Nobody joins by it any more; whether somebody could."""
    cursor.execute(
        "DELETE FROM invitations WHERE hash = %s AND purpose = 'join' AND used IS NULL", (hash,)
    )
    return bool(cursor.rowcount)


# --- Signed-in browsers ---------------------------------------------------------


def sign_in(cursor: Cursor, token: str, days: int, origin: Origin = Origin()) -> str | None:
    """The secret of a new cookie for a token that is still good; it is used up by this."""
    found = link(cursor, token, "sign-in")
    if found is None or not use(cursor, token, "sign-in"):
        return None
    if disabled_because(cursor, found.account) is not None:
        return None
    return admit(cursor, found.account, days, origin)


def admit(cursor: Cursor, account: str, days: float, origin: Origin) -> str:
    """Sign a browser in; the secret of its cookie."""
    secret = secrets.token_urlsafe(32)
    cursor.execute(
        "INSERT INTO sign_ins (hash, account, expires, how, address, agent)"
        " VALUES (%s, %s, now() + make_interval(secs => %s), %s, %s, %s)",
        (digest(secret), account, days * 86400, origin.how, origin.address,
         origin.agent[:LONGEST_AGENT]),
    )
    return secret


def signed_in(cursor: Cursor, secret: str) -> Account | None:
    """The account that a cookie's secret stands for."""
    cursor.execute(
        "SELECT accounts.id::text, role, name, hash, expires, seen < now() - interval '1 hour'"
        " FROM sign_ins JOIN accounts ON accounts.id = account"
        " WHERE hash = %s AND expires > now() AND disabled IS NULL",
        (digest(secret),),
    )
    row = cursor.fetchone()
    if row is None:
        return None
    id, role, name, hash, expires, seen_long_ago = row
    if seen_long_ago:
        cursor.execute("UPDATE sign_ins SET seen = now() WHERE hash = %s", (hash,))
    return Account(id, role, name, bytes(hash), expires)


def standing(cursor: Cursor, hashes: Collection[bytes]) -> dict[bytes, str]:
    """Those of these sign-ins that are good now, with the role of their account."""
    cursor.execute(
        "SELECT hash, role FROM sign_ins JOIN accounts ON accounts.id = account"
        " WHERE hash = ANY(%s) AND expires > now() AND disabled IS NULL",
        (list(hashes),),
    )
    return {bytes(hash): role for hash, role in cursor.fetchall()}


def disabled(cursor: Cursor, ids: Collection[str]) -> dict[str, str]:
    """Those of these accounts that are disabled, with the reason."""
    cursor.execute(
        "SELECT id::text, disabled_because FROM accounts"
        " WHERE id::text = ANY(%s) AND disabled IS NOT NULL",
        (list(ids),),
    )
    return dict(cursor.fetchall())


def sign_ins(cursor: Cursor, account: str) -> list[SignIn]:
    """Where an account is signed in, the latest first."""
    cursor.execute(
        "SELECT hash, created, seen, expires, how, address, agent FROM sign_ins"
        " WHERE account = %s AND expires > now() ORDER BY created DESC",
        (account,),
    )
    return [SignIn(bytes(hash), *rest) for hash, *rest in cursor.fetchall()]


def end_sign_in(cursor: Cursor, account: str, hash: bytes) -> bool:
    """Sign one browser of an account out; whether it was signed in."""
    cursor.execute("DELETE FROM sign_ins WHERE account = %s AND hash = %s", (account, hash))
    return bool(cursor.rowcount)


def end_sign_ins(cursor: Cursor, account: str, *, but: bytes = b"") -> int:
    """Sign an account out everywhere, `but` for one browser; from how many it was.

    Links that would sign it in, or let its password be set, end with it.
    """
    cursor.execute("DELETE FROM sign_ins WHERE account = %s AND hash <> %s", (account, but))
    ended = cursor.rowcount
    cursor.execute("DELETE FROM invitations WHERE account = %s AND used IS NULL", (account,))
    return ended

"""People as an administrator sees them: who there is, what is done to them, the end of an account.

Whoever calls has made sure that the actor may (`app/roles.py`). What is done is in the audit
log by the same transaction.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from psycopg2.extensions import cursor as Cursor

from app import accounts, audit

PERSON = """
    SELECT id::text, name, role, coalesce(login, ''), created, disabled, disabled_because,
           (SELECT max(seen) FROM sign_ins WHERE account = accounts.id),
           (SELECT count(*) FROM worksheets WHERE account = accounts.id),
           (SELECT count(*) FROM sessions WHERE account = accounts.id::text AND ended IS NULL)
    FROM accounts
"""


class LastOwner(Exception):
    """Without an owner nobody could govern the site."""


@dataclass(frozen=True)
class Person:
    id: str
    name: str
    role: str
    login: str
    created: datetime
    disabled: datetime | None
    disabled_because: str
    seen: datetime | None  # None: is signed in nowhere
    worksheets: int
    sessions: int  # that run now

    def as_json(self) -> dict[str, Any]:
        return {
            key: value.isoformat() if isinstance(value, datetime) else value
            for key, value in asdict(self).items()
        }


def everybody(cursor: Cursor) -> list[Person]:
    """All people, by name."""
    cursor.execute(PERSON + "ORDER BY lower(name), id")
    return [Person(*row) for row in cursor.fetchall()]


def person(cursor: Cursor, account: str) -> Person | None:
    cursor.execute(PERSON + "WHERE id = %s", (account,))
    row = cursor.fetchone()
    return Person(*row) if row else None


def find(cursor: Cursor, who: str) -> list[Person]:
    """Whom `who` may mean: the one who signs in so, else all of that name or whose id begins so."""
    cursor.execute(
        PERSON + "WHERE lower(login) = lower(%(who)s) OR lower(name) = lower(%(who)s)"
        " OR starts_with(id::text, lower(%(who)s))"
        " ORDER BY lower(login) IS DISTINCT FROM lower(%(who)s), id",
        {"who": who},
    )
    found = [Person(*row) for row in cursor.fetchall()] if who else []
    return found[:1] if found and found[0].login.lower() == who.lower() else found


def set_role(cursor: Cursor, account: str, role: str, *, actor: str) -> None:
    """Raises LastOwner."""
    _keep_an_owner(cursor, account if role != "owner" else "")
    cursor.execute("UPDATE accounts SET role = %s WHERE id = %s", (role, account))
    audit.note(cursor, actor=actor, action="changed the role of", subject=account, detail=role)


def disable(cursor: Cursor, account: str, because: str, *, actor: str) -> None:
    """Keep a person out; signed-in browsers are signed out. Raises LastOwner."""
    _keep_an_owner(cursor, account)
    cursor.execute(
        "UPDATE accounts SET disabled = now(), disabled_because = %s WHERE id = %s",
        (because, account),
    )
    accounts.end_sign_ins(cursor, account)
    audit.note(cursor, actor=actor, action="disabled", subject=account, detail=because)


def enable(cursor: Cursor, account: str, *, actor: str) -> None:
    cursor.execute(
        "UPDATE accounts SET disabled = NULL, disabled_because = '' WHERE id = %s", (account,)
    )
    audit.note(cursor, actor=actor, action="enabled", subject=account)


def delete(cursor: Cursor, account: str, *, actor: str) -> None:
    """Delete an account with all its data. Raises LastOwner.

    What sage servers write has no foreign keys: it is found by the account's worksheets. The
    audit log keeps the id, which names nobody any more, but not what was said of the person.
    """
    _keep_an_owner(cursor, account)
    own = "(SELECT id FROM worksheets WHERE account = %s)"
    cursor.execute(
        f"DELETE FROM outputs USING runs WHERE outputs.run = runs.id AND runs.worksheet IN {own}",
        (account,),
    )
    cursor.execute(f"DELETE FROM runs WHERE worksheet IN {own}", (account,))
    cursor.execute(f"DELETE FROM sessions WHERE worksheet IN {own}", (account,))
    cursor.execute(
        "UPDATE audit SET detail = '', address = '' WHERE actor = %s OR subject = %s",
        (account, account),
    )
    cursor.execute("DELETE FROM accounts WHERE id = %s", (account,))
    audit.note(cursor, actor=actor, action="deleted the account", subject=account)


def forget_guests(cursor: Cursor) -> None:
    """Delete the guests that are gone: nobody can come in as them any more."""
    cursor.execute(
        "SELECT id::text FROM accounts WHERE role = 'guest' AND NOT EXISTS"
        " (SELECT 1 FROM sign_ins WHERE account = accounts.id AND expires > now())"
        " ORDER BY created LIMIT 20"
    )
    for (account,) in cursor.fetchall():
        delete(cursor, account, actor=account)


def _keep_an_owner(cursor: Cursor, account: str) -> None:
    """Raises LastOwner if `account` is the only owner who may come in."""
    cursor.execute(
        "SELECT id::text FROM accounts WHERE role = 'owner' AND disabled IS NULL FOR UPDATE"
    )
    if [row[0] for row in cursor.fetchall()] == [account]:
        raise LastOwner("a site has an owner: make somebody else owner first")

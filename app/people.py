"""People as an administrator sees them: who there is, what is done to them, the end of an account.

Whoever calls has made sure that the actor may (`app/roles.py`). What is done is in the audit
log by the same transaction.
"""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from psycopg2.extensions import cursor as Cursor

from app import accounts, audit, burials

PERSON = """
    SELECT id::text, name, role, coalesce(login, ''), created, disabled, disabled_because,
           greatest((SELECT max(seen) FROM sign_ins WHERE account = accounts.id),
                    (SELECT time FROM audit WHERE actor = accounts.id::text
                     ORDER BY id DESC LIMIT 1)),
           (SELECT count(*) FROM worksheets WHERE account = accounts.id),
           (SELECT count(*) FROM sessions WHERE account = accounts.id::text AND ended IS NULL)
    FROM accounts
"""


STATES = {
    "disabled": "disabled IS NOT NULL",
    "signed in": "EXISTS (SELECT FROM sign_ins WHERE account = accounts.id AND expires > now())",
    "computing": "EXISTS (SELECT FROM sessions WHERE account = accounts.id::text"
    " AND ended IS NULL)",
}


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
    seen: datetime | None  # last, to the hour; None: never
    worksheets: int
    sessions: int  # that run now

    def as_json(self) -> dict[str, Any]:
        return {
            key: value.isoformat() if isinstance(value, datetime) else value
            for key, value in asdict(self).items()
        }


@dataclass(frozen=True)
class Usage:
    """What somebody has taken up."""

    files: int = 0  # bytes, in the folders of all worksheets
    runs: int = 0  # of the last day ...
    seconds: float = 0.0  # ... for which they computed


def everybody(
    cursor: Cursor, *, words: str = "", role: str = "", state: str = "",
    limit: int | None = None, skip: int = 0,
) -> list[Person]:  # fmt: skip
    """People by name. `words`: each of them is in the name, the login or the e-mail, or the id
    begins so; `state`: one of STATES."""
    cursor.execute(
        PERSON
        + f"""
        WHERE {STATES.get(state, "true")} AND (%(role)s = '' OR role = %(role)s)
              AND NOT EXISTS (SELECT FROM unnest(%(words)s::text[]) AS word
                              WHERE strpos(lower(concat_ws(' ', name, login, email)), word) = 0
                                    AND NOT starts_with(id::text, word))
        ORDER BY lower(name), id LIMIT %(limit)s OFFSET %(skip)s
        """,
        {"role": role, "words": words.replace("\0", "").lower().split(), "limit": limit,
         "skip": skip},
    )  # fmt: skip
    return [Person(*row) for row in cursor.fetchall()]


def usage(cursor: Cursor, accounts: list[str]) -> dict[str, Usage]:
    """What each of them has taken up."""
    cursor.execute(
        """
        SELECT worksheets.account::text,
               coalesce(sum((SELECT sum(size) FROM files
                             WHERE worksheet = worksheets.id AND complete)), 0)::bigint,
               coalesce(sum(lately.runs), 0)::integer, coalesce(sum(lately.seconds), 0)::float
        FROM worksheets, LATERAL (
            SELECT count(*) AS runs,
                   sum(extract(epoch FROM coalesce(finished, now()) - started)) AS seconds
            FROM runs WHERE worksheet = worksheets.id AND queued > now() - interval '1 day'
        ) AS lately
        WHERE worksheets.account = ANY(%s::uuid[]) GROUP BY worksheets.account
        """,
        (accounts,),
    )
    found = {account: Usage(*rest) for account, *rest in cursor.fetchall()}
    return {account: found.get(account, Usage()) for account in accounts}


def person(cursor: Cursor, account: str) -> Person | None:
    cursor.execute(PERSON + "WHERE id = %s", (account,))
    row = cursor.fetchone()
    return Person(*row) if row else None


def name_of(cursor: Cursor, account: str) -> str:
    cursor.execute("SELECT name FROM accounts WHERE id = %s", (account,))
    row = cursor.fetchone()
    return row[0] if row else ""


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


def is_id(who: str) -> bool:
    """Whether it is an account's whole id, also that of one that is gone."""
    try:
        return str(uuid.UUID(who)) == who
    except ValueError:
        return False


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

    What has no foreign keys is deleted by the account's worksheets and by its id. The audit log
    keeps the id, which names nobody any more, but not what was said of the person.
    """
    _keep_an_owner(cursor, account)
    cursor.execute("SELECT id::text FROM worksheets WHERE account = %s", (account,))
    burials.bury(cursor, [worksheet for (worksheet,) in cursor.fetchall()])
    # In worksheets of others
    cursor.execute(
        "UPDATE sessions SET account = '', address = '' WHERE account = %s", (account,)
    )
    cursor.execute("DELETE FROM browsers WHERE account = %s", (account,))
    login = accounts.login_of(cursor, account)[0][:100]
    counted = [f"account {account}", f"account {login.lower()}"]  # runs; tries at passwords
    cursor.execute("DELETE FROM run_counts WHERE subject = ANY(%s)", (counted,))
    cursor.execute("DELETE FROM attempts WHERE subject = ANY(%s)", (counted,))
    cursor.execute(
        "UPDATE audit SET detail = '', address = '' WHERE actor = %(account)s"
        " OR subject = %(account)s OR (actor = '' AND lower(detail) = lower(%(login)s))",
        {"account": account, "login": login},
    )
    cursor.execute("DELETE FROM accounts WHERE id = %s", (account,))
    audit.note(cursor, actor=actor, action="deleted the account", subject=account)


def forget_guests(cursor: Cursor) -> int:
    """Delete some guests that are gone, as nobody can come in as them any more; how many."""
    cursor.execute(
        "SELECT id::text FROM accounts WHERE role = 'guest' AND NOT EXISTS"
        " (SELECT 1 FROM sign_ins WHERE account = accounts.id AND expires > now())"
        " ORDER BY created LIMIT 20 FOR UPDATE SKIP LOCKED"  # of others that forget just now
    )
    found = cursor.fetchall()
    for (account,) in found:
        delete(cursor, account, actor=account)
    return len(found)


def _keep_an_owner(cursor: Cursor, account: str) -> None:
    """Raises LastOwner if `account` is the only owner who may come in."""
    cursor.execute(
        "SELECT id::text FROM accounts WHERE role = 'owner' AND disabled IS NULL FOR UPDATE"
    )
    if [row[0] for row in cursor.fetchall()] == [account]:
        raise LastOwner("a site has an owner: make somebody else owner first")

"""What lets a new person in: an invitation, good once, or the code of a class, which is short.

So how often codes are tried is limited by address, and counted before they are looked at, in
a transaction that nothing undoes.
"""

from __future__ import annotations

from dataclasses import dataclass

import flask
from psycopg2.extensions import cursor as Cursor

from app import accounts, attempts, join_codes
from app.db import Database
from app.join_codes import JoinCode


@dataclass(frozen=True)
class Invited:
    role: str
    class_: str  # of which they become a member; empty: of none


class NotInvited(Exception):
    """The token is good for nothing, or not any more."""


class Codes:
    def __init__(self, *, database: Database, tries: int) -> None:
        """`tries`: how many one address has in a quarter of an hour."""
        self._database = database
        self._tries = tries

    def wait_seconds(self, token: str) -> float:
        """Count a try of what is no invitation; seconds to wait if there were too many."""
        with self._database.transaction() as cursor:
            if accounts.link(cursor, token, "join") is not None:
                return 0.0
            return attempts.wait_seconds(cursor, {_subject(): self._tries})

    def find(self, cursor: Cursor, token: str) -> JoinCode | None:
        """The code, if it is good: then tries of this address count no more, as a whole class
        comes from one."""
        code = join_codes.find(cursor, token)
        if code is not None:
            attempts.forget(cursor, _subject())
        return code

    def take(self, cursor: Cursor, token: str) -> Invited:
        """Use an invitation up, or a seat of a code. Raises NotInvited."""
        link = accounts.link(cursor, token, "join")
        if link is not None and accounts.use(cursor, token, "join"):
            return Invited(link.role, "")
        code = self.find(cursor, token)
        if code is None or not join_codes.take_seat(cursor, token):
            raise NotInvited
        return Invited(code.role, code.class_)


def _subject() -> str:
    return f"codes {attempts.network(flask.request.remote_addr or '')}"

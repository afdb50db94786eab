"""Buries what is kept here of worksheets and people that were deleted.

Asked with each sign of life (census.py), of whatever this server has: so one that was away when
something was deleted notices when it is back. The session is ended at once, and the recorder,
which alone writes of it, takes back what it has written. Only then the journal's file goes, so
that a server that is killed in between knows what is left to do.
"""

from __future__ import annotations

import uuid

from psycopg2.extensions import cursor as Cursor

from app import burials
from app.sage.journal import Journal
from app.sage.pool import Pool

REASON = "what it computed for was deleted"


class Sexton:
    def __init__(self, *, pool: Pool) -> None:
        self._pool = pool

    def step(self, cursor: Cursor) -> None:
        journals = [each for each in self._pool.journals() if is_of_a_person(each)]
        if not journals:
            return
        worksheets, accounts = burials.gone(
            cursor,
            {each.opened.worksheet for each in journals},
            {each.opened.account for each in journals},
        )
        for journal in journals:
            if journal.opened.worksheet in worksheets:
                journal.buried = True
            if journal.buried or journal.opened.account in accounts:
                self._pool.end_session(journal.opened.session, REASON)


def is_of_a_person(journal: Journal) -> bool:
    """Whether its worksheet is one that people have; those of the site's tools are nobody's."""
    try:
        return bool(uuid.UUID(journal.opened.account))
    except ValueError:
        return False

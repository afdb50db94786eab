"""What this server's sessions use, written down for administrators; and whose must end.

Written with each sign of life (census.py), and only what has changed, so that sessions at rest
cost nothing. People are disabled in the database: each server reads that here, so it reaches
sessions wherever they run, however late their server hears of it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from app import accounts
from app.sage.pool import Pool
from app.sage.session import Session

STEP = 5.0  # seconds by which the last use of a session must differ to be told anew


@dataclass(frozen=True)
class Said:
    """What was said last of a session."""

    state: str
    cpu_seconds: float
    percent_cpu: float
    memory: int
    processes: int
    used: float  # monotonic, in steps
    at: float = field(compare=False)  # monotonic


class Roll:
    def __init__(self, *, pool: Pool, address: str) -> None:
        """`address`: of this server (host:port), as its sessions are recorded with it."""
        self._pool = pool
        self._address = address
        self._said: dict[str, Said] = {}

    def step(self, cursor: Cursor) -> None:
        """Say what sessions use, and end those of people who are disabled."""
        self._tell(cursor)
        self._end_disabled(cursor)

    def _tell(self, cursor: Cursor) -> None:
        now = time.monotonic()
        sessions = self._pool.serving()
        told = {session.id: said_of(session, self._said.get(session.id), now)
                for session in sessions}  # fmt: skip
        changed = [
            (id, self._address, said.state, said.cpu_seconds, said.percent_cpu, said.memory,
             said.processes, now - said.used)
            for id, said in told.items()
            if said != self._said.get(id)
        ]  # fmt: skip
        execute_values(
            cursor,
            "INSERT INTO session_use (session, server, state, cpu_seconds, percent_cpu, memory,"
            " processes, used) VALUES %s ON CONFLICT (session) DO UPDATE SET"
            " state = excluded.state, cpu_seconds = excluded.cpu_seconds,"
            " percent_cpu = excluded.percent_cpu, memory = excluded.memory,"
            " processes = excluded.processes, used = excluded.used",
            changed,
            template="(%s, %s, %s, %s, %s, %s, %s, now() - make_interval(secs => %s))",
        )
        if not self._said or self._said.keys() - told.keys():  # also what one before us has left
            cursor.execute(
                "DELETE FROM session_use WHERE server = %s AND session <> ALL(%s::uuid[])",
                (self._address, list(told)),
            )
        self._said = told

    def _end_disabled(self, cursor: Cursor) -> None:
        """A session that is being ended is told again, until it has gone."""
        sessions = self._pool.serving()
        people = {session.account for session in sessions if session.account}
        if not people:
            return
        for account, because in accounts.disabled(cursor, people).items():
            for session in sessions:
                if session.account == account:
                    session.kill(f"the account is disabled. {because}".strip())


def said_of(session: Session, before: Said | None, now: float) -> Said:
    """What there is to say of it."""
    use, percent = session.use, 0.0
    if before is not None and now > before.at:
        percent = max(0.0, 100 * (use.cpu_seconds - before.cpu_seconds) / (now - before.at))
    return Said(
        state=session.state,
        cpu_seconds=use.cpu_seconds,
        percent_cpu=round(percent, 1),
        memory=use.memory,
        processes=use.processes,
        used=STEP * round(session.used / STEP),
        at=now,
    )

"""Sessions that live now, as administrators and the status page see them: whose, where, and
what they use.

What they use is what their sage servers said last. Every function takes a cursor.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from psycopg2.extensions import cursor as Cursor

SILENCE = 10.0  # seconds after which what a sage server has said is old


@dataclass(frozen=True)
class LiveSession:
    id: str
    worksheet: str
    title: str  # of the worksheet
    account: str  # empty: of one of the site's tools
    name: str  # of the person
    role: str  # of the person; of a tool, the one it has the limits of
    server: str  # host:port of its sage server
    started: datetime
    seconds: float  # since then
    state: str  # waiting, starting, busy or idle; empty, as all below is 0, if that is not known
    cpu_seconds: float
    percent_cpu: float  # of one core
    memory: int  # bytes
    processes: int
    idle: float  # seconds since somebody computed or was there
    silent: bool  # its sage server has not been heard of lately

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"started": self.started.isoformat()}


def listed(cursor: Cursor, *, account: str = "", id: str = "") -> list[LiveSession]:
    """The busiest first; of one person only, or the one whose id or worksheet's id begins so."""
    cursor.execute(
        """
        SELECT sessions.id::text, worksheet::text, coalesce(worksheets.title, ''),
               coalesce(accounts.id::text, ''),
               coalesce(accounts.name, ''), coalesce(accounts.role, sessions.kind),
               sessions.server, started, extract(epoch FROM now() - started)::float,
               coalesce(state, ''), coalesce(cpu_seconds, 0), coalesce(percent_cpu, 0),
               coalesce(memory, 0), coalesce(processes, 0),
               coalesce(extract(epoch FROM now() - used), 0)::float,
               coalesce(sage_servers.seen < now() - make_interval(secs => %(silence)s), true)
        FROM sessions
             LEFT JOIN session_use ON session = sessions.id
             LEFT JOIN sage_servers ON sage_servers.address = sessions.server
             LEFT JOIN worksheets ON worksheets.id = worksheet
             LEFT JOIN accounts ON accounts.id::text = sessions.account
        WHERE ended IS NULL
              AND (%(account)s = '' OR sessions.account = %(account)s)
              AND (starts_with(sessions.id::text, %(id)s) OR starts_with(worksheet::text, %(id)s))
        ORDER BY coalesce(percent_cpu, 0) DESC, started, sessions.id
        """,
        {"silence": SILENCE, "account": account, "id": id.lower()},
    )
    return [LiveSession(*row) for row in cursor.fetchall()]


def states(cursor: Cursor, worksheets: Collection[str]) -> dict[str, str]:
    """Those of these worksheets that have a session, with its state; empty if that is not known."""
    cursor.execute(
        "SELECT worksheet::text, coalesce(state, '') FROM sessions"
        " LEFT JOIN session_use ON session = sessions.id"
        " WHERE ended IS NULL AND worksheet = ANY(%s::uuid[])",
        (list(worksheets),),
    )
    return dict(cursor.fetchall())

"""Which services run on the site and how they fare: asked of the cache first, else of the
database. The one place where this is asked.

Each monitor mirrors what runs on its host, and which hosts there are. The cache is believed
only if it has all of them, each from lately; so one that was restarted, or has split, makes
an answer slower and never wrong.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg2.extensions import cursor as Cursor

from app.balance import Load
from app.cache import Cache
from app.db import Database
from monitor.samples import Sample
from monitor.services import Row

FIGURES = (
    "load", "percent_mem", "percent_cpu", "cputime", "walltime", "virtual_size",
    "resident_size", "sessions", "sessions_free", "browsers", "hub_lag",
)  # fmt: skip
FIELDS = ("id", "type", "name", "host", "address", "port", "username", "pid", "started", "cores")


@dataclass(frozen=True)
class Life:
    """A process that has served: a row of services."""

    id: str
    type: str
    host: str
    name: str
    pid: int
    running: bool
    started: datetime
    stopped: datetime | None
    exit: str | None


@dataclass(frozen=True)
class Point:
    """How a service fared in a part of its life, as the mean of its samples."""

    service: str  # id of its row
    time: datetime
    percent_cpu: float
    resident_size: int
    sessions: int | None
    browsers: int | None
    load: float


def running_services(*, database: Database, cache: Cache, site: str) -> list[dict[str, Any]]:
    """The running services of the site, each with its latest sample; values as in JSON.

    Keys: FIELDS, FIGURES and `time` of the sample, which like the sample's figures is None
    if there is none yet. Raises Unavailable.
    """
    mirrored = _mirrored(cache, site)
    if mirrored is not None:
        return mirrored
    columns = [f"services.{name}" for name in FIELDS]
    columns += [f"latest.{name}" for name in ("time", *FIGURES)]
    with database.reading() as cursor:
        cursor.execute(
            f"SELECT {', '.join(columns)} FROM services LEFT JOIN LATERAL (SELECT * FROM status"
            " WHERE service = services.id ORDER BY time DESC LIMIT 1) AS latest ON true"
            " WHERE running AND site = %s ORDER BY services.host, services.started",
            (site,),
        )
        rows = cursor.fetchall()
    names = (*FIELDS, "time", *FIGURES)
    return [_as_json(dict(zip(names, row, strict=True))) for row in rows]


def sage_loads(services: Iterable[dict[str, Any]]) -> dict[str, Load]:
    """By host:port, of the Sage servers in `services` (as of `running_services`) that have told
    how they fare."""
    return {
        f"{one['address']}:{one['port']}": Load(
            one["sessions"], one["sessions_free"], one["load"] / one["cores"]
        )
        for one in services
        if one["type"] == "sage" and one["sessions"] is not None
    }


def ended_memcached(cursor: Cursor, *, site: str) -> frozenset[str]:
    """The site's memcached servers (host:port) that have run and do not run now."""
    cursor.execute(
        "SELECT address || ':' || port FROM services WHERE site = %s AND type = 'memcached'"
        " GROUP BY address, port HAVING NOT bool_or(running)",
        (site,),
    )
    return frozenset(server for (server,) in cursor.fetchall())


def mirror(
    *,
    cache: Cache,
    site: str,
    host: str,
    hosts: Sequence[str],
    services: Iterable[tuple[Row, Sample | None]],
    seconds: float,
) -> None:
    """Let `running_services` find the services of this host for `seconds`.

    `hosts`: of the site, as the database has them.
    """
    found = []
    for row, sample in sorted(services, key=lambda pair: pair[0].started):
        entry = {name: getattr(row, name) for name in FIELDS}
        for name in ("time", *FIGURES):
            entry[name] = getattr(sample, name) if sample else None
        found.append(_as_json(entry))
    until = datetime.now(UTC).timestamp() + seconds
    known = {"until": until, "hosts": list(hosts)}
    cache.set(_key(site), json.dumps(known).encode(), seconds)
    here = {"until": until, "services": found}
    cache.set(_key(site, host), json.dumps(here).encode(), seconds)


def lives(cursor: Cursor, *, site: str, service: str, host: str = "") -> list[Life]:
    """The processes that have been a service (its name, or its type), the first one first."""
    cursor.execute(
        "SELECT id::text, type, host, name, pid, running, started, stopped, exit FROM services"
        " WHERE site = %s AND %s IN (name, type) AND %s IN ('', host) ORDER BY started",
        (site, service, host),
    )
    return [Life(*row) for row in cursor.fetchall()]


def course(
    cursor: Cursor, *, services: Sequence[str], since: datetime, until: datetime, points: int
) -> list[Point]:
    """How services (ids) fared between two times, each in at most `points` parts."""
    cursor.execute(
        """
        SELECT service::text, min(time), avg(percent_cpu), avg(resident_size)::bigint,
               round(avg(sessions))::integer, round(avg(browsers))::integer, avg(load)
        FROM status
        WHERE service = ANY(%(services)s::uuid[]) AND time BETWEEN %(since)s AND %(until)s
        GROUP BY service, floor(extract(epoch FROM time - %(since)s) / %(width)s)
        ORDER BY 2
        """,
        {
            "services": list(services),
            "since": since,
            "until": until,
            "width": max((until - since).total_seconds() / points, 0.001),
        },
    )
    return [Point(*row) for row in cursor.fetchall()]


def restarts(cursor: Cursor, *, site: str) -> dict[tuple[str, str], int]:
    """How often each service, by host and name, has begun anew, as far as rows are kept."""
    cursor.execute(
        "SELECT host, name, count(*) - 1 FROM services WHERE site = %s GROUP BY host, name",
        (site,),
    )
    return {(host, name): count for host, name, count in cursor.fetchall()}


def service_names(cursor: Cursor, *, site: str) -> list[str]:
    """Of all that has run on the site."""
    cursor.execute("SELECT DISTINCT name FROM services WHERE site = %s ORDER BY name", (site,))
    return [name for (name,) in cursor.fetchall()]


def _mirrored(cache: Cache, site: str) -> list[dict[str, Any]] | None:
    """What the cache says, if it knows it all."""
    known = _fresh(cache, _key(site))
    if known is None:
        return None
    found: list[dict[str, Any]] = []
    for host in known["hosts"]:
        there = _fresh(cache, _key(site, host))
        if there is None:
            return None
        found += there["services"]
    return found


def _fresh(cache: Cache, key: str) -> dict[str, Any] | None:
    """Trap: a ring that changes may bring back what was written before, until it expires."""
    value = cache.get(key)
    if value is None:
        return None
    entry: dict[str, Any] = json.loads(value)
    return entry if entry["until"] > datetime.now(UTC).timestamp() else None


def _as_json(entry: dict[str, Any]) -> dict[str, Any]:
    """Times as text."""
    for name in ("started", "time"):
        entry[name] = entry[name].isoformat() if entry[name] else None
    return entry


def _key(site: str, host: str = "") -> str:
    return f"monitor/{site}/{host}" if host else f"monitor/{site}"

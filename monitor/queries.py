"""Which services run and what they use: asked of the cache first, else of the database."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from app.cache import Cache
from app.db import Database
from monitor.samples import Sample
from monitor.services import HOST, Row

STATUS = ("load", "percent_mem", "percent_cpu", "cputime", "walltime")
SIZES = ("virtual_size", "resident_size")
FIELDS = ("id", "type", "name", "host", "address", "port", "username", "pid", "started")


def running_services(
    *, database: Database, cache: Cache, site: str, host: str = HOST
) -> list[dict[str, Any]]:
    """The running services of `host`, each with its latest sample; values as in JSON.

    Keys: those of FIELDS, STATUS and SIZES, and `time` of the sample, which like the
    sample's figures is None if there is none yet. Raises Unavailable.
    """
    mirrored = cache.get(_key(site, host))
    if mirrored is not None:
        found: list[dict[str, Any]] = json.loads(mirrored)
        return found
    columns = [f"services.{name}" for name in FIELDS]
    columns += [f"latest.{name}" for name in ("time", *STATUS, *SIZES)]
    with database.reading() as cursor:
        cursor.execute(
            f"SELECT {', '.join(columns)} FROM services LEFT JOIN LATERAL (SELECT * FROM status"
            " WHERE service = services.id ORDER BY time DESC LIMIT 1) AS latest ON true"
            " WHERE running AND site = %s AND host = %s ORDER BY services.started",
            (site, host),
        )
        rows = cursor.fetchall()
    names = (*FIELDS, "time", *STATUS, *SIZES)
    return [_as_json(dict(zip(names, row, strict=True))) for row in rows]


def mirror(
    *, cache: Cache, site: str, services: Iterable[tuple[Row, Sample | None]], seconds: float
) -> None:
    """Let `running_services` find the services of this host for `seconds`."""
    found = []
    for row, sample in sorted(services, key=lambda pair: pair[0].started):
        entry = {name: getattr(row, name) for name in FIELDS}
        for name in ("time", *STATUS, *SIZES):
            entry[name] = getattr(sample, name) if sample else None
        found.append(_as_json(entry))
    cache.set(_key(site, HOST), json.dumps(found).encode(), seconds)


def _as_json(entry: dict[str, Any]) -> dict[str, Any]:
    """Times as text, sizes as numbers."""
    for name in ("started", "time"):
        entry[name] = entry[name].isoformat() if entry[name] else None
    return entry


def _key(site: str, host: str) -> str:
    return f"monitor/{site}/{host}"

"""What an app server is told of the site's services, for its status page and its metrics."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from app.cache import Cache
from app.db import Database
from monitor import entries, queries
from monitor.monitor import UNCHANGED_SECONDS
from monitor.queries import Point

PARTS = 120  # of the time that plots show
GAP_SECONDS = 1.5 * UNCHANGED_SECONDS  # for which a sample says how things went on
ERRORS = 20
COURSES = ("percent_cpu", "resident_size", "sessions", "browsers")  # of services


class Overview:
    def __init__(self, *, database: Database, cache: Cache, site: str) -> None:
        self._database = database
        self._cache = cache
        self._site = site

    def services(self) -> list[dict[str, Any]]:
        """As `queries.running_services`. Raises Unavailable."""
        return queries.running_services(database=self._database, cache=self._cache, site=self._site)

    def restarts(self) -> dict[tuple[str, str], int]:
        """By host and service, as long as rows are kept. Raises Unavailable."""
        with self._database.reading() as cursor:
            return queries.restarts(cursor, site=self._site)

    def errors(self) -> list[dict[str, Any]]:
        """The last ones of the site's logs, the newest first. Raises Unavailable."""
        with self._database.reading() as cursor:
            found = entries.latest(cursor, entries.Wanted(level="ERROR"), ERRORS)
        return [
            {
                "time": one.time.isoformat(timespec="seconds"),
                "host": one.host,
                "service": one.service,
                "level": one.level,
                "message": one.message[:2000],
            }
            for one in sorted(found, key=lambda entry: entry.time, reverse=True)
        ]

    def course(self, hours: float) -> dict[str, Any]:
        """How the last hours went: for each running service, and the load of each host, lists
        of values at `times` (Unix seconds). Raises Unavailable."""
        services = self.services()
        until = datetime.now(UTC)
        since = until - timedelta(hours=hours)
        with self._database.reading() as cursor:
            points = queries.course(
                cursor,
                services=[one["id"] for one in services],
                since=since,
                until=until,
                points=PARTS,
            )
        step = (until - since).total_seconds() / PARTS
        places = {one["id"]: f"{one['host']}/{one['name']}" for one in services}
        found: dict[str, dict[str, list[float | None]]] = {}
        hosts: dict[str, list[float | None]] = {}
        for one in services:
            own = [point for point in points if point.service == one["id"]]
            parts = {_part(point, since, step): point for point in own}
            found[places[one["id"]]] = {
                name: _filled({part: getattr(point, name) for part, point in parts.items()}, step)
                for name in COURSES
            }
            loads = _filled({part: point.load for part, point in parts.items()}, step)
            hosts[one["host"]] = _either(hosts.get(one["host"], [None] * PARTS), loads)
        times = [round(since.timestamp() + (part + 1) * step, 1) for part in range(PARTS)]
        return {"times": times, "services": found, "hosts": hosts}


def _part(point: Point, since: datetime, step: float) -> int:
    return min(PARTS - 1, max(0, int((point.time - since).total_seconds() / step)))


def _filled(known: dict[int, float | None], step: float) -> list[float | None]:
    """A value for each part: samples that say nothing new are not kept, so one holds on."""
    found: list[float | None] = []
    last, since = None, 0
    for part in range(PARTS):
        if part in known:
            last, since = known[part], part
        elif (part - since) * step > GAP_SECONDS:
            last = None
        found.append(last)
    return found


def _either(some: Iterable[float | None], others: Iterable[float | None]) -> list[float | None]:
    return [other if one is None else one for one, other in zip(some, others, strict=True)]

"""Keeps tables `status`, `services` and `log` within the rows and the age of the settings.

Deleted is in small batches, each a transaction of its own, the oldest first: writers, who add
at the other end, are never held up.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import gevent

from app.db import Database, Unavailable
from app.loop import Loop
from app.settings import Monitor
from monitor import services

BATCH = 1000  # rows
BREATH = 0.01  # seconds between batches
FIRST_SECONDS, SECONDS = 30.0, 600.0  # until the first look, and between looks

OLD_LOG = """
    DELETE FROM log WHERE id IN (
        SELECT id FROM (SELECT id, recorded FROM log ORDER BY id LIMIT %(batch)s) AS oldest
        WHERE recorded < now() - make_interval(secs => %(seconds)s))
"""
# Ids have gaps where a transaction was undone: there are fewer rows than this assumes.
MUCH_LOG = """
    DELETE FROM log WHERE id IN (
        SELECT id FROM log WHERE id <= (SELECT max(id) FROM log) - %(rows)s
        ORDER BY id LIMIT %(batch)s)
"""
MUCH_STATUS = """
    DELETE FROM status WHERE (service, time) IN (
        SELECT service, time FROM status
        WHERE time <= (SELECT time FROM status ORDER BY time DESC OFFSET %(rows)s LIMIT 1)
        ORDER BY time LIMIT %(batch)s)
"""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Capped:
    """Rows that were deleted."""

    status: int
    log: int


def cap(database: Database, settings: Monitor) -> Capped:
    """Delete what is too old or too much. Raises Unavailable."""
    age = {"seconds": settings.log_days * 86400}
    entries = _in_batches(database, OLD_LOG, age)
    entries += _in_batches(database, MUCH_LOG, {"rows": settings.log_rows})
    samples = _in_batches(database, MUCH_STATUS, {"rows": settings.status_rows})
    trimmed = services.TRIMMED_AT_ONCE
    while trimmed == services.TRIMMED_AT_ONCE:
        with database.transaction() as cursor:
            trimmed = services.trim(cursor, settings.keep_days)
        samples += trimmed
        gevent.sleep(BREATH)
    with database.transaction() as cursor:
        services.trim_services(cursor, settings.keep_days)
    return Capped(status=samples, log=entries)


def _in_batches(database: Database, statement: str, values: dict[str, float]) -> int:
    total, deleted = 0, BATCH
    while deleted == BATCH:
        with database.transaction() as cursor:
            cursor.execute(statement, values | {"batch": BATCH})
            deleted = cursor.rowcount
        total += deleted
        gevent.sleep(BREATH)
    return total


class Caps(Loop):
    """The greenlet that caps now and then."""

    def __init__(self, *, database: Database, settings: Monitor) -> None:
        self._database = database
        self._settings = settings

    def _run(self) -> None:
        gevent.sleep(FIRST_SECONDS)
        while True:
            try:
                cap(self._database, self._settings)
            except Unavailable as error:
                log.info("tables are not capped now: %s", error)
            except Exception:
                log.exception("tables could not be capped; the next look may go well")
            gevent.sleep(SECONDS)

"""The greenlet that looks at this host's services at intervals and writes down what it saw."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime

import gevent

from app.cache import Cache
from app.db import Database, Unavailable
from app.settings import Settings
from monitor import queries
from monitor import services as rows_of_services
from monitor.samples import HubLag, Sample, Sampler, Watched

BACKLOG = 20_000  # samples kept for a database that is down; then the oldest go
TIDY_SECONDS = 600.0  # between looks for rows that are wrong or old
MIRRORED_INTERVALS = 3  # after so many without news the cache forgets us

log = logging.getLogger(__name__)


class Monitor:
    """`services` tells what is to be watched; it is asked once an interval."""

    def __init__(
        self,
        *,
        database: Database,
        cache: Cache,
        settings: Settings,
        services: Callable[[], list[Watched]],
    ) -> None:
        self._database = database
        self._cache = cache
        self._site = settings.site.name
        self._settings = settings.monitor
        self._services = services
        self._sampler = Sampler()
        self._book = rows_of_services.Book(site=self._site)
        self._samples: deque[tuple[str, Sample]] = deque(maxlen=BACKLOG)
        self._tidied: float | None = None
        self._was_down = False
        self._lag = HubLag(window=self._settings.interval)
        self._greenlet: gevent.Greenlet[[], None] | None = None

    @property
    def lag(self) -> float:
        """Seconds by which our greenlets have lately run late, at worst."""
        return self._lag.seconds

    def start(self) -> None:
        self._lag.start()
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        if self._greenlet:
            self._greenlet.kill()
        self._lag.stop()

    def step(self) -> None:
        """Look once, and write once if the database answers."""
        self._book.update(self._services(), datetime.now(UTC))
        running = self._book.running
        samples = self._sampler.take(row.pid for row in running)
        self._samples += [(row.id, samples[row.pid]) for row in running if row.pid in samples]
        queries.mirror(
            cache=self._cache,
            site=self._site,
            services=[(row, samples.get(row.pid)) for row in running],
            seconds=MIRRORED_INTERVALS * self._settings.interval,
        )
        self._write()

    def _run(self) -> None:
        while True:
            try:
                self.step()
            except Exception:
                # Whatever it was, the next look may go well; nobody else looks.
                log.exception("the monitor has missed an interval")
            gevent.sleep(self._settings.interval)

    def _write(self) -> None:
        rows, samples = self._book.unwritten, list(self._samples)
        try:
            with self._database.transaction() as cursor:
                rows_of_services.write_rows(cursor, rows)
                rows_of_services.write_samples(cursor, samples)
            if self._tidied is None or time.monotonic() - self._tidied >= TIDY_SECONDS:
                self._tidy()
        except Unavailable as error:
            if not self._was_down:
                log.warning("samples are kept until the database is back: %s", error)
            self._was_down = True
            return
        if self._was_down:
            log.info("the database is back; %d samples have been kept for it", len(samples))
        self._was_down = False
        self._book.written(rows)
        self._samples.clear()

    def _tidy(self) -> None:
        with self._database.transaction() as cursor:
            rows_of_services.close_gone(cursor, rows_of_services.HOST)
            rows_of_services.trim_services(cursor, self._settings.keep_days)
        trimmed = rows_of_services.TRIMMED_AT_ONCE
        while trimmed == rows_of_services.TRIMMED_AT_ONCE:
            with self._database.transaction() as cursor:
                trimmed = rows_of_services.trim(cursor, self._settings.keep_days)
        self._tidied = time.monotonic()

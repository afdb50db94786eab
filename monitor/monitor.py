"""The greenlet that looks at this host's services at intervals and writes down what it saw."""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import gevent

from app.cache import Cache
from app.db import Database, Unavailable
from app.loop import Loop
from app.settings import Settings
from app.skew import Skew
from monitor import hosts, queries
from monitor import services as rows_of_services
from monitor.caps import Caps
from monitor.logs import Shipper
from monitor.ring import Ring
from monitor.samples import HubLag, Sample, Sampler, Watched
from monitor.services import Row
from monitor.vitals import Vitals

BACKLOG = 20_000  # samples kept for a database that is down; then the oldest go
CHECK_SECONDS = 30.0  # between looks for rows that are wrong
UNCHANGED_SECONDS = 60.0  # after which a sample is kept though nothing has changed
MIRRORED_INTERVALS = 3  # after so many without news the cache forgets us
SILENT_INTERVALS, SILENT_SECONDS = 6, 30.0  # whichever is longer: then a host is lost

log = logging.getLogger(__name__)


class Monitor(Loop):
    """`services` tells what is to be watched, `vitals` what one of these, by its address, has
    told of itself; they are asked once an interval."""

    def __init__(
        self,
        *,
        database: Database,
        cache: Cache,
        settings: Settings,
        services: Callable[[], list[Watched]],
        vitals: Callable[[str], Vitals | None] = lambda at: None,
    ) -> None:
        self._database = database
        self._cache = cache
        self._site = settings.site.name
        self._host = settings.host_name
        self._settings = settings.monitor
        self._services = services
        self._vitals = vitals
        self._silence = max(SILENT_SECONDS, SILENT_INTERVALS * self._settings.interval)
        self._sampler = Sampler()
        self._book = rows_of_services.Book(site=self._site, host=self._host)
        self._samples: deque[tuple[str, Sample]] = deque(maxlen=BACKLOG)
        self._kept: dict[str, Sample] = {}  # the last for each row
        self._hosts: tuple[str, ...] = (self._host,)  # of the site
        self._checked = -CHECK_SECONDS
        self._heard: float | None = None  # since when the database has answered
        self._was_down = False
        self._skew = Skew()
        self._lag = HubLag(window=self._settings.interval)
        self._caps = Caps(database=database, settings=settings.monitor)
        self._ring = Ring(
            database=database,
            cache=cache,
            site=settings.site.name,
            interval=settings.monitor.interval,
        )
        self._shipper = Shipper(
            database=database,
            folder=settings.logs_dir,
            host=settings.host_name,
            interval=settings.monitor.log_seconds,
        )

    @property
    def lag(self) -> float:
        """Seconds by which our greenlets have lately run late, at worst."""
        return self._lag.seconds

    def start(self) -> None:
        self._lag.start()
        self._caps.start()
        self._ring.start()
        self._shipper.start()
        super().start()

    def stop(self) -> None:
        super().stop()
        self._shipper.stop()
        self._ring.stop()
        self._caps.stop()
        self._lag.stop()

    def step(self) -> None:
        """Look once, and write once if the database answers."""
        watched = self._services()
        self._book.update(watched, datetime.now(UTC))
        running = self._book.running
        samples = self._sampler.take(
            [row.pid for row in running],
            alone=[one.pid for one in watched if one.alone and one.pid is not None],
            vitals={one.pid: self._vitals_of(one) for one in watched if one.pid is not None},
        )
        self._keep([(row.id, samples[row.pid]) for row in running if row.pid in samples])
        self._write(running)
        queries.mirror(
            cache=self._cache,
            site=self._site,
            host=self._host,
            hosts=self._hosts,
            services=[
                (
                    self._dated(row),
                    self._timed(samples[row.pid]) if row.pid in samples else None,
                )
                for row in running
            ],
            seconds=MIRRORED_INTERVALS * self._settings.interval,
        )

    def _vitals_of(self, one: Watched) -> Vitals:
        vitals = self._vitals(one.at) or Vitals()
        return replace(vitals, hub_lag=self._lag.seconds) if one.pid == os.getpid() else vitals

    def _dated(self, row: Row) -> Row:
        """With the database's times, as `_timed` is."""
        stopped = self._skew.corrected(row.stopped) if row.stopped else None
        return replace(row, started=self._skew.corrected(row.started), stopped=stopped)

    def _timed(self, sample: Sample) -> Sample:
        return replace(sample, time=self._skew.corrected(sample.time))

    def _keep(self, samples: list[tuple[str, Sample]]) -> None:
        """Those that say something new."""
        before, self._kept = self._kept, dict(samples)
        for row, sample in samples:
            last = before.get(row)
            if last is None or _is_worth_keeping(sample, last):
                self._samples.append((row, sample))
            else:
                self._kept[row] = last

    def _run(self) -> None:
        while True:
            try:
                self.step()
            except Exception:
                # Whatever it was, the next look may go well; nobody else looks.
                log.exception("the monitor has missed an interval")
            gevent.sleep(self._settings.interval)

    def _write(self, running: list[Row]) -> None:
        samples = list(self._samples)
        try:
            with self._database.transaction() as cursor:
                beat = hosts.beat(
                    cursor,
                    site=self._site,
                    host=self._host,
                    pid=os.getpid(),
                    rows=[row.id for row in running],
                    silence=self._silence,
                )
                self._skew.look(cursor)
                rows = self._book.unwritten(beat.running)
                rows_of_services.write_rows(cursor, [self._dated(row) for row in rows])
                rows_of_services.write_samples(
                    cursor, [(row, self._timed(sample)) for row, sample in samples]
                )
            self._look_after(time.monotonic())
        except Unavailable as error:
            if not self._was_down:
                log.warning("samples are kept until the database is back: %s", error)
            self._was_down, self._heard = True, None
            return
        if self._was_down:
            log.info("the database is back; %d samples have been kept for it", len(samples))
        self._was_down = False
        self._hosts = beat.hosts
        self._book.written(rows)
        self._samples.clear()

    def _look_after(self, now: float) -> None:
        """See to rows that are wrong, when it is time."""
        if self._heard is None:
            self._heard = now
        if now - self._checked >= CHECK_SECONDS:
            self._check(is_judge=now - self._heard >= self._silence)
            self._checked = now

    def _check(self, *, is_judge: bool) -> None:
        """Close rows of what is gone; of silent hosts only if we have been heard ourselves for
        that long, as everybody is silent while the database is away."""
        with self._database.transaction() as cursor:
            rows_of_services.close_gone(cursor, self._host)
            if is_judge:
                hosts.close_lost(cursor, site=self._site, silence=self._silence)


def _is_worth_keeping(sample: Sample, last: Sample) -> bool:
    is_old = sample.time - last.time >= timedelta(seconds=UNCHANGED_SECONDS)
    return is_old or sample.says_more_than(last)

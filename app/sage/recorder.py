"""Copies journals to PostgreSQL, in batches, each frame once.

The key is (run, seq), so a batch that was committed but not known to be is harmless when
repeated. While the database is away the journals keep everything.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import gevent
import psycopg2
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from app import burials
from app.db import Database, Unavailable
from app.loop import Loop
from app.sage.journal import Journal
from app.sage.pool import Pool
from app.sage.sexton import is_of_a_person
from app.skew import Skew
from app.wire.decoder import parse
from app.wire.messages_pb2 import Finished

BATCH = 1 << 20  # bytes of one session's frames in a transaction
LONGEST_PAUSE = 5.0  # seconds between tries while the database is away

log = logging.getLogger(__name__)


@dataclass
class Rows:
    """What some frames are in tables."""

    runs: list[tuple[Any, ...]] = field(default_factory=list)
    started: list[tuple[Any, ...]] = field(default_factory=list)
    finished: list[tuple[Any, ...]] = field(default_factory=list)
    outputs: list[tuple[Any, ...]] = field(default_factory=list)
    # By run and interact, the latest update that has finished: what it has replaced can go
    updated: dict[tuple[str, str], int] = field(default_factory=dict)


def utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def rows_of(
    session: str, payloads: list[bytes], when: Callable[[float], datetime] = utc
) -> Rows:
    """Frames (encoded messages) of a session as rows. `when` makes its times the database's."""
    rows = Rows()
    for payload in payloads:
        step = parse(payload).frame
        kind = step.WhichOneof("content")
        if kind == "queued":
            queued = step.queued
            rows.runs.append(
                (step.run, session, queued.worksheet, queued.cell, queued.code, when(queued.time))
            )
        elif kind == "started":
            rows.started.append((step.run, when(step.started.time)))
        elif kind == "finished" and step.update:
            rows.updated[step.run, step.area] = step.update
        elif kind == "finished":
            status = Finished.Status.Name(step.finished.status).lower()
            rows.finished.append(
                (step.run, when(step.finished.time), status, step.finished.reason or None)
            )
        rows.outputs.append(
            (session, step.run, step.seq, payload, step.area or None, step.update,
             step.interact.id or None)
        )
    return rows


def forget_replaced(cursor: Cursor, run: str, area: str, update: int) -> None:
    """Delete what an update of an interact has replaced, with the interacts nested in that."""
    cursor.execute(
        """
        WITH RECURSIVE gone (id) AS (
            SELECT shows FROM outputs
            WHERE run = %(run)s AND area = %(area)s AND update < %(update)s AND shows IS NOT NULL
            UNION
            SELECT shows FROM outputs JOIN gone ON area = gone.id
            WHERE run = %(run)s AND shows IS NOT NULL
        )
        DELETE FROM outputs
        WHERE run = %(run)s AND ((area = %(area)s AND update < %(update)s)
                                 OR area IN (SELECT id FROM gone))
        """,
        {"run": run, "area": area, "update": update},
    )


class Recorder(Loop):
    def __init__(self, *, pool: Pool, database: Database, interval: float) -> None:
        """`interval`: seconds between looks for something new."""
        self._pool = pool
        self._database = database
        self._interval = interval
        self._set_aside: set[Journal] = set()
        self._skew = Skew()
        self.delayed = ""  # why nothing is being recorded now

    def stop(self) -> None:
        """Record what there is, if the database takes it, and end."""
        super().stop()
        try:
            self.record()
        except Unavailable as error:
            log.warning("output stays in its journals until the next start: %s", error)

    def _run(self) -> None:
        pause = self._interval
        while True:
            gevent.sleep(pause)
            try:
                self.record()
            except Unavailable as error:
                if not self.delayed:
                    log.warning("output waits in its journals: %s", error)
                self.delayed = str(error)
                pause = min(2 * pause, LONGEST_PAUSE)
            except Exception:
                log.exception("our own mistake; the journals keep what could not be recorded")
                pause = LONGEST_PAUSE
            else:
                self.delayed, pause = "", self._interval

    def record(self) -> None:
        """Record all that is new. Raises Unavailable."""
        behind: set[str] = set()  # worksheets whose earlier session is not yet complete
        for journal in self._pool.journals():
            if journal.buried:
                self._take_back(journal)
                continue
            if journal.opened.worksheet in behind or journal in self._set_aside:
                continue
            try:
                self._record_journal(journal)
            except psycopg2.Error:
                log.exception("%s can't be recorded; it is set aside", journal.path)
                self._set_aside.add(journal)
            if not journal.complete:
                behind.add(journal.opened.worksheet)

    def _record_journal(self, journal: Journal) -> None:
        while journal.recorded < journal.last and not journal.buried:
            self._record_some(journal)
        if journal.ended and not journal.end_recorded:
            self._record_end(journal)
            journal.end_recorded = not journal.buried
        if journal.buried:
            self._take_back(journal)
        elif journal.complete:
            self._pool.forget(journal)

    def _record_some(self, journal: Journal) -> None:
        payloads = journal.read(journal.recorded, BATCH)
        opened = journal.opened
        with self._database.transaction() as cursor:
            self._skew.look(cursor)
            rows = rows_of(opened.session, payloads, self._skew.when)
            cursor.execute(
                "INSERT INTO sessions (id, worksheet, server, language, started, account, kind,"
                " address) VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
                (opened.session, opened.worksheet, opened.server, opened.language,
                 self._skew.when(opened.time), opened.account, opened.kind, opened.address),
            )
            execute_values(
                cursor,
                "INSERT INTO runs (id, session, worksheet, cell, code, queued)"
                " VALUES %s ON CONFLICT DO NOTHING",
                rows.runs,
            )
            execute_values(
                cursor,
                "UPDATE runs SET started = new.started FROM (VALUES %s) AS new (id, started)"
                " WHERE runs.id = new.id::uuid",
                rows.started,
            )
            execute_values(
                cursor,
                "UPDATE runs SET finished = new.finished, status = new.status,"
                " reason = new.reason FROM (VALUES %s) AS new (id, finished, status, reason)"
                " WHERE runs.id = new.id::uuid",
                rows.finished,
            )
            execute_values(
                cursor,
                "INSERT INTO outputs (session, run, seq, frame, area, update, shows) VALUES %s"
                " ON CONFLICT DO NOTHING",
                rows.outputs,
            )
            for (run, area), update in rows.updated.items():
                forget_replaced(cursor, run, area, update)
        journal.recorded += len(payloads)

    def _take_back(self, journal: Journal) -> None:
        """Delete what was recorded of a session whose worksheet is gone, and then its journal."""
        if not journal.taken_back:
            with self._database.transaction() as cursor:
                burials.erase(cursor, journal.opened.session)
            journal.take_back()
        if journal.ended:
            self._pool.forget(journal)

    def _record_end(self, journal: Journal) -> None:
        """The last that is recorded of it: if its worksheet is gone, all of it is taken back."""
        with self._database.transaction() as cursor:
            if is_of_a_person(journal) and not burials.is_there(cursor, journal.opened.worksheet):
                journal.buried = True
                return
            cursor.execute(
                "UPDATE sessions SET ended = %s, reason = %s, address = '' WHERE id = %s",
                (self._skew.when(journal.state.time), journal.state.reason, journal.opened.session),
            )

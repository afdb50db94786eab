"""Rows of table services: one for each process that has served, from its start to its end.

A row's id is made from the host, its boot, the process id and the kernel's start time of
the process: a monitor that is restarted recognises what it watched before, a reused pid is
another service, and the wall clock may jump. So `running` is found, not believed: on its host
by this id, and of hosts that are silent by `hosts.py`.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Collection, Iterable
from dataclasses import astuple, dataclass, fields, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import psutil
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from monitor.samples import Sample, Watched, stat_of

NAMESPACE = uuid.UUID("5a2b7a1c-6b0f-4f53-9f5e-2f7c6d1a8e40")
FOUND_GONE = "found gone"
TRIMMED_AT_ONCE = 1000  # rows


@dataclass(frozen=True)
class Row:
    """Of table services, column by column. `started` is when the process began."""

    id: str
    type: str
    name: str
    site: str
    host: str
    address: str
    port: int | None
    running: bool
    username: str
    pid: int
    monitor_pid: int
    started: datetime
    cores: int  # of the host
    stopped: datetime | None = None
    exit: str | None = None


class Book:
    """What runs now on `host` and which rows still have to be written."""

    def __init__(self, *, site: str, host: str) -> None:
        self._site = site
        self._host = host
        self._running: dict[str, Row] = {}  # by service name
        self._unwritten: dict[str, Row] = {}  # by id

    @property
    def running(self) -> list[Row]:
        return list(self._running.values())

    def unwritten(self, known: Collection[str]) -> list[Row]:
        """What the database does not know yet, or any more: it has `known` (ids) as running."""
        lost = {row.id: row for row in self.running if row.id not in known}
        return list({**self._unwritten, **lost}.values())

    def update(self, watched: Iterable[Watched], now: datetime) -> None:
        """Open a row for each new process and close those of processes that are gone."""
        present = {one.name: one for one in watched}
        for name, row in list(self._running.items()):
            one = present.get(name)
            if one is None or one.pid != row.pid or identity(row.pid, self._host) != row.id:
                self._close(row, now, one.reason if one else "")
        for one in present.values():
            if one.pid is not None and one.name not in self._running:
                self._open(one, one.pid)

    def written(self, rows: Iterable[Row]) -> None:
        """`rows` are in the database as they are here."""
        for row in rows:
            if self._unwritten.get(row.id) == row:
                del self._unwritten[row.id]

    def _open(self, watched: Watched, pid: int) -> None:
        row = _row(watched, pid, self._site, self._host)
        if row is not None:
            self._running[row.name] = self._unwritten[row.id] = row

    def _close(self, row: Row, now: datetime, reason: str) -> None:
        del self._running[row.name]
        self._unwritten[row.id] = replace(
            row, running=False, stopped=now, exit=reason or FOUND_GONE
        )


def identity(pid: int, host: str) -> str | None:
    """The id of the process that has `pid` now on this host, None if none has."""
    fields = stat_of(pid)
    if fields is None:
        return None
    return str(uuid.uuid5(NAMESPACE, f"{host} {_boot()} {pid} {fields[19]}"))


@cache
def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def write_rows(cursor: Cursor, rows: list[Row]) -> None:
    if not rows:
        return
    columns = ", ".join(field.name for field in fields(Row))
    execute_values(
        cursor,
        f"INSERT INTO services ({columns}) VALUES %s ON CONFLICT (id) DO UPDATE SET"
        " running = excluded.running, monitor_pid = excluded.monitor_pid,"
        " stopped = excluded.stopped, exit = excluded.exit",
        [astuple(row) for row in rows],
    )


def write_samples(cursor: Cursor, samples: list[tuple[str, Sample]]) -> None:
    """`samples` are (id of the service's row, sample)."""
    if not samples:
        return
    columns = ", ".join(field.name for field in fields(Sample))
    execute_values(
        cursor,
        f"INSERT INTO status (service, {columns}) VALUES %s ON CONFLICT DO NOTHING",
        [(service, *astuple(sample)) for service, sample in samples],
    )


def close_gone(
    cursor: Cursor, host: str, identify: Callable[[int, str], str | None] = identity
) -> int:
    """Close the rows of this host whose process is not there any more; how many."""
    cursor.execute("SELECT id::text, pid FROM services WHERE running AND host = %s", (host,))
    gone = [row_id for row_id, pid in cursor.fetchall() if identify(pid, host) != row_id]
    cursor.execute(
        "UPDATE services SET running = false, stopped = now(), exit = %s"
        " WHERE id = ANY(%s::uuid[]) AND running",
        (FOUND_GONE, gone),
    )
    return len(gone)


def trim(cursor: Cursor, keep_days: float) -> int:
    """Delete some status rows older than `keep_days`; how many, TRIMMED_AT_ONCE at most."""
    cursor.execute(
        "DELETE FROM status WHERE (service, time) IN (SELECT service, time FROM status"
        " WHERE time < now() - make_interval(secs => %s) ORDER BY time LIMIT %s)",
        (keep_days * 86400, TRIMMED_AT_ONCE),
    )
    return int(cursor.rowcount)


def trim_services(cursor: Cursor, keep_days: float) -> None:
    """Delete services that have ended more than `keep_days` ago."""
    cursor.execute(
        "DELETE FROM services WHERE NOT running AND stopped < now() - make_interval(secs => %s)",
        (keep_days * 86400,),
    )


def _row(watched: Watched, pid: int, site: str, host: str) -> Row | None:
    """None if the process has gone meanwhile."""
    row_id = identity(pid, host)
    try:
        process = psutil.Process(pid)
        started = datetime.fromtimestamp(process.create_time(), UTC)
        username = process.username()
    except psutil.Error:
        return None
    if row_id is None:
        return None
    return Row(
        id=row_id,
        type=watched.type,
        name=watched.name,
        site=site,
        host=host,
        address=watched.address,
        port=watched.port,
        running=True,
        username=username,
        pid=pid,
        monitor_pid=os.getpid(),
        started=started,
        cores=os.cpu_count() or 1,
    )

"""Ships log lines to the database: each once, whatever is killed.

How far logs were shipped is known to the database alone, and moves in the transaction that
adds the lines: what was killed in between has done both or neither. A log is a chain of
files: NAME.log, before that NAME.log.1 and so on (supervisor/logs.py). A file keeps its inode
when it is renamed; as inodes are used again, its first bytes must be the same, too. Lines
that were rotated away, or cut off, before they could be read are declared in the log itself.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path

import gevent
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from app.db import Database, Unavailable
from app.loop import Loop
from monitor import lines

PIECE = 1 << 18  # bytes that are read at once, and shipped in one transaction
LONGEST = 1 << 16  # bytes of a line; what is longer becomes several
HEAD = 256  # bytes by which a file is recognised
LONGEST_PAUSE = 5.0  # seconds between tries while the database is away
CUT_OFF = f"{lines.UNKNOWN_GAP}the log was cut off, or rotated away, before they were read]"

log = logging.getLogger(__name__)


class Contested(Exception):
    """Somebody else ships the same log."""


@dataclass(frozen=True)
class Shipped:
    """A file of a log, as far as it was shipped: a row of table `log_files`."""

    base: int
    device: int
    inode: int
    head: bytes
    position: int

    @property
    def end(self) -> int:
        """The offset in the log behind what was shipped."""
        return self.base + self.position

    def is_of(self, file: OpenFile) -> bool:
        return (
            (self.device, self.inode) == (file.device, file.inode)
            and self.position <= file.size
            and file.read(0, len(self.head)) == self.head
        )


@dataclass(frozen=True)
class OpenFile:
    descriptor: int
    device: int
    inode: int
    size: int

    def read(self, position: int, count: int) -> bytes:
        return os.pread(self.descriptor, count, position)


@dataclass(frozen=True)
class Batch:
    """What one transaction adds to a log: lines with their offsets, and how far that is."""

    lines: tuple[tuple[int, str], ...]
    before: Shipped | None  # of the file they come from; None: none of it yet
    after: Shipped
    gone: tuple[Shipped, ...]  # files that are not there any more


def next_batch(known: Sequence[Shipped], files: Sequence[OpenFile]) -> Batch | None:
    """What is to be shipped next of a log; None if nothing is. `known`: by base; `files`: oldest
    first.
    """
    rows = [next((row for row in known if row.is_of(file)), None) for file in files]
    gone = tuple(row for row in known if row not in rows)
    for file, row in zip(files, rows, strict=True):
        newest = file is files[-1]
        start = row.position if row else 0
        pieces = lines.cut(
            file.read(start, PIECE), LONGEST, whole=not newest and file.size <= start + PIECE
        )
        if pieces:
            return _batch(file, row, pieces, known, gone)
    return None


def _batch(
    file: OpenFile,
    row: Shipped | None,
    pieces: list[bytes],
    known: Sequence[Shipped],
    gone: tuple[Shipped, ...],
) -> Batch:
    found = []
    after = row
    if after is None:
        end = known[-1].end if known else 0
        if known and known[-1] in gone:  # the latest of all: what came behind it is not known
            found.append((end, CUT_OFF))
            end += 1
        after = Shipped(end, file.device, file.inode, b"", 0)
    offset = after.end
    for piece in pieces:
        found.append((offset, lines.readable(piece)))
        offset += len(piece)
    position = offset - after.base
    head = file.read(0, min(HEAD, position))
    return Batch(tuple(found), row, replace(after, head=head, position=position), gone)


def opened(path: Path, stack: ExitStack) -> list[OpenFile]:
    """The files of a log, oldest first, to be closed by `stack`.

    From the newest on: a file that is renamed meanwhile comes again, and is left out then.
    """
    found: list[OpenFile] = []
    for each in _chain(path):
        try:
            descriptor = os.open(each, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            if each == path:
                continue  # between a rotation and the next line
            break
        stack.callback(os.close, descriptor)
        status = os.fstat(descriptor)
        file = OpenFile(descriptor, status.st_dev, status.st_ino, status.st_size)
        if all(file.inode != other.inode for other in found):
            found.append(file)
    return found[::-1]


def _chain(path: Path) -> Iterator[Path]:
    yield path
    number = 0
    while True:
        number += 1
        yield path.with_name(f"{path.name}.{number}")


class Shipper(Loop):
    """Ships the logs of one host. `host` is its name; one shipper at a time for each folder."""

    def __init__(self, *, database: Database, folder: Path, host: str, interval: float) -> None:
        """`folder`: of the logs; `interval`: seconds between looks for new lines."""
        self._database = database
        self._folder = folder
        self._host = host
        self._interval = interval
        self._known: dict[str, list[Shipped]] = {}  # as in the database, by log

    def ship(self) -> int:
        """Ship all that is new; how many lines. Raises Unavailable, OSError, Contested."""
        count = 0
        for path in sorted(self._folder.glob("*.log")):
            while shipped := self._ship_some(path):
                count += shipped
                gevent.sleep(0)
        return count

    def _run(self) -> None:
        pause, was_down = self._interval, False
        while True:
            gevent.sleep(pause)
            try:
                self.ship()
            except (Unavailable, OSError, Contested) as error:
                if not was_down:
                    log.warning("log lines stay in their files for now: %s", error)
                was_down, pause = True, min(2 * pause, LONGEST_PAUSE)
            except Exception:
                log.exception("our own mistake; log lines stay in their files for now")
                pause = LONGEST_PAUSE
            else:
                if was_down:
                    log.info("log lines are shipped again")
                was_down, pause = False, self._interval

    def _ship_some(self, path: Path) -> int:
        name = f"{self._host}:{path}"
        read = datetime.now(UTC)
        if name not in self._known:
            with self._database.reading() as cursor:
                self._known[name] = known_of(cursor, name)
        with ExitStack() as stack:
            batch = next_batch(self._known[name], opened(path, stack))
        if batch is None:
            return 0
        # Until the database has said that it has it, how far we are is what it says.
        known = self._known.pop(name)
        with self._database.transaction() as cursor:
            move_on(cursor, name, batch)
            add(cursor, path.stem, name, batch.lines, read)
        kept = [row for row in known if row not in (*batch.gone, batch.before)]
        self._known[name] = sorted([*kept, batch.after], key=lambda row: row.base)
        return len(batch.lines)


def known_of(cursor: Cursor, logfile: str) -> list[Shipped]:
    """How far the files of a log were shipped, oldest first."""
    cursor.execute(
        "SELECT base, device, inode, head, position FROM log_files"
        " WHERE logfile = %s ORDER BY base",
        (logfile,),
    )
    return [
        Shipped(base, device, inode, bytes(head), position)
        for base, device, inode, head, position in cursor.fetchall()
    ]


def move_on(cursor: Cursor, logfile: str, batch: Batch) -> None:
    """Note how far a log is shipped once `batch` is. Raises Contested."""
    after = batch.after
    if batch.before is None:
        cursor.execute(
            "INSERT INTO log_files (logfile, base, device, inode, head, position)"
            " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (logfile, after.base, after.device, after.inode, after.head, after.position),
        )
    else:
        cursor.execute(
            "UPDATE log_files SET head = %s, position = %s"
            " WHERE logfile = %s AND base = %s AND position = %s",
            (after.head, after.position, logfile, after.base, batch.before.position),
        )
    if cursor.rowcount != 1:
        raise Contested(f"another monitor ships {logfile}; is its host's name used twice?")
    if batch.gone:
        cursor.execute(
            "DELETE FROM log_files WHERE logfile = %s AND base = ANY(%s)",
            (logfile, [row.base for row in batch.gone]),
        )


def add(
    cursor: Cursor, service: str, logfile: str, found: Sequence[tuple[int, str]], read: datetime
) -> None:
    """Add lines (offset, text) that were read at that time."""
    zone: tzinfo = datetime.now().astimezone().tzinfo or UTC
    rows = []
    for offset, text in found:
        time, level = lines.understood(text, read, zone)
        rows.append((service, logfile, offset, time, level, text))
    execute_values(
        cursor,
        'INSERT INTO log (service, logfile, "offset", time, level, message) VALUES %s',
        rows,
    )

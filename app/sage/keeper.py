"""What a session has at home and what the database keeps of its worksheet's folder: the same.

The files are put into the home before the session's first run, and kept after each run, now and
then in a long one, and when the session has ended, however it did: its home lives for as long as
we have it open. All goes through descriptors below the home, whatever links the session makes.
While the database is away it is tried again and again.
"""

from __future__ import annotations

import contextlib
import logging
import os
import stat
import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

import gevent
import psycopg2
from gevent.event import Event
from gevent.lock import BoundedSemaphore
from psycopg2.errors import ForeignKeyViolation

from app import folders
from app.db import Database, Unavailable
from app.folders import FolderError
from app.sage import kernel
from app.sage.files import Stamp, stamps

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 5.0  # seconds between tries while the database is away
LONG_RUN = 30.0  # seconds of a run after which its files are kept
PREDECESSOR = 20.0  # seconds that the files of the session before may take to be kept
UNFINISHED = ".salvus-"  # beginning of the name of a file while it is written
Done = TypeVar("Done")

log = logging.getLogger(__name__)


class Keeper:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._leaving: dict[str, Folder] = {}  # of sessions that have ended, by worksheet

    def folder(
        self, worksheet: str, limit: int, *, has_files: bool, told: Callable[[], None]
    ) -> Folder:
        """For a new session of `worksheet`. `limit`: bytes that are kept; `has_files`: whether
        there may be some already; `told` is called when there are some."""
        return Folder(
            self._database, worksheet, limit, has_files=has_files, told=told,
            leaving=self._leaving,
        )  # fmt: skip

    def wait(self, seconds: float) -> None:
        """Until the files of all sessions that have ended are kept, if that can be done."""
        for folder in list(self._leaving.values()):
            folder.finished.wait(seconds)


class Folder:
    """A session's home, once there is one."""

    def __init__(
        self,
        database: Database,
        worksheet: str,
        limit: int,
        *,
        has_files: bool,
        told: Callable[[], None],
        leaving: dict[str, Folder],
    ) -> None:
        self._database = database
        self.worksheet = worksheet
        self._limit = limit
        self._has_files = has_files
        self._told = told
        self._leaving = leaving
        self._before = leaving.get(worksheet)
        self._home = -1
        self._came: Callable[[], None] = lambda: None
        self._known: dict[str, tuple[str, Stamp]] = {}  # by path: id in the database, at home
        self._too_large: dict[str, Stamp] = {}
        self._looking = BoundedSemaphore()
        self._wanted = False
        self._looked = time.monotonic()
        self._left = False
        self.problem = ""  # why the session waits for its files
        self.kept_last = False  # something was, once the session had ended
        self.finished = Event()

    @property
    def comes_first(self) -> bool:
        """Whether the session has to wait until its files are there."""
        return self._has_files or self._before is not None

    def open(self, home: int, came: Callable[[], None]) -> None:
        """The session has this home (a descriptor, ours from now on); `came` is called whenever
        files have come: also at first, if they come first."""
        self._home = home
        self._came = came
        if self.comes_first:
            gevent.spawn(self._furnish)

    def look(self) -> None:
        """Keep what the session has changed, soon."""
        if self._home >= 0 and not self._wanted:
            self._wanted = True
            gevent.spawn(self._look)

    def look_if_long_ago(self) -> None:
        if time.monotonic() - self._looked > LONG_RUN:
            self.look()

    def fetch(self) -> None:
        """Somebody has changed the folder: have the same at home, soon."""
        self._has_files = True
        if self._home >= 0:
            gevent.spawn(self._fetch)

    def leave(self) -> None:
        """The session has ended: keep what there is, and close it."""
        if self._home < 0 or self._left:
            self.finished.set()
            return
        self._left = True
        self._leaving[self.worksheet] = self
        gevent.spawn(self._end)

    # -- The greenlets ---------------------------------------------------------------

    def _furnish(self) -> None:
        if self._before is not None:
            self._before.finished.wait(PREDECESSOR)
            self._before = None
        self._fetch()

    def _fetch(self) -> None:
        try:
            with self._looking:
                if not self._left:
                    self._persist(self._bring)
        finally:
            self._came()

    def _look(self) -> None:
        with self._looking:
            self._wanted = False
            if not self._left:
                self._persist(self._save)

    def _end(self) -> None:
        try:
            with self._looking:
                self._persist(self._save)
        finally:
            os.close(self._home)
            self._home = -1
            if self._leaving.get(self.worksheet) is self:
                del self._leaving[self.worksheet]
            self.finished.set()

    def _persist(self, action: Callable[[], None]) -> None:
        """Do it, as soon as the database lets us."""
        pause = FIRST_PAUSE
        while True:
            try:
                action()
                self.problem = ""
                return
            except (Unavailable, psycopg2.OperationalError) as error:
                self.problem = f"its files can't be had: {error}"
                log.warning("files of worksheet %s wait: %s", self.worksheet, error)
                gevent.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            except ForeignKeyViolation:
                log.info("worksheet %s is deleted: its files are not kept", self.worksheet)
                return
            except (OSError, psycopg2.Error):
                log.exception("files of worksheet %s can't be kept", self.worksheet)
                return

    # -- From the database to home -----------------------------------------------------

    def _bring(self) -> None:
        with self._database.reading() as cursor:
            kept = {file.path: file for file in folders.listing(cursor, self.worksheet)}
        now = _in_thread(self._stamps)
        for path, (_, stamp) in list(self._known.items()):
            if path not in kept:
                if now.get(path) == stamp:  # else the session has changed it, and so keeps it
                    _in_thread(partial(_remove, self._home, path))
                del self._known[path]
        for path, file in kept.items():
            if path in self._known and self._known[path][0] == file.id:
                continue
            try:
                self._known[path] = file.id, self._write(path, file.id)
            except OSError as error:
                log.warning("worksheet %s: %s: %s", self.worksheet, path, error.strerror)

    def _stamps(self) -> dict[str, Stamp]:
        return dict(stamps(lambda below: kernel.open_beneath(self._home, below or ".")))

    def _write(self, path: str, id: str) -> Stamp:
        owner = os.fstat(self._home)
        folder, _, name = path.rpartition("/")
        parent = _make_folders(self._home, folder, owner)
        unfinished = f"{UNFINISHED}{uuid.uuid4()}"
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            target = os.open(unfinished, flags, 0o600, dir_fd=parent)
            try:
                os.fchown(target, owner.st_uid, owner.st_gid)
                for data in folders.pieces(partial(self._piece, id)):
                    _in_thread(partial(_write_all, target, data))
                found = os.fstat(target)
            finally:
                os.close(target)
            os.rename(unfinished, name, src_dir_fd=parent, dst_dir_fd=parent)
            return found.st_mtime_ns, found.st_size
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(unfinished, dir_fd=parent)
            raise
        finally:
            os.close(parent)

    def _piece(self, id: str, start: int) -> bytes:
        with self._database.reading() as cursor:
            return folders.piece(cursor, id, start)

    # -- From home to the database -----------------------------------------------------

    def _save(self) -> None:
        self._looked = time.monotonic()
        now = _in_thread(self._stamps)
        for path, (id, _) in list(self._known.items()):
            if path not in now:
                with self._database.transaction() as cursor:
                    folders.remove(cursor, self.worksheet, path, id=id)
                del self._known[path]
        for path, stamp in now.items():
            known = self._known.get(path)
            if (known and known[1] == stamp) or self._too_large.get(path) == stamp:
                continue
            try:
                self._known[path] = self._read(path, stamp[1]), stamp
                self.kept_last = self._left
            except FolderError as error:
                self._too_large[path] = stamp
                log.info("worksheet %s: not kept: %s", self.worksheet, error)
            except OSError as error:  # it has gone, or is no file any more
                log.debug("worksheet %s: %s: %s", self.worksheet, path, error)
            else:
                self._told()

    def _read(self, path: str, size: int) -> str:
        """Keep a file of home; its id. Raises FolderError, OSError."""
        folders.check_path(path)
        source = kernel.open_beneath(self._home, path)
        try:
            if not stat.S_ISREG(os.fstat(source).st_mode):
                raise OSError("it is no file")
            with self._database.transaction() as cursor:
                return folders.put(
                    cursor, self.worksheet, path, _read_all(source, size), size,
                    limit=self._limit,
                )  # fmt: skip
        finally:
            os.close(source)


def _in_thread(action: Callable[[], Done]) -> Done:
    """What may take long is done where it holds nothing up."""
    return gevent.get_hub().threadpool.apply(action)


def _read_all(source: int, size: int) -> Iterator[bytes]:
    start = 0
    while start < size:
        wanted = min(folders.PIECE, size - start)
        data = _in_thread(partial(os.pread, source, wanted, start))
        if not data:
            return
        yield data
        start += len(data)


def _write_all(target: int, data: bytes) -> None:
    while data:
        data = data[os.write(target, data) :]


def _make_folders(home: int, folder: str, owner: os.stat_result) -> int:
    """A descriptor of a folder below `home`, made if it is not there."""
    path = ""
    parent = kernel.open_beneath(home, ".")
    for name in folder.split("/") if folder else []:
        try:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=parent)
                os.chown(name, owner.st_uid, owner.st_gid, dir_fd=parent, follow_symlinks=False)
        finally:
            os.close(parent)
        path = f"{path}/{name}" if path else name
        parent = kernel.open_beneath(home, path)
    return parent


def _remove(home: int, path: str) -> None:
    folder, _, name = path.rpartition("/")
    with contextlib.suppress(OSError):
        parent = kernel.open_beneath(home, folder or ".")
        try:
            os.unlink(name, dir_fd=parent)
        finally:
            os.close(parent)

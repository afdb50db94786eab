"""What services print: read without ever holding them up, written to files that rotate.

A full file NAME.log is renamed to NAME.log.1, that before to NAME.log.2 and so on, always at
the end of a line where there is one. What can't be written, as the disk is full, is dropped
and, once there is room again, said in its place: no service waits for a disk. Writing goes
through native threads, so that a slow disk does not hold up anybody either.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

import gevent
from gevent.lock import RLock
from gevent.os import make_nonblocking, nb_read

READ = 1 << 16  # bytes at once
PIPE = 1 << 20  # bytes a service may be ahead of us


class LogFile:
    """One log, of one or several processes at a time."""

    def __init__(self, path: Path, *, size: int, count: int) -> None:
        """`size`: bytes of a file, `count`: how many old ones are kept."""
        self.path = path
        self.size = size
        self.count = count
        self._descriptor: int | None = None
        self._written = 0  # bytes in the current file
        self._at_line_start = True
        self._lost = 0  # bytes that could not be written
        self._writing = RLock()

    def take_over(self, pipe: int) -> gevent.Greenlet[..., None]:
        """Write whatever comes out of `pipe`, until its end; then close it. What does so."""
        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE)
        make_nonblocking(pipe)
        return gevent.spawn(self._read, pipe)

    def write(self, data: bytes) -> None:
        """Never raises for the disk's sake."""
        with self._writing:
            gevent.get_hub().threadpool.apply(self._write, (data,))

    def _read(self, pipe: int) -> None:
        try:
            while data := nb_read(pipe, READ):
                self.write(data)
        finally:
            os.close(pipe)

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        try:
            if self._lost:
                self._append(self._gap())
                self._lost = 0
            while left:
                left = left[self._append(self._piece(left)) :]
        except OSError:
            # Nobody to complain to: what complains is what can't be written.
            self._lost += len(left)

    def _append(self, data: bytes | memoryview) -> int:
        """How many bytes of `data` were written. Raises OSError."""
        if self._written >= self.size and (self._at_line_start or self._written > 2 * self.size):
            self._rotate()
        count = os.write(self._open(), data)
        self._written += count
        self._at_line_start = data[count - 1] == ord("\n")
        return count

    def _piece(self, data: memoryview) -> memoryview:
        """As much of `data` as belongs into the current file."""
        if self._written + len(data) < self.size:
            return data
        return data[: bytes(data).rfind(b"\n") + 1] or data

    def _gap(self) -> bytes:
        words = f"[{self._lost} bytes are missing here: they could not be written]\n"
        return (words if self._at_line_start else f"\n{words}").encode()

    def _open(self) -> int:
        if self._descriptor is not None and os.fstat(self._descriptor).st_nlink == 0:
            self._close()  # somebody has deleted it
        if self._descriptor is None:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._descriptor = os.open(self.path, flags, 0o600)
            self._written = os.fstat(self._descriptor).st_size
        return self._descriptor

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _rotate(self) -> None:
        self._close()
        for number in range(self.count, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                old(self.path, number - 1).rename(old(self.path, number))
        if self.count == 0:
            self.path.unlink(missing_ok=True)


class Logs:
    """The logs of a host, each opened once."""

    def __init__(self, *, size: int = 10 << 20, count: int = 5) -> None:
        """As for `LogFile`."""
        self._size = size
        self._count = count
        self._files: dict[Path, LogFile] = {}

    def at(self, path: Path) -> LogFile:
        if path not in self._files:
            self._files[path] = LogFile(path, size=self._size, count=self._count)
        return self._files[path]

    def keep(self, *, size: int, count: int) -> None:
        """From now on keep so much."""
        self._size, self._count = size, count
        for file in self._files.values():
            file.size, file.count = size, count


class Follower:
    """Reads a log: its last lines, then what is added, over rotations too."""

    def __init__(self, path: Path, *, lines: int) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._reopen()
        found = self._rest()
        if found.count(b"\n") < lines:
            with contextlib.suppress(FileNotFoundError):
                found = old(path, 1).read_bytes() + found
        self._before = b"".join(found.splitlines(keepends=True)[-lines:]) if lines else b""

    def read(self) -> bytes:
        """What is new. Raises OSError."""
        found, self._before = self._before + self._rest(), b""
        if not self._is_current():
            found += self._rest()
            self.close()
            self._reopen()
            found += self._rest()
        return found

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _reopen(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)

    def _is_current(self) -> bool:
        if self._descriptor is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except FileNotFoundError:
            return True  # between a rotation and the next line

    def _rest(self) -> bytes:
        if self._descriptor is None:
            return b""
        pieces = []
        while piece := os.read(self._descriptor, READ):
            pieces.append(piece)
        return b"".join(pieces)


def old(path: Path, number: int) -> Path:
    """Where the file is that was this log `number` rotations ago."""
    return path.with_name(f"{path.name}.{number}") if number else path

"""One supervisor per data directory: a lock that its holder's death gives back."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path

import gevent

from supervisor.service import CannotStart

RETRY_SECONDS = 0.1


class Lock:
    """Held from construction to `release` or the end of the process.

    Raises CannotStart, naming the holder's pid, if another holds it for `wait_seconds`.
    The descriptor is not inherited by programs we execute, so no child keeps the lock.
    """

    def __init__(self, data_dir: Path, *, wait_seconds: float = 0.0) -> None:
        self._descriptor = os.open(data_dir / "supervisor.lock", os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + wait_seconds
        while not self._taken():
            if time.monotonic() >= deadline:
                pid = os.read(self._descriptor, 20).decode(errors="replace").strip() or "unknown"
                os.close(self._descriptor)
                raise CannotStart(
                    f"{data_dir} is in use by another Salvus (pid {pid}): stop that one,"
                    " or choose another [site] data_dir and other ports"
                )
            gevent.sleep(RETRY_SECONDS)
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        os.close(self._descriptor)

    def _taken(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def holder(data_dir: Path) -> int | None:
    """The pid of who holds the lock; None: nobody."""
    try:
        Lock(data_dir).release()
    except CannotStart:
        with contextlib.suppress(OSError, ValueError):
            return int((data_dir / "supervisor.lock").read_text(encoding="ascii"))
    return None

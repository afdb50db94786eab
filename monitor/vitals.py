"""What our own servers tell the monitor of their host: sessions, browsers, how late they run.

A datagram each interval, to a unix socket: it costs the server nothing if nobody listens, it
needs no database and no cache, and nothing is left over when either side is killed.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import gevent

from app.loop import Loop

LONGEST = 4096  # bytes of a datagram
FRESH_INTERVALS = 3  # for which what a server has told counts

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Vitals:
    """What only the process itself knows; None for what it has nothing to do with."""

    sessions: int | None = None  # in use
    sessions_free: int | None = None  # that may begin besides
    browsers: int | None = None  # connected
    hub_lag: float | None = None  # seconds


class Teller(Loop):
    """In a server: tells its vitals from `start` to `stop`."""

    def __init__(
        self, *, path: Path, at: str, interval: float, vitals: Callable[[], Vitals]
    ) -> None:
        """`path`: where the monitor listens; `at`: host:port of the service that this is."""
        self._path = str(path)
        self._at = at
        self._interval = interval
        self._vitals = vitals
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def stop(self) -> None:
        super().stop()
        self._socket.close()

    def tell(self) -> None:
        """Once, if anybody listens."""
        said = json.dumps({"at": self._at, **asdict(self._vitals())}).encode()
        with contextlib.suppress(OSError):
            self._socket.sendto(said, self._path)

    def _run(self) -> None:
        while True:
            self.tell()
            gevent.sleep(self._interval)


class Listener:
    """In the monitor: what each server has last told."""

    def __init__(self, *, path: Path, interval: float) -> None:
        self._path = path
        self._interval = interval
        self._told: dict[str, tuple[float, Vitals]] = {}  # by address: when, what
        self._socket: socket.socket | None = None
        self._greenlet: gevent.Greenlet[[socket.socket], None] | None = None

    def start(self) -> None:
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._path.unlink(missing_ok=True)
        mask = os.umask(0o177)
        try:
            listening.bind(str(self._path))
        except OSError as error:
            log.error("servers can't tell how they fare: %s: %s", self._path, error.strerror)
            listening.close()
            return
        finally:
            os.umask(mask)
        self._socket = listening
        self._greenlet = gevent.spawn(self._run, listening)

    def stop(self) -> None:
        if self._greenlet is not None:
            self._greenlet.kill()
        if self._socket is not None:
            self._socket.close()
            self._path.unlink(missing_ok=True)

    def of(self, at: str) -> Vitals | None:
        """What the server at this address has told lately."""
        when, vitals = self._told.get(at, (0.0, None))
        is_fresh = time.monotonic() - when < FRESH_INTERVALS * self._interval
        return vitals if is_fresh else None

    def _run(self, listening: socket.socket) -> None:
        while True:
            said = listening.recv(LONGEST)
            try:
                told = json.loads(said)
                at = str(told.pop("at"))
                self._told[at] = (time.monotonic(), Vitals(**told))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                log.warning("%s: that is not how a server fares: %s", self._path, error)

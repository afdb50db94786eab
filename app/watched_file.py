"""Tells when a file may have changed.

The *folder* is watched: editors put a new file in the place of the old one, of which a watch
of that would hear nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gevent
from gevent.socket import wait_read
from inotify_simple import INotify, flags

CHANGES = flags.CLOSE_WRITE | flags.MOVED_TO | flags.MOVED_FROM | flags.DELETE


class WatchedFile:
    """Calls `on_change()` after every change, in a greenlet of its own, until `stop`."""

    def __init__(self, file: Path, on_change: Callable[[], object]) -> None:
        """Raises OSError if its folder can't be watched."""
        self._name = file.name
        self._on_change = on_change
        self._inotify = INotify(nonblocking=True)
        try:
            self._inotify.add_watch(file.parent, CHANGES)
        except OSError:
            self._inotify.close()
            raise
        self._watching = gevent.spawn(self._watch)

    def stop(self) -> None:
        self._watching.kill()
        self._inotify.close()

    def _watch(self) -> None:
        while True:
            wait_read(self._inotify.fileno())
            if any(event.name == self._name for event in self._inotify.read(timeout=0)):
                self._on_change()

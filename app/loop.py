"""What goes on in a greenlet of its own, from `start` to `stop`."""

from __future__ import annotations

from abc import ABC, abstractmethod

import gevent


class Loop(ABC):
    _greenlet: gevent.Greenlet[[], None] | None = None

    def start(self) -> None:
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        if self._greenlet is not None:
            self._greenlet.kill()

    @abstractmethod
    def _run(self) -> None: ...

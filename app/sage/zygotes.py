"""The zygotes of a sage server: the one that sessions come from, and how another follows it.

Another one is warmed up to take its place when it has died, when Sage was upgraded, or because
the operator said so; one whose place was taken lives on until the last of its sessions has ended.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Set
from pathlib import Path

import gevent
from gevent.event import Event

from app.loop import Loop
from app.sage.protections import Protections
from app.sage.spawner import Listeners, Spawner
from app.settings import Settings
from app.wire.messages_pb2 import Ready

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds between a zygote's death and the next one
STEADY = 60.0  # seconds after which a zygote counts as having worked
UPGRADE_SECONDS = 5.0  # between looks whether Sage was replaced by another version

log = logging.getLogger(__name__)


class Zygotes(Loop):
    def __init__(
        self,
        *,
        settings: Settings,
        protections: Protections,
        on_ready: Callable[[Ready], None],
        on_exit: Callable[[str, str], None],
        on_gone: Callable[[Spawner], None],
    ) -> None:
        """`on_ready`: another one has become the current one, and says this of itself;
        `on_exit(session, reason)`: a session's process has ended; `on_gone`: one has ended,
        and with it all that came from it.
        """
        self._settings = settings
        self._protections = protections
        self._on_ready = on_ready
        self._on_exit = on_exit
        self._on_gone = on_gone
        self.current: Spawner | None = None
        self.ready = Event()  # set while sessions can be forked
        self.failure = ""  # why the latest one did not come up
        self._next: Spawner | None = None
        self._retired: set[Spawner] = set()
        self._pause = FIRST_PAUSE
        self._watched: tuple[str, ...] = ()  # files that another version of Sage would change
        self._stopping = False

    def start(self) -> None:
        self._warm_next()
        super().start()

    def stop(self) -> None:
        """Warm no other one; those there are go on until `close`."""
        self._stopping = True
        super().stop()

    def close(self) -> None:
        """End them all."""
        for spawner in (self.current, self._next, *self._retired):
            if spawner is not None:
                spawner.close()

    def replace(self) -> None:
        """Warm another one; once it is ready, sessions come from it."""
        if self._next is None and not self._stopping:
            log.info("a new zygote is being warmed")
            self._warm_next()

    def lose(self, spawner: Spawner) -> None:
        """It has forked nothing, as it has ended; `on_gone` is told in a moment."""
        if spawner is self.current:
            self.current = None
            self.ready.clear()

    def has_retired(self, spawner: Spawner | None) -> bool:
        """Whether another one has taken its place."""
        return spawner in self._retired

    def end_unused(self, used: Set[Spawner | None]) -> None:
        """End those whose place was taken, but for those that sessions have come from."""
        for spawner in self._retired - used:
            spawner.kill()

    def _run(self) -> None:
        """Replace the zygote when another Sage has been installed, once that has settled."""
        before: list[int] | None = None
        of_zygote: list[int] | None = None
        while True:
            gevent.sleep(UPGRADE_SECONDS)
            now = _times(self._watched)
            if self._next is not None or not self.ready.is_set() or now is None:
                of_zygote = None
            elif of_zygote is None:
                of_zygote = now
            elif now != of_zygote and now == before:
                log.warning("Sage was changed on disk")
                self.replace()
            before = now

    def _warm_next(self) -> None:
        self._next = Spawner(
            settings=self._settings,
            protections=self._protections,
            folder=self._settings.sage_folder,
            listeners=Listeners(
                on_ready=self._take_over, on_exit=self._on_exit, on_gone=self._note_gone
            ),
        )
        self._next.start()

    def _take_over(self, spawner: Spawner, zygote: Ready) -> None:
        before, self.current, self._next = self.current, spawner, None
        self._watched, self.failure = tuple(zygote.files), ""
        warning = f" ({zygote.warning})" if zygote.warning else ""
        log.info("%s is warm%s", zygote.language, warning)
        if before is not None:
            self._retired.add(before)
        self.ready.set()
        self._on_ready(zygote)

    def _note_gone(self, spawner: Spawner, why: str) -> None:
        self._retired.discard(spawner)
        self.lose(spawner)
        self._on_gone(spawner)
        if spawner is self._next:
            self._next = None
            self.failure = why
            if self.current is not None:
                log.error("the new zygote did not come up (%s); the old one stays", why)
        if self.current is None and self._next is None and not self._stopping:
            if spawner.seconds > STEADY:
                self._pause = FIRST_PAUSE
            log.error("the Sage zygote is gone (%s); the next one starts in %g s", why, self._pause)
            gevent.spawn_later(self._pause, self._warm_if_none)
            self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _warm_if_none(self) -> None:
        if self.current is None and self._next is None and not self._stopping:
            self._warm_next()


def _times(files: Iterable[str]) -> list[int] | None:
    """When the files were changed; None while one is missing."""
    try:
        return [Path(file).stat().st_mtime_ns for file in files]
    except OSError:
        return None

"""The sessions a worksheet has had on this server, in order, and whoever watches them."""

from __future__ import annotations

from collections.abc import Callable

from app.sage.journal import Journal
from app.sage.session import Session


class Timeline:
    def __init__(self, worksheet: str) -> None:
        self.worksheet = worksheet
        self.journals: list[Journal] = []  # oldest first
        self.live: Session | None = None
        self.has_files = False  # whether its folder may have some
        self._watchers: list[Callable[[], None]] = []

    def watch(self, watcher: Callable[[], None]) -> None:
        """Have `watcher` called whenever a journal or a state has changed."""
        self._watchers.append(watcher)

    def unwatch(self, watcher: Callable[[], None]) -> None:
        if watcher in self._watchers:
            self._watchers.remove(watcher)

    def tell(self) -> None:
        for watcher in self._watchers:
            watcher()

    def note_files(self) -> None:
        """Its folder has some from now on."""
        self.has_files = True

    @property
    def account(self) -> str:
        """Whose its latest session is; empty if none is known."""
        return self.journals[-1].opened.account if self.journals else ""

    def keeps(self, session: str) -> bool:
        return any(journal.opened.session == session for journal in self.journals)

    def behind(self, journal: Journal) -> Journal | None:
        """The session that came after that of `journal`."""
        later = self.journals[self.journals.index(journal) + 1 :]
        return later[0] if later else None

    @property
    def idle(self) -> bool:
        """Whether nothing here is worth remembering."""
        return self.live is None and not self.journals and not self._watchers

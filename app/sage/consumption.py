"""The processor time that sessions have used, by slices of time, until it is written. No I/O.

What a slice has is kept as its sum and not as what was added, so that writing it twice, or again
after nobody knows whether it was written, is harmless.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """What a session has used in one slice of time."""

    session: str
    account: str  # empty: a stranger's, ...
    since: float  # Unix seconds, a multiple of the slices' length
    cpu_seconds: float
    network: str = ""  # ... who comes from there


class Consumption:
    def __init__(self, *, slice_seconds: float) -> None:
        self.slice_seconds = slice_seconds
        self._used: dict[str, float] = {}  # by session, since it began
        self._lines: dict[tuple[str, float], Line] = {}
        self._changed: set[tuple[str, float]] = set()

    def note(
        self, *, session: str, account: str, cpu_seconds: float, now: float, network: str = ""
    ) -> None:
        """A session has used so much since it began. `now`: Unix seconds; `network`: where a
        stranger comes from, who has no `account`.

        What is counted by reading processes falls when one of them ends: that is no use.
        """
        added = cpu_seconds - self._used.get(session, 0.0)
        self._used[session] = cpu_seconds
        if added <= 0 or not (account or network):
            return
        place = session, now // self.slice_seconds * self.slice_seconds
        before = self._lines[place].cpu_seconds if place in self._lines else 0.0
        self._lines[place] = Line(session, account, place[1], before + added, network)
        self._changed.add(place)

    def leave(self, session: str) -> None:
        """A session has ended; what it has used is still to be written."""
        self._used.pop(session, None)

    def news(self) -> list[Line]:
        """What has not been written as it is now."""
        return [self._lines[place] for place in sorted(self._changed)]

    def forget(self, lines: Iterable[Line]) -> None:
        """These were written. What may still change is kept, to be added to."""
        for line in lines:
            place = line.session, line.since
            if self._lines.get(place) == line:
                self._changed.discard(place)
        latest: dict[str, float] = {}
        for session, since in self._lines:
            latest[session] = max(since, latest.get(session, since))
        for session, since in list(self._lines):
            over = session not in self._used or since < latest[session]
            if over and (session, since) not in self._changed:
                del self._lines[session, since]

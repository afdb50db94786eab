"""How many runs each subject has begun within an hour, on all sage servers of the site. No I/O.

A subject is an account or an address. Runs are counted by the minute, and count until an hour after
its beginning. Times are Unix seconds by the database's clock, which all servers go by.
"""

from __future__ import annotations

from collections import defaultdict

MINUTE = 60
HOUR = 60  # minutes

Row = tuple[str, int, int]  # subject, minute, runs of it


class RunCounts:
    def __init__(self) -> None:
        self._here: defaultdict[str, dict[int, int]] = defaultdict(dict)
        self._elsewhere: defaultdict[str, dict[tuple[str, int], int]] = defaultdict(dict)
        self._unwritten: set[tuple[str, int]] = set()

    def count(self, subject: str, now: float) -> None:
        """A run begins here."""
        minute = int(now) // MINUTE
        here = self._here[subject]
        here[minute] = here.get(minute, 0) + 1
        self._unwritten.add((subject, minute))

    def used(self, subject: str, now: float) -> int:
        """Runs within the last hour."""
        return sum(self._by_minute(subject, now).values())

    def wait_seconds(self, subject: str, allowed: int, now: float) -> float:
        """Until one more may begin, of so many an hour; 0: it may now."""
        by_minute = self._by_minute(subject, now)
        too_many = sum(by_minute.values()) + 1 - allowed
        if too_many <= 0:
            return 0.0
        for minute in sorted(by_minute):
            too_many -= by_minute[minute]
            if too_many <= 0:
                break
        return (minute + HOUR) * MINUTE - now

    # --- What other servers, and those after us, must know -----------------------------

    def unwritten(self) -> list[Row]:
        """What is not yet known to be in the database."""
        return [(subject, minute, self._here[subject][minute])
                for subject, minute in sorted(self._unwritten)]  # fmt: skip

    def note_written(self, rows: list[Row]) -> None:
        for subject, minute, count in rows:
            if self._here[subject].get(minute) == count:
                self._unwritten.discard((subject, minute))

    def restore(self, subject: str, minute: int, count: int) -> None:
        """Runs that this server had counted before it was started anew."""
        here = self._here[subject]
        here[minute] = here.get(minute, 0) + count
        self._unwritten.add((subject, minute))

    def tell(self, server: str, subject: str, minute: int, count: int) -> None:
        """What another server has counted."""
        self._elsewhere[subject][server, minute] = count

    def forget_old(self, now: float) -> None:
        oldest = _oldest(now)
        for subject in list(self._here):
            kept = {minute: n for minute, n in self._here[subject].items() if minute >= oldest}
            self._here[subject] = kept
            if not kept:
                del self._here[subject]
        for subject in list(self._elsewhere):
            told = {key: n for key, n in self._elsewhere[subject].items() if key[1] >= oldest}
            self._elsewhere[subject] = told
            if not told:
                del self._elsewhere[subject]
        self._unwritten = {each for each in self._unwritten if each[1] >= oldest}

    def _by_minute(self, subject: str, now: float) -> dict[int, int]:
        oldest = _oldest(now)
        found: defaultdict[int, int] = defaultdict(int)
        for minute, count in self._here.get(subject, {}).items():
            found[minute] += count
        for (_, minute), count in self._elsewhere.get(subject, {}).items():
            found[minute] += count
        return {minute: count for minute, count in found.items() if minute >= oldest}


def _oldest(now: float) -> int:
    """The first minute that counts."""
    return int(now) // MINUTE - HOUR + 1

"""What each person may use now, and whether they may begin another run.

What differs from the limits of their kind is told by `census.py`: raised limits, and runs that
other servers have counted. A run only asks what is in memory.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable

from app import limits
from app.limits import Raised, Value
from app.sage.places import Person
from app.sage.run_counts import RunCounts
from app.settings import Limits, Settings


class TooManyRuns(Exception):
    """No run may begin now; the text is for the person."""

    def __init__(self, allowed: int, seconds: float, at: float, *, network: bool) -> None:
        """`allowed`: runs an hour; `seconds` until the next, which is `at` (Unix seconds);
        `network`: of all who come from this address."""
        who = "all from your network together" if network else "you"
        next_one = time.strftime("%H:%M UTC", time.gmtime(at))
        super().__init__(f"{who} may run {allowed} cells an hour; the next at {next_one}")
        self.allowed, self.seconds, self.network = allowed, seconds, network


class Allowances:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._raised: dict[str, list[tuple[str, Value, float]]] = {}  # until (monotonic)
        self._offset = time.time() - time.monotonic()  # of the database's clock
        self.counts = RunCounts()

    @property
    def now(self) -> float:
        """Unix seconds by the database's clock."""
        return time.monotonic() + self._offset

    def tell_time(self, seconds: float) -> None:
        """What the database's clock shows now."""
        self._offset = seconds - time.monotonic()

    def limits_of(self, account: str, kind: str) -> Limits:
        """What holds for an account of this kind now."""
        usual = self._settings.limits_of(kind)
        now = time.monotonic()
        raised = self._raised.get(account, ())
        return limits.with_raised(
            usual, ((name, value) for name, value, until in raised if until > now)
        )

    def tell_raised(self, raised: Iterable[Raised]) -> set[str]:
        """All that is raised now; the accounts for which that is news."""
        now = time.monotonic()
        found: defaultdict[str, list[tuple[str, Value, float]]] = defaultdict(list)
        for one in raised:
            found[one.account].append((one.name, one.value, now + one.seconds))
        before, self._raised = self._raised, dict(found)
        return {
            account
            for account in before.keys() | found.keys()
            if _values(before.get(account, [])) != _values(found.get(account, []))
        }

    def take_run(self, person: Person) -> None:
        """A run begins. Raises TooManyRuns if it may not."""
        now, quotas = self.now, self._quotas(person)
        for subject, allowed in quotas.items():
            seconds = self.counts.wait_seconds(subject, allowed, now)
            if seconds:
                network = subject == address_subject(person.address)
                raise TooManyRuns(allowed, seconds, now + seconds, network=network)
        for subject in quotas:
            self.counts.count(subject, now)

    def runs_of(self, account: str) -> int:
        """That an account has begun within the last hour, if they are limited."""
        return self.counts.used(limits.runs_subject(account), self.now)

    def _quotas(self, person: Person) -> dict[str, int]:
        """By subject, the runs an hour that limit this person's."""
        found = self.limits_of(person.account, person.kind)
        quotas = {}
        if person.account and found.runs_per_hour:
            quotas[limits.runs_subject(person.account)] = found.runs_per_hour
        if person.address and found.address_runs_per_hour:
            quotas[address_subject(person.address)] = found.address_runs_per_hour
        return quotas


def address_subject(address: str) -> str:
    return f"address {address}"


def _values(raised: list[tuple[str, Value, float]]) -> list[tuple[str, Value]]:
    return [(name, value) for name, value, _ in raised]

"""Who has a session, who waits for one, and why: the queue of a sage server. No I/O.

Limits are hard: of this server, of one account, and of the whole site, for which it must be
told what other servers have. Whoever waits is served in order; one who waits for an end of
their own sessions holds nobody else up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Person:
    """Who asks for a session, as the app server says."""

    account: str
    kind: str  # of user: which limits hold
    address: str = ""  # their browser's, if it is known; of IPv6 the /64 network


@dataclass(frozen=True)
class Claim:
    session: str
    account: str
    limit: int  # sessions that this account may have at a time
    address: str = ""  # if a limit counts by that ...
    address_limit: int = 0  # ... sessions that all who come from there may have; 0: no limit


class Places:
    def __init__(self, *, here: int, total: int) -> None:
        """`here`: sessions of this server at a time; `total`: of all servers, 0 for no limit."""
        self._here = here
        self._total = total
        self._served: dict[str, Claim] = {}
        self._waiting: list[Claim] = []
        self._elsewhere: Mapping[str, int] = {}
        self._elsewhere_by_address: Mapping[str, int] = {}

    def __len__(self) -> int:
        return len(self._served)

    @property
    def waiting(self) -> list[Claim]:
        """In order: the first is the next, if nothing but its turn is in its way."""
        return list(self._waiting)

    def tell_elsewhere(
        self, sessions: Mapping[str, int], by_address: Mapping[str, int] | None = None
    ) -> None:
        """What other servers of the site have: sessions by account, and by address."""
        self._elsewhere = sessions
        self._elsewhere_by_address = by_address or {}

    def change_limit(self, session: str, limit: int) -> None:
        """So many sessions may the account of one that waits have from now on."""
        self._waiting = [
            replace(claim, limit=limit) if claim.session == session else claim
            for claim in self._waiting
        ]

    def ask(self, claim: Claim, *, first: bool = False) -> bool:
        """Whether a session may begin now; else it waits, `first` before all others."""
        if self.obstacle(claim):
            self._waiting.insert(0 if first else len(self._waiting), claim)
            return False
        self._served[claim.session] = claim
        return True

    def leave(self, session: str) -> None:
        """A session has ended, or is not wanted any more."""
        self._served.pop(session, None)
        self._waiting = [claim for claim in self._waiting if claim.session != session]

    def admit(self) -> list[Claim]:
        """Those whose turn has come, in order: they are served from now on."""
        admitted = []
        for claim in self.waiting:
            if not self.obstacle(claim):
                self._waiting.remove(claim)
                self._served[claim.session] = claim
                admitted.append(claim)
        return admitted

    def obstacle(self, claim: Claim) -> str:
        """What keeps this one from a session, in words; empty if nothing does."""
        mine = Counter(served.account for served in self._served.values())[claim.account]
        mine += self._elsewhere.get(claim.account, 0)
        total = len(self._served) + sum(self._elsewhere.values())
        if mine >= claim.limit:
            return f"you have as many sessions as you may have at a time ({mine}): end one of them"
        if claim.address_limit:
            near = Counter(served.address for served in self._served.values())[claim.address]
            near += self._elsewhere_by_address.get(claim.address, 0)
            if near >= claim.address_limit:
                return f"all from your network together may have {near} sessions at a time"
        if len(self._served) >= self._here:
            return f"this server has as many sessions as it may have ({self._here})"
        if self._total and total >= self._total:
            return f"this site has as many sessions as it may have ({self._total})"
        return ""

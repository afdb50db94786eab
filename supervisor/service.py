"""What a supervised service is, and the rules by which it is started, stopped and given up.

Pure: no clock, no process. Something happens to a service (`started`, `answered`, `died` …)
and a new `History` comes of it; `next_step` looks at a history and says what to do now.
Times are seconds of a monotonic clock, so the wall clock may jump.

    stopped ─► starting ─► up ─► [draining ─►] stopping ─► stopped    (no longer wanted, or
                 ▲ ▲       │ │                                         wanted afresh)
                 │ │       │ └─► hung ─┐                              (wanted, but dies or
                 │ └───────┼───────────┼─► backing off                 does not answer)
                 └ cleared ┴───────────┴─► gave up
"""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from app.settings import MISCONFIGURED

FIRST_PAUSE = 0.2  # seconds before the first restart; doubles with each
LONGEST_PAUSE = 10.0
JITTER = 0.5  # of a pause that is left to chance: what died together does not come back so
HOPELESS = MISCONFIGURED  # exit code: to start it again would change nothing
STARTING_PROBE = 0.1  # seconds between probes until the first answer


class CannotStart(Exception):
    """Something this host lacks or has too much of; the text names cause and cure."""


class State(StrEnum):
    STOPPED = "stopped"
    STARTING = "starting"
    UP = "up"
    HUNG = "hung"  # and being ended
    DRAINING = "draining"  # ends by itself when what it does is done
    STOPPING = "stopping"
    BACKING_OFF = "backing off"
    GAVE_UP = "gave up"


class Action(StrEnum):
    START = "start"
    PROBE = "probe"
    DRAIN = "drain"
    STOP = "stop"
    KILL = "kill"
    REST = "rest"


@dataclass(frozen=True)
class Command:
    """What to execute. `user` is a name, empty for our own."""

    arguments: tuple[str, ...]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    user: str = ""
    stop_signal: signal.Signals = signal.SIGTERM
    drain_signal: signal.Signals | None = None  # to end by itself when it has nothing to do
    death_signal: signal.Signals = signal.SIGKILL  # sent by the kernel when we die


@dataclass(frozen=True)
class Reload:
    """How a running service takes up what has changed without being restarted.

    `content` tells what it would read, without doing anything; `renew` writes that for it,
    or raises CannotStart and has changed nothing; then it gets `signal`.
    """

    signal: signal.Signals
    content: Callable[[], str] = str
    renew: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Service:
    """`prepare` makes ready what the command needs and may raise CannotStart.

    `probe` asks the service whether it is ready: None if it is, else why not.
    `after` names the services that this one waits for at its start: until they are up, or
    out of the question. `start_seconds` is how long it may take to be ready, and
    `drain_seconds` to end by itself, if not what the rules say. `type` is the same for all
    that do the same; empty: the name. `basis` is all that only a restart would change: two
    services of the same basis are the same. Of one that makes a `successor` two processes
    may run at once, so it is replaced without a gap.
    """

    name: str
    prepare: Callable[[], Command]
    probe: Callable[[], str | None]
    after: tuple[str, ...] = ()
    address: str = ""
    port: int | None = None
    start_seconds: float | None = None
    drain_seconds: float | None = None
    reload: Reload | None = None
    type: str = ""
    basis: str = ""
    successor: Callable[[], Service] | None = None

    @property
    def kind(self) -> str:
        return self.type or self.name


@dataclass(frozen=True)
class Rules:
    """All in seconds but `restarts`: how often a service may die without having been
    up for `restart_window` in between; so it is never restarted more often in that time."""

    start_seconds: float
    stop_seconds: float
    probe_seconds: float
    hung_seconds: float
    restarts: int
    restart_window: float
    drain_seconds: float = 0.0


@dataclass(frozen=True)
class History:
    """What has happened to one service. Changed only by the functions below."""

    state: State = State.STOPPED
    since: float = -math.inf  # in this state
    wanted: bool = True
    afresh: bool = False  # to be ended once, and started again
    gently: bool = False  # ... when what it does is done
    alive: bool = False  # there is a process
    killed: bool = False
    asked: float = -math.inf  # the latest probe
    answer: float = -math.inf  # the latest good answer
    up_since: float = math.inf
    deaths: int = 0
    pause: float = 0.0  # seconds before the next start
    reason: str = ""

    @property
    def is_leaving(self) -> bool:
        """Whether there is a process and it is to end."""
        return self.alive and (self.afresh or not self.wanted)

    @property
    def is_settled(self) -> bool:
        """Whether it is up, or will not be by itself."""
        if self.state is State.UP:
            return not self.is_leaving
        return self.state is State.GAVE_UP or not (self.alive or self.wanted)


@dataclass(frozen=True)
class Step:
    """What to do; for REST, how long unless something happens before."""

    action: Action
    seconds: float = 0.0
    reason: str = ""


def next_step(history: History, rules: Rules, now: float, *, ready: bool, clear: bool) -> Step:
    """What to do with a service now.

    `ready`: all that it waits for is settled. `clear`: nothing that needs it is leaving.
    """
    if history.state in (State.STOPPING, State.HUNG):
        return _while_stopping(history, rules, now)
    if history.is_leaving:
        return _while_leaving(history, rules, now) if clear else Step(Action.REST, math.inf)
    if history.state in (State.STARTING, State.UP):
        return _while_alive(history, rules, now)
    if history.state is State.GAVE_UP or not history.wanted or not ready:
        return Step(Action.REST, math.inf)
    left = history.since + history.pause - now
    return Step(Action.REST, left) if left > 0 else Step(Action.START)


def _while_stopping(history: History, rules: Rules, now: float) -> Step:
    left = history.since + rules.stop_seconds - now
    if history.killed:
        return Step(Action.REST, math.inf)
    return Step(Action.REST, left) if left > 0 else Step(Action.KILL)


def _while_leaving(history: History, rules: Rules, now: float) -> Step:
    if not (history.wanted and history.gently and rules.drain_seconds):
        return Step(Action.STOP)
    if history.state is not State.DRAINING:
        return Step(Action.DRAIN)
    left = history.since + rules.drain_seconds - now
    if left > 0:
        return Step(Action.REST, left)
    return Step(Action.STOP, reason=f"not done after {rules.drain_seconds:g} s")


def _while_alive(history: History, rules: Rules, now: float) -> Step:
    if history.state is State.STARTING:
        limit, every = rules.start_seconds, min(STARTING_PROBE, rules.probe_seconds)
        since, words = history.since, "not ready after"
    else:
        limit, every = rules.hung_seconds, rules.probe_seconds
        since, words = history.answer, "no answer for"
    # By the last probe, not by now: when we were ourselves held up, nobody was asked
    if history.asked - since >= limit:
        why = f" ({history.reason})" if history.reason else ""
        return Step(Action.STOP, reason=f"{words} {limit:g} s{why}")
    left = history.asked + every - now
    return Step(Action.REST, left) if left > 0 else Step(Action.PROBE)


def pause_after(deaths: int, chance: float) -> float:
    """Seconds to wait before a restart. `chance`: from 0 to 1, different each time."""
    if not deaths:
        return 0.0
    longest = min(FIRST_PAUSE * 2.0 ** min(deaths - 1, 30), LONGEST_PAUSE)
    return longest * (1 - JITTER * chance)


def started(history: History, now: float) -> History:
    return replace(
        history,
        state=State.STARTING,
        since=now,
        alive=True,
        killed=False,
        asked=-math.inf,
        up_since=math.inf,
        reason="",
    )


def answered(history: History, now: float) -> History:
    """A probe went well."""
    if history.state is State.STARTING:
        took = f"in {now - history.since:.1f} s"
        return replace(
            history,
            state=State.UP,
            since=now,
            up_since=now,
            asked=now,
            answer=now,
            reason=took,
        )
    return replace(history, asked=now, answer=now)


def silent(history: History, now: float, why: str) -> History:
    """A probe went badly."""
    return replace(history, asked=now, reason=why)


def draining(history: History, now: float) -> History:
    return replace(history, state=State.DRAINING, since=now, reason="ends when nobody uses it")


def stopping(history: History, now: float, reason: str) -> History:
    """Hung, unless somebody has asked for its end."""
    state = State.STOPPING if history.is_leaving else State.HUNG
    return replace(history, state=state, since=now, reason=reason)


def killed(history: History) -> History:
    why = f"{history.reason}; " if history.reason else ""
    return replace(history, killed=True, reason=f"{why}did not stop, killed")


def died(
    history: History, rules: Rules, now: float, how: str, *, chance: float, hopeless: bool = False
) -> History:
    """The process is gone, asked to or not. `chance` as for `pause_after`; `hopeless`: it
    has said itself that to start it again would change nothing."""
    ending = history.state in (State.STOPPING, State.HUNG) and history.reason
    reason = f"{history.reason}; {how}" if ending else how
    gone = replace(history, since=now, alive=False, up_since=math.inf, reason=reason)
    if not history.wanted or history.afresh:
        return _at_rest(gone, now)
    if hopeless:
        reason = f"{reason}: its configuration is at fault, see its log"
        return replace(gone, state=State.GAVE_UP, deaths=1, reason=reason)
    lasted = now - history.up_since >= rules.restart_window
    deaths = 1 if lasted else history.deaths + 1
    if deaths > rules.restarts:
        reason = f"died {deaths} times in a row: {reason}"
        return replace(gone, state=State.GAVE_UP, deaths=deaths, reason=reason)
    pause = pause_after(deaths, chance)
    return replace(gone, state=State.BACKING_OFF, deaths=deaths, pause=pause)


def refused(history: History, rules: Rules, now: float, why: str, *, chance: float) -> History:
    """It cannot even be tried: hopeless at first, but after a death what is left of the
    dead process may be in the way (its port, its lock) for a moment more."""
    if history.deaths:
        return died(history, rules, now, why, chance=chance)
    return replace(history, state=State.GAVE_UP, since=now, alive=False, reason=why)


def unwanted(history: History, now: float) -> History:
    """Not to be started again; what is alive is for `next_step` to stop."""
    if history.alive:
        return replace(history, wanted=False, afresh=False)
    return _at_rest(replace(history, wanted=False, reason=""), now)


def wanted(history: History, now: float) -> History:
    """To be started, whatever has been: also what was given up."""
    if history.is_leaving:
        return replace(history, wanted=True, afresh=True)
    if history.alive:
        return history
    return _at_rest(replace(history, wanted=True, reason=""), now)


def wanted_afresh(history: History, now: float, *, gently: bool) -> History:
    """To be started again, after what is alive has ended."""
    if history.alive:
        return replace(history, wanted=True, afresh=True, gently=gently)
    return wanted(history, now)


def _at_rest(history: History, now: float) -> History:
    """Without a process and without a past; it starts at once if it is wanted."""
    return replace(
        history, state=State.STOPPED, since=now, afresh=False, gently=False, deaths=0, pause=0.0
    )

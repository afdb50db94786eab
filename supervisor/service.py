"""What a supervised service is, and the rules by which it is started, stopped and given up.

Pure: no clock, no process. Something happens to a service (`started`, `answered`, `died` …)
and a new `History` comes of it; `next_step` looks at a history and says what to do now.
Times are seconds of a monotonic clock, so the wall clock may jump.

    stopped ─► starting ─► up ─► stopping ─► stopped          (no longer wanted)
                  ▲         │        │
                  └─ backing off ◄───┴─────► gave up          (wanted, but dies or hangs)
"""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

FIRST_PAUSE = 0.2  # seconds before the first restart; doubles with each
LONGEST_PAUSE = 10.0
STARTING_PROBE = 0.1  # seconds between probes until the first answer


class CannotStart(Exception):
    """Something this host lacks or has too much of; the text names cause and cure."""


class State(StrEnum):
    STOPPED = "stopped"
    STARTING = "starting"
    UP = "up"
    STOPPING = "stopping"
    BACKING_OFF = "backing off"
    GAVE_UP = "gave up"


class Action(StrEnum):
    START = "start"
    PROBE = "probe"
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
    `after` names the services that must be up before this one starts. `start_seconds`
    is how long it may take to be ready, if not what the rules say. `type` is the same for
    all that do the same; empty: the name.
    """

    name: str
    prepare: Callable[[], Command]
    probe: Callable[[], str | None]
    after: tuple[str, ...] = ()
    address: str = ""
    port: int | None = None
    start_seconds: float | None = None
    reload: Reload | None = None
    type: str = ""


@dataclass(frozen=True)
class Rules:
    """All in seconds but `restarts`: how often a service may die without having been
    up for `restart_window` in between."""

    start_seconds: float
    stop_seconds: float
    probe_seconds: float
    hung_seconds: float
    restarts: int
    restart_window: float


@dataclass(frozen=True)
class History:
    """What has happened to one service. Changed only by the functions below."""

    state: State = State.STOPPED
    since: float = -math.inf  # in this state
    wanted: bool = True
    alive: bool = False  # there is a process
    killed: bool = False
    asked: float = -math.inf  # the latest probe
    answer: float = -math.inf  # the latest good answer
    up_since: float = math.inf
    deaths: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Step:
    """What to do; for REST, how long unless something happens before."""

    action: Action
    seconds: float = 0.0
    reason: str = ""


def next_step(history: History, rules: Rules, now: float, *, ready: bool, clear: bool) -> Step:
    """What to do with a service now.

    `ready`: all that it needs is up. `clear`: nothing that needs it is alive.
    """
    if history.state is State.STOPPING:
        return _while_stopping(history, rules, now)
    if not history.wanted:
        if history.alive and clear:
            return Step(Action.STOP)
        return Step(Action.REST, math.inf)
    if history.state in (State.STARTING, State.UP):
        return _while_alive(history, rules, now)
    if history.state is State.GAVE_UP or not ready:
        return Step(Action.REST, math.inf)
    pause = history.since + pause_after(history.deaths) - now
    return Step(Action.REST, pause) if pause > 0 else Step(Action.START)


def _while_stopping(history: History, rules: Rules, now: float) -> Step:
    left = history.since + rules.stop_seconds - now
    if history.killed:
        return Step(Action.REST, math.inf)
    return Step(Action.REST, left) if left > 0 else Step(Action.KILL)


def _while_alive(history: History, rules: Rules, now: float) -> Step:
    if history.state is State.STARTING:
        limit, every = rules.start_seconds, min(STARTING_PROBE, rules.probe_seconds)
        silent, words = now - history.since, "not ready after"
    else:
        limit, every = rules.hung_seconds, rules.probe_seconds
        silent, words = now - history.answer, "hung: no answer for"
    if silent >= limit and history.asked > history.since:
        why = f" ({history.reason})" if history.reason else ""
        return Step(Action.STOP, reason=f"{words} {limit:g} s{why}")
    left = history.asked + every - now
    return Step(Action.REST, left) if left > 0 else Step(Action.PROBE)


def pause_after(deaths: int) -> float:
    """Seconds to wait before a restart."""
    if not deaths:
        return 0.0
    return min(FIRST_PAUSE * 2.0 ** min(deaths - 1, 30), LONGEST_PAUSE)


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


def stopping(history: History, now: float, reason: str) -> History:
    return replace(history, state=State.STOPPING, since=now, reason=reason)


def killed(history: History) -> History:
    why = f"{history.reason}; " if history.reason else ""
    return replace(history, killed=True, reason=f"{why}did not stop, killed")


def died(history: History, rules: Rules, now: float, how: str) -> History:
    """The process is gone, asked to or not."""
    asked = history.state is State.STOPPING and history.reason
    reason = f"{history.reason}; {how}" if asked else how
    gone = replace(history, since=now, alive=False, up_since=math.inf, reason=reason)
    if not history.wanted:
        return replace(gone, state=State.STOPPED, deaths=0)
    lasted = now - history.up_since >= rules.restart_window
    deaths = 1 if lasted else history.deaths + 1
    if deaths > rules.restarts:
        reason = f"died {deaths} times in a row: {reason}"
        return replace(gone, state=State.GAVE_UP, deaths=deaths, reason=reason)
    return replace(gone, state=State.BACKING_OFF, deaths=deaths)


def refused(history: History, rules: Rules, now: float, why: str) -> History:
    """It cannot even be tried: hopeless at first, but after a death what is left of the
    dead process may be in the way (its port, its lock) for a moment more."""
    if history.deaths:
        return died(history, rules, now, why)
    return replace(history, state=State.GAVE_UP, since=now, alive=False, reason=why)


def unwanted(history: History, now: float) -> History:
    """Not to be started again; what is alive is for `next_step` to stop."""
    if history.alive:
        return replace(history, wanted=False)
    return replace(history, wanted=False, state=State.STOPPED, since=now, reason="")

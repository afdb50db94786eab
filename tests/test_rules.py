"""The rules by which services are started, stopped and given up, as tables."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from supervisor import service
from supervisor.service import Action, History, Rules, State, Step

RULES = Rules(
    start_seconds=30,
    stop_seconds=5,
    probe_seconds=1,
    hung_seconds=10,
    restarts=3,
    restart_window=60,
    drain_seconds=100,
)
UP = History(state=State.UP, since=100, alive=True, asked=100, answer=100, up_since=100)
STARTING = History(state=State.STARTING, since=100, alive=True, asked=100)
LEAVING = service.unwanted(UP, 101)
AFRESH = service.wanted_afresh(UP, 101, gently=False)
GENTLY = service.wanted_afresh(UP, 101, gently=True)
STOPPING = service.stopping(LEAVING, 101, "")
HUNG = service.stopping(UP, 111, "no answer for 10 s")
DRAINING = service.draining(GENTLY, 101)
BACKING_OFF = History(state=State.BACKING_OFF, since=100, deaths=2, pause=0.3)
GAVE_UP = History(state=State.GAVE_UP, since=100, deaths=4, reason="died 4 times in a row")


def test_these_are_the_states_they_are_called() -> None:
    assert (STOPPING.state, HUNG.state) == (State.STOPPING, State.HUNG)
    assert LEAVING.is_leaving
    assert AFRESH.is_leaving
    assert not HUNG.is_leaving


@pytest.mark.parametrize(
    ("history", "now", "action", "seconds"),
    [
        (History(), 0, Action.START, 0),
        (History(wanted=False), 0, Action.REST, float("inf")),
        (STARTING, 100, Action.REST, 0.1),
        (STARTING, 100.2, Action.PROBE, 0),
        (UP, 100.4, Action.REST, 0.6),
        (UP, 101, Action.PROBE, 0),
        (BACKING_OFF, 100.1, Action.REST, 0.2),
        (BACKING_OFF, 100.3, Action.START, 0),
        (GAVE_UP, 1e9, Action.REST, float("inf")),
        (LEAVING, 101, Action.STOP, 0),
        (AFRESH, 101, Action.STOP, 0),
        (GENTLY, 101, Action.DRAIN, 0),
        (DRAINING, 102, Action.REST, 99),
        (DRAINING, 201, Action.STOP, 0),
        (service.unwanted(DRAINING, 102), 102, Action.STOP, 0),
        (STOPPING, 102, Action.REST, 4),
        (STOPPING, 106, Action.KILL, 0),
        (HUNG, 112, Action.REST, 4),
        (HUNG, 116, Action.KILL, 0),
        (service.killed(STOPPING), 1e9, Action.REST, float("inf")),
    ],
)
def test_what_to_do(history: History, now: float, action: Action, seconds: float) -> None:
    step = service.next_step(history, RULES, now, ready=True, clear=True)
    assert step.action is action
    assert step.seconds == pytest.approx(seconds)


@pytest.mark.parametrize("history", [History(), BACKING_OFF])
def test_nothing_starts_before_what_it_waits_for(history: History) -> None:
    step = service.next_step(history, RULES, 1e6, ready=False, clear=True)
    assert step == Step(Action.REST, float("inf"))


@pytest.mark.parametrize("history", [LEAVING, GENTLY, AFRESH])
def test_nothing_ends_before_what_needs_it(history: History) -> None:
    step = service.next_step(history, RULES, 1e6, ready=True, clear=False)
    assert step == Step(Action.REST, float("inf"))


@pytest.mark.parametrize(
    ("history", "now", "reason"),
    [
        (UP, 110, ""),
        (service.silent(UP, 110, "refused"), 110, "no answer for 10 s (refused)"),
        (service.answered(service.silent(UP, 105, "refused"), 106), 110, ""),
        (service.silent(STARTING, 130, "refused"), 130, "not ready after 30 s (refused)"),
        # Held up ourselves, we ask before we judge
        (UP, 1000, ""),
        (service.silent(UP, 105, "refused"), 1000, ""),
        (service.silent(STARTING, 105, "refused"), 1000, ""),
    ],
)
def test_what_is_silent_is_ended(history: History, now: float, reason: str) -> None:
    step = service.next_step(history, RULES, now, ready=True, clear=True)
    assert (step.action is Action.STOP) == bool(reason)
    assert step.reason == reason


def died(history: History, now: float = 200, **keys: bool) -> History:
    return service.died(history, RULES, now, "exited with code 1", chance=0, **keys)


@pytest.mark.parametrize(
    ("history", "state", "deaths", "reason"),
    [
        (STARTING, State.BACKING_OFF, 1, "exited with code 1"),
        (UP, State.BACKING_OFF, 1, "exited with code 1"),
        (HUNG, State.BACKING_OFF, 1, "no answer for 10 s; exited with code 1"),
        (STOPPING, State.STOPPED, 0, "exited with code 1"),
        (AFRESH, State.STOPPED, 0, "exited with code 1"),
        (DRAINING, State.STOPPED, 0, "exited with code 1"),
        (service.unwanted(HUNG, 112), State.STOPPED, 0, "no answer for 10 s; exited with code 1"),
    ],
)
def test_what_follows_an_end(history: History, state: State, deaths: int, reason: str) -> None:
    after = died(history)
    assert (after.state, after.deaths, after.reason) == (state, deaths, reason)
    assert not after.alive
    assert not after.afresh


def test_it_is_restarted_so_often_and_then_given_up() -> None:
    history, pauses = History(), []
    for life in range(4):
        history = died(service.started(history, 100 + life), 100.5 + life)
        pauses.append(history.pause)
    assert history.state is State.GAVE_UP
    assert history.reason == "died 4 times in a row: exited with code 1"
    assert pauses == pytest.approx([0.2, 0.4, 0.8, 0.8])


def test_a_long_life_makes_up_for_deaths() -> None:
    lived = service.answered(service.started(BACKING_OFF, 100), 101)
    assert died(lived, 160).deaths == 3
    assert died(lived, 161).deaths == 1


def test_an_exit_code_can_say_that_a_restart_is_in_vain() -> None:
    after = died(UP, hopeless=True)
    assert after.state is State.GAVE_UP
    assert "its configuration is at fault" in after.reason
    assert died(LEAVING, hopeless=True).state is State.STOPPED


def test_pauses_grow_to_a_bound_and_differ() -> None:
    assert service.pause_after(0, 1) == 0
    longest = [service.pause_after(deaths, 0) for deaths in (1, 2, 3, 100, 10_000)]
    assert longest == [0.2, 0.4, 0.8, 10, 10]
    assert [service.pause_after(3, chance) for chance in (0.5, 1)] == pytest.approx([0.6, 0.4])


@pytest.mark.parametrize(
    "change", [service.wanted, service.unwanted, partial(service.wanted_afresh, gently=True)]
)
@pytest.mark.parametrize("history", [GAVE_UP, BACKING_OFF, History(wanted=False)])
def test_commands_clear_the_past(
    history: History, change: Callable[[History, float], History]
) -> None:
    after = change(history, 300)
    assert (after.state, after.deaths, after.pause, after.reason) == (State.STOPPED, 0, 0, "")
    assert after.wanted == (change is not service.unwanted)


def test_what_is_wanted_while_it_stops_comes_again() -> None:
    after = service.wanted(STOPPING, 102)
    assert after.is_leaving
    gone = died(after)
    assert (gone.state, gone.deaths, gone.wanted) == (State.STOPPED, 0, True)


def test_what_is_up_stays_as_it_is_when_it_is_wanted() -> None:
    assert service.wanted(UP, 300) == UP


@pytest.mark.parametrize(
    ("history", "settled"),
    [
        (History(), False), (STARTING, False), (UP, True), (LEAVING, False), (HUNG, False),
        (GENTLY, False), (DRAINING, False), (BACKING_OFF, False), (GAVE_UP, True),
        (died(STOPPING), True), (died(AFRESH), False),
    ],
)  # fmt: skip
def test_what_is_settled(history: History, settled: bool) -> None:
    assert history.is_settled == settled


@pytest.mark.parametrize(("deaths", "state"), [(0, State.GAVE_UP), (2, State.BACKING_OFF)])
def test_what_cannot_be_tried(deaths: int, state: State) -> None:
    after = service.refused(History(deaths=deaths), RULES, 100, "no program", chance=0)
    assert (after.state, after.reason) == (state, "no program")

"""The rules of supervision, as tables: no clock, no process."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from supervisor import service
from supervisor.service import Action, History, Rules, State

RULES = Rules(
    start_seconds=10,
    stop_seconds=5,
    probe_seconds=1,
    hung_seconds=3,
    restarts=2,
    restart_window=60,
)
STARTING = service.started(History(), 100.0)
UP = service.answered(STARTING, 101.0)
STOPPING = service.stopping(UP, 110.0, "hung")
DEAD = service.died(UP, RULES, 120.0, "ended by SIGKILL")
DISMISSED = service.unwanted(UP, 110.0)


@pytest.mark.parametrize(
    ("history", "now", "action", "seconds"),
    [
        (History(), 0.0, Action.START, 0),
        (STARTING, 100.0, Action.PROBE, 0),
        (service.silent(STARTING, 100.0, "refused"), 100.04, Action.REST, 0.06),
        (service.silent(STARTING, 109.9, "refused"), 110.0, Action.STOP, 0),
        (UP, 101.5, Action.REST, 0.5),
        (UP, 102.0, Action.PROBE, 0),
        (service.silent(UP, 103.9, "no answer"), 104.0, Action.STOP, 0),
        (service.answered(UP, 103.9), 104.0, Action.REST, 0.9),
        (STOPPING, 112.0, Action.REST, 3.0),
        (STOPPING, 115.0, Action.KILL, 0),
        (service.killed(STOPPING), 116.0, Action.REST, math.inf),
        (DEAD, 120.0, Action.REST, service.FIRST_PAUSE),
        (DEAD, 121.0, Action.START, 0),
        (DISMISSED, 110.0, Action.STOP, 0),
        (service.unwanted(DEAD, 121.0), 500.0, Action.REST, math.inf),
        (service.refused(History(), RULES, 0.0, "no program"), 500.0, Action.REST, math.inf),
        (service.refused(DEAD, RULES, 121.0, "port in use"), 122.0, Action.START, 0),
    ],
)
def test_next_step(history: History, now: float, action: Action, seconds: float) -> None:
    step = service.next_step(history, RULES, now, ready=True, clear=True)
    assert step.action is action
    assert step.seconds == pytest.approx(seconds)


def test_a_service_waits_for_what_it_needs() -> None:
    step = service.next_step(History(), RULES, 0.0, ready=False, clear=True)
    assert step.action is Action.REST


def test_a_service_is_not_stopped_before_those_that_need_it() -> None:
    step = service.next_step(DISMISSED, RULES, 110.0, ready=True, clear=False)
    assert step.action is Action.REST


def test_a_long_silence_of_ours_is_not_blamed_on_the_service() -> None:
    """After we were suspended, a service is asked before it is judged."""
    history = service.started(History(), 100.0)
    step = service.next_step(history, RULES, 5000.0, ready=True, clear=True)
    assert step.action is Action.PROBE


def test_a_flapping_service_is_given_up() -> None:
    history, states = History(), []
    for now in (10.0, 30.0, 50.0):
        history = service.answered(service.started(history, now), now + 1)
        history = service.died(history, RULES, now + 2, "exited with code 1")
        states.append(history.state)
    assert states == [State.BACKING_OFF, State.BACKING_OFF, State.GAVE_UP]
    assert history.reason == "died 3 times in a row: exited with code 1"


def test_deaths_far_apart_are_forgiven() -> None:
    history = History()
    for now in (0.0, 1000.0, 2000.0, 3000.0):
        history = service.answered(service.started(history, now), now)
        history = service.died(history, RULES, now + RULES.restart_window, "ended by SIGKILL")
        assert history.deaths == 1


def test_the_reason_says_what_led_to_the_end() -> None:
    history = service.stopping(UP, 110.0, "hung: no answer for 3 s")
    history = service.died(service.killed(history), RULES, 116.0, "ended by SIGKILL")
    assert history.reason == "hung: no answer for 3 s; did not stop, killed; ended by SIGKILL"


@pytest.mark.parametrize(
    ("deaths", "seconds"), [(0, 0.0), (1, 0.2), (2, 0.4), (5, 3.2), (9, 10.0), (10_000, 10.0)]
)
def test_pauses_grow_up_to_a_limit(deaths: int, seconds: float) -> None:
    assert service.pause_after(deaths) == pytest.approx(seconds)


def test_dismissing_what_is_not_running_stops_it_at_once() -> None:
    assert service.unwanted(replace(DEAD), 121.0).state is State.STOPPED

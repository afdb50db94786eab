"""Keeps one service as its rules say."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypedDict

import gevent
from gevent.event import Event

from supervisor import service
from supervisor.logs import Logs
from supervisor.process import Process
from supervisor.service import Action, CannotStart, History, Rules, Service, State, Step

PROBE_LIMIT = 5.0  # seconds after which a probe counts as unanswered

log = logging.getLogger(__name__)
OnChange = Callable[[str, State, str], None]


class ServiceSnapshot(TypedDict):
    name: str
    type: str
    state: str
    reason: str
    wanted: bool
    pid: int | None
    address: str
    port: int | None
    seconds: float  # in this state
    deaths: int  # in a row


class Keeper:
    """One service, its process and its greenlet.

    `on_change(name, state, reason)` must not raise. `is_ready` tells whether all that it
    waits for is settled, `is_clear` whether nothing that needs it is about to end; `wake_all`
    is called when something has happened that others may have waited for.
    """

    def __init__(
        self,
        *,
        service: Service,
        rules: Rules,
        logs: Logs,
        on_change: OnChange,
        is_ready: Callable[[Service], bool],
        is_clear: Callable[[Service], bool],
        wake_all: Callable[[], None],
    ) -> None:
        self.service = service
        self.history = History()
        self.is_retired = False
        self._on_change = on_change
        self._logs = logs
        self._is_ready = is_ready
        self._is_clear = is_clear
        self._wake_all = wake_all
        self._process: Process | None = None
        self._running = service  # what the process was started as
        self._wake = Event()
        self._preparing = False
        self._greenlet: gevent.Greenlet[[], None] | None = None
        self.keep_rules(rules)

    @property
    def is_busy(self) -> bool:
        """Whether there is a process, or is about to be."""
        return self.history.alive or self._preparing

    @property
    def is_outdated(self) -> bool:
        return self._running.basis != self.service.basis

    def adopt(self, one: Service) -> None:
        """From its next start on it is `one`; at once if that makes no difference to it."""
        self.service = one
        if not self.is_outdated and one.successor is None:
            self._running = one

    def keep_rules(self, rules: Rules) -> None:
        one = self.service
        self._rules = replace(
            rules,
            start_seconds=rules.start_seconds if one.start_seconds is None else one.start_seconds,
            drain_seconds=rules.drain_seconds if one.drain_seconds is None else one.drain_seconds,
        )

    def start(self) -> None:
        self._greenlet = gevent.spawn(self._run)

    def close(self) -> None:
        if self._greenlet is not None:
            self._greenlet.kill()

    def wake(self) -> None:
        self._wake.set()

    def want(self) -> None:
        self._become(service.wanted(self.history, time.monotonic()))

    def want_afresh(self, *, gently: bool) -> None:
        gently = gently and self._process is not None and self._process.can_drain
        self._become(service.wanted_afresh(self.history, time.monotonic(), gently=gently))

    def dismiss(self) -> None:
        self._become(service.unwanted(self.history, time.monotonic()))

    def signal(self, number: int) -> None:
        if self._process is not None:
            self._process.send(number)

    def snapshot(self) -> ServiceSnapshot:
        history = self.history
        return {
            "name": self.service.name,
            "type": self.service.kind,
            "state": history.state.value,
            "reason": history.reason,
            "wanted": history.wanted,
            "pid": self._process.pid if self._process else None,
            "address": self.service.address,
            "port": self.service.port,
            "seconds": max(0.0, min(time.monotonic() - history.since, 1e9)),
            "deaths": history.deaths,
        }

    def _run(self) -> None:
        while True:
            self._wake.clear()
            step = service.next_step(
                self.history,
                self._rules,
                time.monotonic(),
                ready=self._is_ready(self.service),
                clear=self._is_clear(self.service),
            )
            self._obey(step)

    def _obey(self, step: Step) -> None:
        if step.action is Action.REST:
            self._wake.wait(timeout=min(step.seconds, 3600.0))
        elif step.action is Action.START:
            self._start_process()
        elif step.action is Action.PROBE:
            self._probe()
        elif self._process is not None:
            self._end(self._process, step)

    def _end(self, process: Process, step: Step) -> None:
        now = time.monotonic()
        if step.action is Action.DRAIN:
            self._become(service.draining(self.history, now))
            process.drain()
        elif step.action is Action.STOP:
            self._become(service.stopping(self.history, now, step.reason))
            process.stop()
        else:
            self._become(service.killed(self.history))
            process.kill()

    def _start_process(self) -> None:
        self._preparing = True
        one = self.service
        try:
            command = one.prepare()
            if not self.history.wanted:
                return
            self._process = Process(command, self._logs.at(command.log))
            self._running = one
        except CannotStart as error:
            self._refused(str(error))
            return
        except Exception as error:
            # One service's preparation must not end the others' supervision.
            log.exception("cannot prepare %s", one.name)
            self._refused(f"{type(error).__name__}: {error}")
            return
        finally:
            self._preparing = False
            self._wake_all()
        self._become(service.started(self.history, time.monotonic()))
        gevent.spawn(self._watch, self._process)

    def _refused(self, why: str) -> None:
        now, chance = time.monotonic(), random.random()
        if self.history.wanted:
            self._become(service.refused(self.history, self._rules, now, why, chance=chance))

    def _watch(self, process: Process) -> None:
        how = process.wait()
        self._process = None
        self._become(
            service.died(
                self.history,
                self._rules,
                time.monotonic(),
                how,
                chance=random.random(),
                hopeless=process.is_hopeless,
            )
        )

    def _probe(self) -> None:
        """Ask in a greenlet of its own, so that nothing a probe does can hold us up."""
        asked = self._process
        asking = gevent.spawn(self._running.probe)
        either: list[Any] = [asking, self._wake]
        deadline = time.monotonic() + PROBE_LIMIT
        while not asking.ready() and not self.history.is_leaving:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            self._wake.clear()
            gevent.wait(either, timeout=left, count=1)
        if not asking.ready():
            why: str | None = "no answer"
        else:
            why = str(asking.exception) if asking.exception else asking.value
        if asked is not None and asked.is_frozen:
            why = "its process is stopped by a signal"
        asking.kill(block=False)
        if asked is not self._process or self.history.state not in (State.STARTING, State.UP):
            return
        now = time.monotonic()
        if why is None:
            self._become(service.answered(self.history, now))
        else:
            self._become(service.silent(self.history, now, why))

    def _become(self, history: History) -> None:
        before, self.history = self.history, history
        if before.state is not history.state:
            name = self.service.name + (" before" if self.is_retired else "")
            self._on_change(name, history.state, history.reason)
        if _what_others_see(before) != _what_others_see(history):
            self._wake_all()


def _what_others_see(history: History) -> tuple[object, ...]:
    return history.state, history.wanted, history.afresh, history.alive

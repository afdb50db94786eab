"""Keeps a host's services running: in order, restarted when they die or hang, and stopped.

Each service has a greenlet that asks `service.next_step` what to do, does that one thing
and asks again; whatever happens to any service wakes them all. The rules are in
`service.py`, what runs is in `catalog.py`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypedDict

import gevent
from gevent.event import Event

from supervisor import service
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
    pid: int | None
    address: str
    port: int | None
    seconds: float  # in this state
    deaths: int  # in a row


class Supervisor:
    """Runs `services` until `stop`; tells `on_change(name, state, reason)` what happens.

    `on_change` is called in the greenlet that keeps the service and must not raise.
    """

    def __init__(self, *, services: Sequence[Service], rules: Rules, on_change: OnChange) -> None:
        self._changed = Event()
        self._keepers = {
            one.name: _Keeper(service=one, rules=rules, on_change=on_change, host=self)
            for one in in_order(services)
        }

    def start(self) -> None:
        """Begin to bring everything up, each after what it needs."""
        for keeper in self._keepers.values():
            keeper.start()

    def wait_settled(self) -> dict[str, str]:
        """Wait until each service is up or out of the question; why, for those that are."""
        while not all(self._is_settled(keeper) for keeper in self._keepers.values()):
            self._wait_change()
        return {
            name: keeper.history.reason or "needs " + ", ".join(keeper.service.after)
            for name, keeper in self._keepers.items()
            if keeper.history.state is not State.UP
        }

    def stop(self) -> None:
        """Stop everything, each before what it needs, and wait until it is gone."""
        for keeper in self._keepers.values():
            keeper.dismiss()
        while any(keeper.is_busy for keeper in self._keepers.values()):
            self._wait_change()

    def snapshot(self) -> list[ServiceSnapshot]:
        return [keeper.snapshot() for keeper in self._keepers.values()]

    def is_ready_for(self, one: Service) -> bool:
        return all(self._keepers[name].history.state is State.UP for name in one.after)

    def is_clear_of(self, one: Service) -> bool:
        """Whether nothing that needs this service is alive."""
        return not any(
            one.name in keeper.service.after and keeper.is_busy for keeper in self._keepers.values()
        )

    def wake_all(self) -> None:
        self._changed.set()
        for keeper in self._keepers.values():
            keeper.wake()

    def _is_settled(self, keeper: _Keeper) -> bool:
        history = keeper.history
        return history.state is State.UP or not history.wanted or self._is_lost(keeper)

    def _is_lost(self, keeper: _Keeper) -> bool:
        """Whether it, or something that it needs however indirectly, has been given up."""
        return keeper.history.state is State.GAVE_UP or any(
            self._is_lost(self._keepers[name]) for name in keeper.service.after
        )

    def _wait_change(self) -> None:
        self._changed.clear()
        self._changed.wait()


class _Keeper:
    """One service, its process and its greenlet."""

    def __init__(
        self, *, service: Service, rules: Rules, on_change: OnChange, host: Supervisor
    ) -> None:
        self.service = service
        self.history = History()
        self._rules = rules
        if service.start_seconds is not None:
            self._rules = replace(rules, start_seconds=service.start_seconds)
        self._on_change = on_change
        self._host = host
        self._process: Process | None = None
        self._wake = Event()
        self._preparing = False
        self._greenlet: gevent.Greenlet[[], None] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether there is a process, or is about to be."""
        return self.history.alive or self._preparing

    def start(self) -> None:
        self._greenlet = gevent.spawn(self._run)

    def wake(self) -> None:
        self._wake.set()

    def dismiss(self) -> None:
        self._become(service.unwanted(self.history, time.monotonic()))

    def snapshot(self) -> ServiceSnapshot:
        history = self.history
        return {
            "name": self.service.name,
            "type": self.service.type or self.service.name,
            "state": history.state.value,
            "reason": history.reason,
            "pid": self._process.pid if self._process else None,
            "address": self.service.address,
            "port": self.service.port,
            "seconds": max(0.0, min(time.monotonic() - history.since, 1e9)),
            "deaths": history.deaths,
        }

    def _run(self) -> None:
        while self.history.wanted or self.history.alive:
            self._wake.clear()
            step = service.next_step(
                self.history,
                self._rules,
                time.monotonic(),
                ready=self._host.is_ready_for(self.service),
                clear=self._host.is_clear_of(self.service),
            )
            self._obey(step)

    def _obey(self, step: Step) -> None:
        if step.action is Action.REST:
            self._wake.wait(timeout=min(step.seconds, 3600.0))
        elif step.action is Action.START:
            self._start_process()
        elif step.action is Action.PROBE:
            self._probe()
        elif self._process:
            if step.action is Action.STOP:
                self._become(service.stopping(self.history, time.monotonic(), step.reason))
                self._process.stop()
            else:
                self._become(service.killed(self.history))
                self._process.kill()

    def _start_process(self) -> None:
        self._preparing = True
        try:
            command = self.service.prepare()
            if not self.history.wanted:
                return
            self._process = Process(command)
        except CannotStart as error:
            self._refused(str(error))
            return
        except Exception as error:
            # One service's preparation must not end the others' supervision.
            log.exception("cannot prepare %s", self.service.name)
            self._refused(f"{type(error).__name__}: {error}")
            return
        finally:
            self._preparing = False
            self._host.wake_all()
        self._become(service.started(self.history, time.monotonic()))
        gevent.spawn(self._watch, self._process)

    def _refused(self, why: str) -> None:
        self._become(service.refused(self.history, self._rules, time.monotonic(), why))

    def _watch(self, process: Process) -> None:
        how = process.wait()
        self._process = None
        self._become(service.died(self.history, self._rules, time.monotonic(), how))

    def _probe(self) -> None:
        """Ask in a greenlet of its own, so that nothing a probe does can hold us up."""
        asked = self._process
        asking = gevent.spawn(self.service.probe)
        asking.join(timeout=PROBE_LIMIT)
        if not asking.ready():
            why: str | None = "no answer"
        else:
            why = str(asking.exception) if asking.exception else asking.value
        asking.kill(block=False)
        if asked is not self._process or self.history.state is State.STOPPING:
            return
        now = time.monotonic()
        if why is None:
            self._become(service.answered(self.history, now))
        else:
            self._become(service.silent(self.history, now, why))

    def _become(self, history: History) -> None:
        before, self.history = self.history, history
        if before.state is not history.state:
            self._on_change(self.service.name, history.state, history.reason)
        if (before.state, before.wanted) != (history.state, history.wanted):
            self._host.wake_all()


def in_order(services: Sequence[Service]) -> list[Service]:
    """`services`, each after those it needs. Raises ValueError for what cannot be."""
    left, ordered = list(services), list[Service]()
    while left:
        names = {one.name for one in ordered}
        able = [one for one in left if names.issuperset(one.after)]
        if not able:
            names = {one.name for one in left}
            raise ValueError(f"{sorted(names)} need each other, or something unknown")
        ordered += able
        left = [one for one in left if one not in able]
    return ordered

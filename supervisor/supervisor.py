"""Keeps a host's services running: in order, restarted when they die or hang, and stopped.

Each service has a keeper, a greenlet that asks `service.next_step` what to do, does that one
thing and asks again; whatever happens to any service wakes them all. Commands only change
what is wanted, so none of them ever waits for another. The rules are in `service.py`, what
runs is in `catalog.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import gevent
from gevent.event import Event

from supervisor.keeper import Keeper, OnChange, ServiceSnapshot
from supervisor.logs import Logs
from supervisor.service import History, Rules, Service, State


class UnknownService(Exception):
    """Nothing here is called so; the text says what is."""


class Supervisor:
    """Runs `services` until `stop`; tells `on_change(name, state, reason)` what happens.

    `on_change` is called in the greenlet that keeps the service and must not raise.
    """

    def __init__(
        self,
        *,
        services: Sequence[Service],
        rules: Rules,
        on_change: OnChange,
        logs: Logs | None = None,
    ) -> None:
        self.logs = logs or Logs()
        self._rules = rules
        self._on_change = on_change
        self._waiting: set[Event] = set()
        self._is_stopping = False
        self._retiring: list[Keeper] = []  # their successors are up, or they are not wanted
        self._keepers = {one.name: self._keeper(one) for one in in_order(services)}

    @property
    def services(self) -> list[Service]:
        return [keeper.service for keeper in self._keepers.values()]

    def start(self) -> None:
        """Begin to bring everything up, each after what it needs."""
        for keeper in self._keepers.values():
            keeper.start()

    def stop(self) -> None:
        """Stop everything, each before what it needs, and wait until it is gone. Whatever else
        is asked for meanwhile, nothing is started any more."""
        self._is_stopping = True
        for keeper in self._all():
            keeper.dismiss()
        while any(keeper.is_busy for keeper in self._all()):
            self._wait_change()
        for keeper in self._all():
            keeper.close()

    def named(self, words: Collection[str]) -> list[str]:
        """The services that these names or types mean, in order. Raises UnknownService."""
        if not words or "all" in words:
            return list(self._keepers)
        known = {word for one in self.services for word in (one.name, one.kind)}
        if unknown := set(words) - known:
            raise UnknownService(
                f"there is no service {min(unknown)} here; there are {', '.join(self._keepers)}"
            )
        return [one.name for one in self.services if {one.name, one.kind} & set(words)]

    def bring_up(self, names: Collection[str]) -> None:
        """Begin to start these, also what was given up."""
        for name in () if self._is_stopping else names:
            self._keepers[name].want()

    def dismiss(self, names: Collection[str]) -> None:
        """Begin to stop these, until they are wanted again."""
        for name in names:
            self._keepers[name].dismiss()

    def renew(self, name: str, *, gently: bool) -> str:
        """Replace the process of a service by a new one, and wait for that; what went wrong.

        Where a service makes a successor, the process before serves until that is up, and
        stays if it does not come up.
        """
        if self._is_stopping:
            return "everything is being stopped"
        keeper = self._keepers[name]
        make = keeper.service.successor
        if make is not None and keeper.history.state is State.UP:
            return self._succeed(keeper, make())
        keeper.want_afresh(gently=gently)
        return self.wait_settled([name]).get(name, "")

    def adopt(self, one: Service) -> None:
        """From its next start on, the service of this name is `one`. A new name is started."""
        keeper = self._keepers.get(one.name)
        if keeper is not None:
            keeper.adopt(one)
            return
        if not self._is_stopping:
            self._keepers[one.name] = self._keeper(one)
            self._keepers[one.name].start()

    def drop(self, name: str) -> None:
        """Stop a service and forget it."""
        keeper = self._keepers.pop(name)
        self._retire(keeper)

    def keep_rules(self, rules: Rules) -> None:
        self._rules = rules
        for keeper in self._all():
            keeper.keep_rules(rules)

    def is_outdated(self, name: str) -> bool:
        """Whether its process was started as what it is not any more."""
        return self._keepers[name].is_outdated

    def history(self, name: str) -> History:
        return self._keepers[name].history

    def signal(self, name: str, number: int) -> None:
        """To the service's process, if there is one."""
        self._keepers[name].signal(number)

    def wait_settled(self, names: Collection[str] | None = None) -> dict[str, str]:
        """Wait until each service is up or out of the question; why, for those that should be
        up and are not."""
        while True:
            keepers = [
                keeper
                for name, keeper in self._keepers.items()
                if names is None or name in names
            ]
            if all(keeper.history.is_settled for keeper in keepers):
                break
            self._wait_change()
        return {
            keeper.service.name: keeper.history.reason or keeper.history.state.value
            for keeper in keepers
            if keeper.history.state is not State.UP and keeper.history.wanted
        }

    def wait_stopped(self, names: Collection[str]) -> None:
        """Wait until each of these is gone, or wanted again."""
        keepers = [self._keepers[name] for name in names if name in self._keepers]
        while any(keeper.is_busy and not keeper.history.wanted for keeper in keepers):
            self._wait_change()

    def snapshot(self) -> list[ServiceSnapshot]:
        found = []
        for keeper in self._keepers.values():
            one = keeper.snapshot()
            if one["wanted"] and one["state"] == State.STOPPED:
                one["reason"] = "waits for " + ", ".join(self._unsettled(keeper.service))
            found.append(one)
        return found

    def _unsettled(self, one: Service) -> list[str]:
        """What this service still waits for."""
        keepers = [self._keepers[name] for name in one.after if name in self._keepers]
        return [each.service.name for each in keepers if not each.history.is_settled]

    def _is_clear_of(self, one: Service) -> bool:
        return not any(
            one.name in keeper.service.after and keeper.is_busy and not keeper.history.wanted
            for keeper in self._all()
        )

    def _wake_all(self) -> None:
        for event in self._waiting:
            event.set()
        for keeper in self._all():
            keeper.wake()

    def _keeper(self, one: Service) -> Keeper:
        return Keeper(
            service=one,
            rules=self._rules,
            logs=self.logs,
            on_change=self._on_change,
            is_ready=lambda one: not self._unsettled(one),
            is_clear=self._is_clear_of,
            wake_all=self._wake_all,
        )

    def _all(self) -> list[Keeper]:
        return [*self._keepers.values(), *self._retiring]

    def _succeed(self, before: Keeper, successor: Service) -> str:
        """Let a second process take the place of the first; what went wrong."""
        name = successor.name
        after = self._keeper(successor)
        self._retiring.append(after)  # until it is up
        after.start()
        while not (after.history.is_settled or after.history.deaths):
            self._wait_change()
        self._retiring.remove(after)
        is_current = self._keepers.get(name) is before and before.history.wanted
        if after.history.state is State.UP and is_current:
            self._keepers[name] = after
            self._retire(before)
            while before.is_busy:
                self._wait_change()
            return ""
        why = after.history.reason or "it is not wanted any more"
        self._retire(after)
        return f"the new one did not come up, the one before stays: {why}"

    def _retire(self, keeper: Keeper) -> None:
        keeper.is_retired = True
        self._retiring.append(keeper)
        keeper.dismiss()
        gevent.spawn(self._bury, keeper)

    def _bury(self, keeper: Keeper) -> None:
        while keeper.is_busy:
            self._wait_change()
        keeper.close()
        self._retiring.remove(keeper)

    def _wait_change(self) -> None:
        event = Event()
        self._waiting.add(event)
        event.wait()
        self._waiting.remove(event)


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

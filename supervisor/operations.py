"""What an operator may have done with the services of a host, while it runs.

Each of these waits until it is done and returns what went wrong, in words; any number of them
may be under way. They only say what is wanted, so a slow stop of one holds up no other.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager

import gevent
from gevent.lock import RLock

from app.settings import Settings, SettingsError
from supervisor import catalog
from supervisor.keeper import OnChange
from supervisor.renewal import Reloads
from supervisor.service import CannotStart, Service, State
from supervisor.supervisor import Supervisor

SEEN_SECONDS = 1.0  # in which HAProxy, and whoever else looks, has found that a server is up

log = logging.getLogger(__name__)


class Changes:
    """Tells whoever listens what happens to services. Listeners must not wait or raise."""

    def __init__(self, *listeners: OnChange) -> None:
        """`listeners` hear all of it, others as long as they want to."""
        self._listeners = [*listeners]

    def tell(self, name: str, state: State, reason: str) -> None:
        for listener in list(self._listeners):
            listener(name, state, reason)

    @contextmanager
    def heard_by(self, listener: OnChange) -> Iterator[None]:
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)


class Operations:
    def __init__(
        self,
        *,
        settings: Settings,
        read: Callable[[], Settings],
        describe: Callable[[Settings], Sequence[Service]],
        host: Supervisor,
        changes: Changes,
        on_settings: Callable[[Settings], None],
    ) -> None:
        """`settings` are those with which `host` began, `read` reads them as they are now,
        `describe` says what runs by them; `on_settings` is told of new ones that are in use."""
        self.settings = settings
        self._at_start = settings
        self.host = host
        self.changes = changes
        self.mistake = ""  # in the settings, while those before are in use
        self._read = read
        self._describe = describe
        self._on_settings = on_settings
        self._reloads = Reloads(lambda: host.services, host.signal)
        self._one_reload = RLock()
        self._turns: defaultdict[str, RLock] = defaultdict(RLock)  # to restart a service

    def begin(self) -> None:
        """Once everything has started: from now on, what changes is taken up."""
        self._reloads.run()

    def start(self, names: Collection[str]) -> str:
        """Also what was given up."""
        self.host.bring_up(names)
        return _words(self.host.wait_settled(names))

    def stop(self, names: Collection[str]) -> str:
        self.host.dismiss(names)
        self.host.wait_stopped(names)
        return ""

    def restart(self, names: Collection[str], *, gently: bool) -> str:
        """One after the other; of a type, the next one only when the one before is up and used.

        `gently`: what can, first ends what it does.
        """
        return self._restart(names, gently=gently, wanted=lambda name: True)

    def reload(self) -> str:
        """Take up the settings as they are now, touching only what they make different."""
        with self._one_reload:
            try:
                fresh = self._read()
                if wrong := _immovable(self.settings, fresh):
                    raise SettingsError(wrong)
                services = self._describe(fresh)
            except (SettingsError, CannotStart) as error:
                self.mistake = f"{error}; the settings before stay in use"
                return self.mistake
            self.mistake = ""
            failures = self._use(fresh, services)
        outdated = [one.name for one in services if self.host.is_outdated(one.name)]
        running = [name for name in outdated if self._runs(name)]
        wrong = self._restart(running, gently=True, wanted=self.host.is_outdated)
        failures |= self.host.wait_settled([one.name for one in services])
        return "; ".join(words for words in (wrong, _words(failures)) if words)

    def renewed(self) -> None:
        """Certificates may have changed."""
        self._reloads.run()

    def notices(self) -> list[str]:
        """What the host does without, and what is wrong with its settings."""
        found = [*catalog.notices(self.settings)]
        if sections := _held(self._at_start, self.settings):
            found.append(f"{sections}: `supervise` itself takes that up at its next start")
        return [*found, self.mistake] if self.mistake else found

    def _runs(self, name: str) -> bool:
        history = self.host.history(name)
        return history.alive and history.wanted

    def _use(self, settings: Settings, services: Sequence[Service]) -> dict[str, str]:
        """From now on, without waiting for what has to be restarted; what went wrong."""
        host, chosen = self.host, settings.supervisor
        self.settings = settings
        host.keep_rules(catalog.rules(settings))
        host.logs.keep(size=chosen.log_size, count=chosen.log_files)
        self._on_settings(settings)
        names = {one.name for one in services}
        for gone in [one.name for one in host.services if one.name not in names]:
            host.drop(gone)
        for one in services:
            host.adopt(one)
        gave_up = [name for name in names if host.history(name).state is State.GAVE_UP]
        host.bring_up([name for name in gave_up if host.is_outdated(name)])
        return self._reloads.run()

    def _restart(
        self, names: Collection[str], *, gently: bool, wanted: Callable[[str], bool]
    ) -> str:
        """Of `names`, those that are still there and `wanted` when it is their turn."""
        kinds = {one.name: one.kind for one in self.host.services}
        failures: dict[str, str] = {}
        failed: set[str] = set()  # types
        for name in names:
            with self._turns[name]:
                if name not in {one.name for one in self.host.services} or not wanted(name):
                    continue
                if kinds[name] in failed:
                    failures[name] = "left as it is, as another of its type did not come up"
                elif why := self.host.renew(name, gently=gently):
                    failures[name] = why
                    failed.add(kinds[name])
                elif list(kinds.values()).count(kinds[name]) > 1:
                    gevent.sleep(SEEN_SECONDS)
        return _words(failures)


def _immovable(before: Settings, after: Settings) -> str:
    """What can't be changed without an end; empty: nothing of that was."""
    if after.data_dir != before.data_dir:
        return "[site] data_dir has changed: stop `supervise` and start it again"
    if after.host_name != before.host_name or after.site.name != before.site.name:
        return "[site] name or host has changed: stop `supervise` and start it again"
    return ""


def _held(before: Settings, after: Settings) -> str:
    """The sections that differ, of those which the supervisor's own process goes by."""
    sections = ("monitor", "database", "memcached", "wire")
    differ = [name for name in sections if getattr(before, name) != getattr(after, name)]
    moved = before.supervisor.port != after.supervisor.port or before.hosts != after.hosts
    return ", ".join(f"[{name}]" for name in (*differ, *(["hosts"] if moved else [])))


def _words(failures: dict[str, str]) -> str:
    return "; ".join(f"{name}: {why}" for name, why in failures.items())

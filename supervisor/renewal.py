"""Keeps certificates from expiring while everything runs.

Once in a while they are looked at, and renewed if need be. Node streams follow their files
by themselves (app/wire/tls.py); services that read them at start are told.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import gevent

from app import layout
from app.loop import Loop
from app.settings import Settings
from supervisor import certs, database_access, front, openvpn, public
from supervisor.service import CannotStart, Reload, Service

log = logging.getLogger(__name__)


class Renewal(Loop):
    """From `start` to `stop`, every [tls] check_seconds: renews, then calls `renewed`."""

    def __init__(self, *, settings: Settings, renewed: Callable[[], object]) -> None:
        self._settings = settings
        self._renewed = renewed

    def use(self, settings: Settings) -> None:
        self._settings = settings

    def _run(self) -> None:
        while True:
            gevent.sleep(self._settings.tls.check_seconds)
            try:
                renew(self._settings)
                self._renewed()
            except (CannotStart, OSError) as error:
                log.error("certificates can't be renewed: %s", error)


def renew(settings: Settings) -> None:
    """Raises CannotStart, OSError."""
    certs.ensure(settings.data_dir, layout.addresses_here(settings))
    if database_access.is_shared(settings):
        database_access.renew(settings)
    if openvpn.is_used(settings):
        openvpn.renew_certificate(settings)
    if front.is_used(settings):
        public.renew(settings)


class Reloads:
    """Tells those of `services` that would read something else by now than at the last look.

    `signal(name, number)` sends one to a service's process, if there is one.
    """

    def __init__(
        self, services: Callable[[], Sequence[Service]], signal: Callable[[str, int], None]
    ) -> None:
        self._services = services
        self._signal = signal
        self._known: dict[str, str] = {}

    def run(self) -> dict[str, str]:
        """The first time, it only looks. What can't be reloaded goes on with what it has: why,
        by name."""
        failures = {}
        for service in self._services():
            if service.reload is None:
                continue
            try:
                self._reload(service.name, service.reload)
            except (CannotStart, OSError) as error:
                log.error("%s goes on with what it has: %s", service.name, error)
                failures[service.name] = f"goes on with what it has: {error}"
        return failures

    def _reload(self, name: str, reload: Reload) -> None:
        content = reload.content()
        if content != self._known.get(name, content):
            reload.renew()
            self._signal(name, reload.signal)
        self._known[name] = content

"""What the supervisors of all hosts say, for whoever asks again and again."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import gevent
from gevent.lock import BoundedSemaphore

from app.settings import Settings
from app.wire.messages_pb2 import HostReport
from supervisor.client import Client, NoSupervisor

FRESH_SECONDS = 2.0  # for which an answer is given again


class Reports:
    def __init__(self, *, settings: Settings, client: Client) -> None:
        self._hosts = tuple(settings.hosts) or (settings.host_name,)
        self._client = client
        self._asked = -FRESH_SECONDS
        self._found: dict[str, HostReport | str] = {}
        self._one = BoundedSemaphore()

    def ask(self) -> tuple[Sequence[HostReport], Mapping[str, str]]:
        """Of each host what its supervisor says, or (by the host's name) why it says nothing."""
        with self._one:
            if time.monotonic() - self._asked >= FRESH_SECONDS:
                asking = [gevent.spawn(self._report, host) for host in self._hosts]
                gevent.joinall(asking)
                answers = [each.get() for each in asking]
                self._found = dict(zip(self._hosts, answers, strict=True))
                self._asked = time.monotonic()
        reports = [one for one in self._found.values() if isinstance(one, HostReport)]
        return reports, {host: why for host, why in self._found.items() if isinstance(why, str)}

    def _report(self, host: str) -> HostReport | str:
        try:
            return self._client.report(host)
        except NoSupervisor as error:
            return str(error)

"""How the site fares, as an app server sees it: what the status page shows."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, cast

import gevent

from app.browsers import Browsers
from app.db import Unavailable
from app.nodes import Nodes
from app.servers import ServersInUse
from app.sessions import Sessions
from app.settings import Settings
from app.web.status import ServiceStatus, SessionStatus, Snapshot


class Condition:
    def __init__(
        self,
        *,
        settings: Settings,
        version: str,
        browsers: Browsers,
        nodes: Nodes,
        servers: ServersInUse,
        sessions: Sessions,
        services: Callable[[], list[dict[str, Any]]],
        notices: Callable[[], Iterable[str]],
        lag: Callable[[], float],
    ) -> None:
        """`services` are as the monitor has them, and may raise Unavailable; `notices` says
        what the host does without; `lag`: seconds by which our greenlets run late."""
        self._settings = settings
        self._version = version
        self._browsers = browsers
        self._nodes = nodes
        self._servers = servers
        self._sessions = sessions
        self._services = services
        self._notices = notices
        self._lag = lag

    def snapshot(self) -> Snapshot:
        """What is now; of what can't be asked, why."""
        settings = self._settings
        now = Snapshot(
            site=settings.site.name,
            node=f"{settings.app.host}:{settings.app.port}",
            time=datetime.now(UTC).isoformat(timespec="seconds"),
            roles=list(settings.app.roles),
            hub_lag=self._lag(),
            browsers=len(self._browsers),
            versions={
                "Salvus": self._version,
                "Python": platform.python_version(),
                "gevent": gevent.__version__,
            },
            notices=[*self._notices(), *self._about_nodes()],
        )
        for node in self._nodes:
            if node.protections:
                now["protection"] = node.protections
        try:
            now["services"] = [_service(each) for each in self._services()]
            now["sessions"] = [cast(SessionStatus, asdict(one)) for one in self._sessions.live()]
        except Unavailable as error:
            now["notices"].append(f"the database can't be asked: {error}")
        return now

    def _about_nodes(self) -> list[str]:
        found = [
            f"no stream to the sage server: {node.failure}"
            for node in self._nodes
            if not node.is_up
        ]
        return [*found, self._servers.mistake] if self._servers.mistake else found


def _service(found: dict[str, Any]) -> ServiceStatus:
    """What the monitor has of one that runs."""
    age = datetime.now(UTC) - datetime.fromisoformat(found["started"])
    return ServiceStatus(
        name=found["name"],
        state="up",
        host=found["host"],
        address=found["address"] or "",
        port=found["port"],
        pid=found["pid"],
        seconds=age.total_seconds(),
        percent_cpu=found["percent_cpu"],
        resident_size=found["resident_size"],
    )

"""How the site fares, as an app server sees it: what the status page shows."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol, cast

import gevent

from app.browsers import Browsers
from app.db import Unavailable
from app.live_sessions import LiveSession
from app.mining import Suspect
from app.nodes import Nodes
from app.servers import ServersInUse
from app.settings import Settings
from app.web.host_status import UNKNOWN, hosts_of, services_of
from app.web.status import ErrorStatus, SessionStatus, Snapshot, SuspectStatus
from app.wire.messages_pb2 import HostReport

WITHOUT_FIGURES = (
    "what the monitors have measured can't be had: what is here comes from the supervisors"
    " and from this app server alone"
)
WITHOUT_DATABASE = (
    "sessions, errors and plots are missing, the rest comes from supervisors and the cache"
)
MINING = (
    "somebody computes without pause, as programs that mine coins do: see “Computing without pause”"
)
Reports = tuple[Sequence[HostReport], Mapping[str, str]]


class Watching(Protocol):
    """What monitors have measured. All of these may raise Unavailable."""

    def services(self) -> list[dict[str, Any]]: ...
    def restarts(self) -> dict[tuple[str, str], int]: ...
    def errors(self) -> list[dict[str, Any]]: ...
    def course(self, hours: float) -> dict[str, Any]: ...


class Condition:
    def __init__(
        self,
        *,
        settings: Settings,
        version: str,
        browsers: Browsers,
        nodes: Nodes,
        servers: ServersInUse,
        watching: Watching,
        sessions: Callable[[], Sequence[LiveSession]],
        suspects: Callable[[], Sequence[Suspect]],
        reports: Callable[[], Reports],
        notices: Callable[[], Iterable[str]],
        lag: Callable[[], float],
    ) -> None:
        """`reports`: what supervisors say, and why others say nothing; `notices` says what the host
        does without; `lag`: seconds by which our greenlets run late. `sessions`, those that
        live, and `suspects`, who computes without pause, may raise Unavailable."""
        self._settings = settings
        self._version = version
        self._browsers = browsers
        self._nodes = nodes
        self._servers = servers
        self._sessions = sessions
        self._watching = watching
        self._suspects = suspects
        self._reports = reports
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
                now["protection"] = dict(sorted(node.protections.items()))
        self._tell_services(now)
        try:
            self._tell_sessions(now)
            now["errors"] = [cast(ErrorStatus, one) for one in self._watching.errors()]
            self._tell_suspects(now)
            restarts = self._watching.restarts()
            for service in now["services"]:
                service["restarts"] = restarts.get((service["host"], service["name"]), 0)
        except Unavailable as error:
            now["notices"].append(f"the database can't be asked ({error}): {WITHOUT_DATABASE}")
        return now

    def course(self, hours: float) -> dict[str, Any]:
        """How the last hours went. Raises Unavailable."""
        return self._watching.course(hours)

    def _tell_services(self, now: Snapshot) -> None:
        """By supervisors and monitors, or by those alone that can be asked."""
        reports, silent = self._reports()
        measured: list[dict[str, Any]] = []
        try:
            measured = self._watching.services()
        except Unavailable:
            now["notices"].append(WITHOUT_FIGURES)
        now["hosts"] = hosts_of(reports, silent, measured)
        now["services"] = services_of(reports, silent, measured, datetime.now(UTC))
        now["notices"] += [f"{host}: {why}" for host, why in silent.items()]

    def _tell_sessions(self, now: Snapshot) -> None:
        """Those that live, the oldest first. Raises Unavailable."""
        now["sessions"] = [
            SessionStatus(
                id=one.id,
                worksheet=one.worksheet,
                server=one.server,
                state=one.state or UNKNOWN,
                seconds=one.seconds,
                resident_size=one.memory or None,
            )
            for one in sorted(self._sessions(), key=lambda one: one.started)
        ]

    def _tell_suspects(self, now: Snapshot) -> None:
        """Who computes without pause. Raises Unavailable."""
        found = self._suspects()
        now["mining"] = [
            SuspectStatus(
                account=one.account,
                name=one.name,
                kind=one.kind,
                network=one.network,
                since=one.since.isoformat(timespec="seconds"),
                full_hours=round(one.full_hours, 3),
                cpu_seconds=round(one.cpu_seconds, 1),
                worksheets=list(one.worksheets),
            )
            for one in found
        ]
        if found:
            now["notices"].append(MINING)

    def _about_nodes(self) -> list[str]:
        found = [
            f"no stream to the sage server: {node.failure}"
            for node in self._nodes
            if not node.is_up
        ]
        return [*found, self._servers.mistake] if self._servers.mistake else found

"""Hosts and their services in one: what supervisors say, and what monitors have measured. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from app.web.status import HostStatus, ServiceStatus
from app.wire.messages_pb2 import HostReport

Measured = Mapping[str, Any]  # of one process, values as in JSON
FIGURES = (
    "percent_cpu", "percent_mem", "cputime", "resident_size", "virtual_size", "sessions",
    "sessions_free", "browsers", "hub_lag",
)  # fmt: skip
GOOD = ("up", "draining")
UNKNOWN = "unknown"  # its supervisor is silent


def hosts_of(
    reports: Iterable[HostReport], silent: Mapping[str, str], measured: Iterable[Measured]
) -> list[HostStatus]:
    """By name. `silent`: why supervisors say nothing, by host."""
    found: dict[str, HostStatus] = {}
    for report in reports:
        found[report.host] = HostStatus(
            name=report.host,
            state="up",
            reason="",
            seconds=round(report.seconds, 1),
            notices=list(report.notices),
        )
    for name, why in silent.items():
        found[name] = HostStatus(name=name, state=UNKNOWN, reason=why, seconds=None, notices=[])
    for one in measured:
        host = found.setdefault(
            one["host"],
            HostStatus(name=one["host"], state="up", reason="", seconds=None, notices=[]),
        )
        host["load"], host["cores"] = one["load"], one["cores"]
    return [found[name] for name in sorted(found)]


def services_of(
    reports: Sequence[HostReport],
    silent: Mapping[str, str],
    measured: Sequence[Measured],
    now: datetime,
) -> list[ServiceStatus]:
    """By host, in the order in which supervisors start them; what has no supervisor follows."""
    known = {(report.host, service.name) for report in reports for service in report.services}
    by_pid = {(one["host"], one["pid"]): one for one in measured}
    found: list[ServiceStatus] = []
    for report in reports:
        for service in report.services:
            one = _supervised(report.host, service)
            if figures := by_pid.pop((report.host, service.pid), None):
                one.update(_figures(figures, now))
            found.append(one)
    for (host, _), figures in by_pid.items():
        if (host, figures["name"]) in known:
            continue  # a process of before, which has ended since
        state = UNKNOWN if host in silent else "up"
        one = ServiceStatus(
            name=figures["name"],
            type=figures["type"],
            host=host,
            state=state,
            reason="",
            wanted=True,
            address=figures["address"] or "",
            port=figures["port"],
            pid=figures["pid"],
        )
        one.update(_figures(figures, now))
        found.append(one)
    return sorted(found, key=lambda one: one["host"])


def _supervised(host: str, service: HostReport.Service) -> ServiceStatus:
    return ServiceStatus(
        name=service.name,
        type=service.type,
        host=host,
        state=service.state,
        reason=service.reason,
        wanted=service.wanted,
        address=service.address,
        port=service.port or None,
        pid=service.pid or None,
        seconds=round(service.seconds, 1) if service.seconds < 1e9 else None,
    )


def _figures(measured: Measured, now: datetime) -> ServiceStatus:
    age = (now - datetime.fromisoformat(measured["started"])).total_seconds()
    figures = ServiceStatus(seconds=round(max(0.0, age), 1))
    for name in FIGURES:
        figures[name] = measured[name]  # type: ignore[literal-required]
    return figures

"""What runs on the hosts of a site and how it fares, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import click

from app.quantities import duration, size
from app.wire.messages_pb2 import HostReport
from supervisor.console import coloured
from supervisor.service import State

DONE = (State.UP, State.DRAINING)  # what should be up, and is at work


@dataclass(frozen=True)
class Overview:
    """`hosts`: what their supervisors say; `silent`: why others say nothing; `site`: what an
    app server of this host says, as on its status page."""

    hosts: Sequence[HostReport]
    silent: Mapping[str, str] = field(default_factory=dict)
    site: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_well(self) -> bool:
        """Whether all is up that should be."""
        return not self.silent and all(
            one.state in DONE for host in self.hosts for one in host.services if one.wanted
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "well": self.is_well,
            "hosts": [_host_as_json(host) for host in self.hosts],
            "silent": dict(self.silent),
            "site": dict(self.site),
        }

    def lines(self) -> list[str]:
        """As a terminal shows them, with colours."""
        found: list[str] = []
        for host in self.hosts:
            found += [*_host_lines(host, self._figures(host.host)), ""]
        for name, why in self.silent.items():
            found += [click.style(f"{name}: {why}", fg="red"), ""]
        return found + self._site_lines()

    def _figures(self, host: str) -> dict[int, Mapping[str, Any]]:
        """What the site's monitor has measured, by process."""
        services = self.site.get("services", [])
        alone = len(self.hosts) == 1
        return {one["pid"]: one for one in services if alone or one.get("host") == host}

    def _site_lines(self) -> list[str]:
        said = {notice for host in self.hosts for notice in host.notices}
        found = []
        if self.site:
            found.append(
                f"{len(self.site.get('sessions', []))} sessions, {self.site['browsers']} browsers"
                f" at {self.site['node']}, hub lag {self.site['hub_lag'] * 1000:.0f} ms"
            )
        notices = [notice for notice in self.site.get("notices", []) if notice not in said]
        return found + [click.style(notice, fg="yellow") for notice in notices]


def complaints(host: HostReport) -> list[str]:
    """What is not as it should be, in words."""
    found = [
        f"{one.name}: {one.state}" + (f" ({one.reason})" if one.reason else "")
        for one in host.services
        if one.wanted and one.state not in DONE
    ]
    return [*found, *host.notices]


def _host_as_json(host: HostReport) -> dict[str, Any]:
    return {
        "host": host.host,
        "pid": host.pid,
        "seconds": round(host.seconds, 1),
        "services": [_service_as_json(one) for one in host.services],
        "notices": list(host.notices),
    }


def _service_as_json(one: HostReport.Service) -> dict[str, Any]:
    return {
        "name": one.name,
        "type": one.type,
        "state": one.state,
        "reason": one.reason,
        "wanted": one.wanted,
        "pid": one.pid or None,
        "address": one.address,
        "port": one.port or None,
        "seconds": round(one.seconds, 1),
        "deaths": one.deaths,
    }


def _host_lines(host: HostReport, figures: Mapping[int, Mapping[str, Any]]) -> list[str]:
    head = click.style(host.host, bold=True)
    found = [f"{head}  supervised for {duration(host.seconds)}, pid {host.pid}"]
    head = f"  {'SERVICE':<12}{'STATE':<13}{'FOR':<14}{'PID':>8}{'CPU':>8}{'MEMORY':>10}  "
    found.append(click.style(head, dim=True))
    for one in host.services:
        found.append(_service_line(one, figures.get(one.pid, {})))
    return found + [click.style(f"  {notice}", fg="yellow") for notice in host.notices]


def _service_line(one: HostReport.Service, figures: Mapping[str, Any]) -> str:
    percent = figures.get("percent_cpu")
    cpu = f"{percent:.1f} %" if percent is not None else ""
    memory = size(figures["resident_size"]) if figures.get("resident_size") else ""
    seconds = duration(one.seconds) if one.seconds < 1e9 else ""
    where = f"{one.address}:{one.port}" if one.port else one.address
    note = where if one.state == State.UP else one.reason
    return (
        f"  {one.name:<12}{coloured(one.state, 13)}{seconds:<14}{one.pid or '':>8}"
        f"{cpu:>8}{memory:>10}  {note}"
    ).rstrip()


def prefixed(name: str, text: str, width: int) -> Iterable[str]:
    """Lines of a log with the service's name before them."""
    return (f"{click.style(f'{name:<{width}}', dim=True)} {line}" for line in text.splitlines())

"""`GET /metrics`: the status page's figures, for Prometheus.

Any app server tells of the whole site, so one is scraped: with the site's token or as an
administrator. Names and labels are in docs/STATUS.md; conf/prometheus-rules.yml has alerts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import flask
import flask.typing
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from app.web.host_status import GOOD
from app.web.status import ServiceStatus, Snapshot

SERVICE = ("host", "service", "type")
GAUGES = (
    ("resident_size", "resident_bytes", "Memory that its processes hold, in bytes"),
    ("virtual_size", "virtual_bytes", "Memory that its processes have reserved, in bytes"),
    ("hub_lag", "hub_lag_seconds", "How late its greenlets have lately run, at worst"),
    ("sessions", "sessions", "Sage sessions at this server"),
    ("sessions_free", "sessions_free", "Sage sessions that may begin at this server"),
    ("browsers", "browsers", "Pages connected with this app server"),
)  # figure, name after salvus_service_, meaning
COUNTERS = (
    ("cputime", "cpu_seconds", "Processor time of its processes"),
    ("restarts", "restarts", "How often it has begun anew, as long as that is kept"),
)


def register(app: flask.Flask, *, snapshot: Callable[[], Snapshot]) -> None:
    @app.get("/metrics")
    def metrics() -> flask.typing.ResponseReturnValue:
        registry = CollectorRegistry()
        registry.register(Figures(snapshot()))
        encode, content_type = choose_encoder(flask.request.headers.get("Accept", ""))
        return flask.Response(encode(registry), content_type=content_type)


class Figures(Collector):
    """Of one snapshot."""

    def __init__(self, now: Snapshot) -> None:
        self._now = now

    def collect(self) -> Iterator[Metric]:
        yield from self._of_site()
        yield from self._of_hosts()
        services = self._now.get("services", [])
        yield _up(services)
        for figure, name, meaning in GAUGES:
            gauge = GaugeMetricFamily(f"salvus_service_{name}", meaning, labels=SERVICE)
            yield _filled(gauge, services, figure)
        for figure, name, meaning in COUNTERS:
            counter = CounterMetricFamily(f"salvus_service_{name}", meaning, labels=SERVICE)
            yield _filled(counter, services, figure)

    def _of_site(self) -> Iterator[Metric]:
        now = self._now
        versions = GaugeMetricFamily("salvus_version", "Always 1", labels=["program", "version"])
        for program, version in now.get("versions", {}).items():
            versions.add_metric([program, version], 1)
        yield versions
        yield GaugeMetricFamily(
            "salvus_database_up", "Whether the database answers", int("sessions" in now)
        )
        yield GaugeMetricFamily(
            "salvus_notices", "Things the status page points out", len(now.get("notices", []))
        )
        yield GaugeMetricFamily(
            "salvus_mining_suspects", "Those who compute without pause", len(now.get("mining", []))
        )
        protections = GaugeMetricFamily(
            "salvus_protection", "Whether sessions have this protection", labels=["name"]
        )
        for name, state in now.get("protection", {}).items():
            protections.add_metric([name], int(state.startswith("on")))
        yield protections

    def _of_hosts(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("salvus_host_up", "Whether its supervisor answers", labels=["host"])
        load = GaugeMetricFamily("salvus_host_load", "Its load over a minute", labels=["host"])
        cores = GaugeMetricFamily("salvus_host_cores", "Its processor's cores", labels=["host"])
        for host in self._now.get("hosts", []):
            up.add_metric([host["name"]], int(host["state"] == "up"))
            for gauge, value in ((load, host.get("load")), (cores, host.get("cores"))):
                if value is not None:
                    gauge.add_metric([host["name"]], value)
        yield from (up, load, cores)


def _up(services: list[ServiceStatus]) -> Metric:
    """Of those that shall be."""
    up = GaugeMetricFamily(
        "salvus_service_up", "Whether a service that should be up is", labels=SERVICE
    )
    for one in services:
        if one.get("wanted", True):
            up.add_metric(_labels(one), int(one["state"] in GOOD))
    return up


def _filled(
    family: GaugeMetricFamily | CounterMetricFamily, services: list[ServiceStatus], figure: str
) -> Metric:
    for one in services:
        value = one.get(figure)
        if isinstance(value, int | float):
            family.add_metric(_labels(one), value)
    return family


def _labels(one: ServiceStatus) -> list[str]:
    return [one.get("host", ""), one["name"], one.get("type", "")]

"""The status page, for browsers and for programs."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import flask
import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from app.quantities import duration, size
from app.settings import ROOT
from app.web import languages, metrics, static_files, status, terms
from app.web.host_status import hosts_of, services_of
from app.wire.messages_pb2 import HostReport
from app.words import Words

RULES = ROOT / "conf" / "prometheus-rules.yml"
SNAPSHOT: status.Snapshot = {
    "site": "test",
    "node": "127.0.0.1:8000",
    "time": "2030-01-02T03:04:05+00:00",
    "roles": ["app", "sage"],
    "hub_lag": 0.0123,
    "services": [
        {
            "name": "<b>app</b>",
            "state": "up",
            "reason": "in 0.4 s",
            "address": "127.0.0.1",
            "port": 8000,
            "pid": 4711,
            "seconds": 93784.0,
            "percent_cpu": 12.3,
            "resident_size": 123_456_789,
        },
        {"name": "memcached", "state": "gave up", "reason": "died 6 times in a row"},
    ],
    "sessions": [],
    "protection": {"network": "refused"},
    "versions": {"salvus": "0.1.0"},
    "notices": ["nothing is cached"],
}


NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
MEASURED: dict[str, Any] = {
    "host": "alpha", "name": "sage-1", "type": "sage", "pid": 4711, "address": "10.0.0.1",
    "port": 8100, "started": "2030-01-02T03:03:05+00:00", "load": 1.5, "cores": 4,
    "percent_cpu": 12.5, "percent_mem": 1.0, "cputime": 60.0, "resident_size": 10**8,
    "virtual_size": 10**9, "sessions": 3, "sessions_free": 7, "browsers": None, "hub_lag": 0.002,
}  # fmt: skip
REPORT = HostReport(
    host="alpha",
    seconds=99,
    notices=["no cache"],
    services=[
        HostReport.Service(name="sage-1", type="sage", state="up", wanted=True, pid=4711),
        HostReport.Service(
            name="memcached",
            type="memcached",
            state="gave up",
            reason="why",
            wanted=True,
            seconds=5,
        ),
        HostReport.Service(name="nginx", type="nginx", state="stopped", seconds=1e9),
    ],
)


def client(snapshot: status.Snapshot) -> FlaskClient:
    folder = str(ROOT / "app" / "templates")
    app = flask.Flask("test", static_folder=None, template_folder=folder)
    app.jinja_env.globals.update(
        site_title="Salvus", may=lambda endpoint: True, has_classes=lambda: False
    )
    languages.register(app, words=Words())
    terms.register(app)
    static_files.register(app)
    metrics.register(app, snapshot=lambda: snapshot)
    status.register(app, snapshot=lambda: snapshot, course=lambda hours: {})
    return app.test_client()


def test_programs_get_the_snapshot() -> None:
    response = client(SNAPSHOT).get("/status", headers={"Accept": "application/json"})
    assert response.json == SNAPSHOT


def test_people_get_a_page() -> None:
    response = client(SNAPSHOT).get("/status", headers={"Accept": "text/html,*/*;q=0.8"})
    assert response.mimetype == "text/html"
    for text in (
        "123 MB",
        "1 d 2 h",
        "12 ms",
        "4711",
        "1 of 2",
        "died 6 times",
        "nothing is cached",
    ):
        assert text in response.text
    assert "<b>app" not in response.text


def test_a_snapshot_may_lack_anything() -> None:
    assert client({}).get("/status").status_code == 200


def names(services: list[status.ServiceStatus]) -> list[tuple[str, str, str, float | None]]:
    return [(one["host"], one["name"], one["state"], one.get("percent_cpu")) for one in services]


@pytest.mark.parametrize(
    ("reports", "silent", "measured", "found"),
    [
        ([], {}, [], []),
        (
            [REPORT],
            {},
            [MEASURED],
            [
                ("alpha", "sage-1", "up", 12.5),
                ("alpha", "memcached", "gave up", None),
                ("alpha", "nginx", "stopped", None),
            ],
        ),
        (  # one of before, and one that has no supervisor
            [REPORT],
            {},
            [{**MEASURED, "pid": 1}, {**MEASURED, "pid": 2, "name": "supervisor"}],
            [
                ("alpha", "sage-1", "up", None),
                ("alpha", "memcached", "gave up", None),
                ("alpha", "nginx", "stopped", None),
                ("alpha", "supervisor", "up", 12.5),
            ],
        ),
        ([], {"alpha": "no answer"}, [MEASURED], [("alpha", "sage-1", "unknown", 12.5)]),
        ([], {}, [MEASURED], [("alpha", "sage-1", "up", 12.5)]),
    ],
)
def test_what_is_said_and_what_is_measured_are_joined(
    reports: list[HostReport],
    silent: dict[str, str],
    measured: list[dict[str, Any]],
    found: list[tuple[str, str, str, float | None]],
) -> None:
    assert names(services_of(reports, silent, measured, NOW)) == found


def test_hosts_are_those_that_anybody_knows() -> None:
    found = hosts_of([REPORT], {"beta": "no answer"}, [MEASURED, {**MEASURED, "host": "gamma"}])
    assert [(one["name"], one["state"], one.get("load")) for one in found] == [
        ("alpha", "up", 1.5),
        ("beta", "unknown", None),
        ("gamma", "up", 1.5),
    ]
    assert found[0]["notices"] == ["no cache"]
    assert found[1]["reason"] == "no answer"


def test_prometheus_understands_the_metrics() -> None:
    services = services_of([REPORT], {}, [MEASURED], NOW)
    services[0]["restarts"] = 2
    now: status.Snapshot = {
        **SNAPSHOT,
        "services": services,
        "hosts": hosts_of([REPORT], {"beta": "no answer"}, [MEASURED]),
        "protection": {"network": "on", "namespaces": "refused"},
    }
    answer = client(now).get("/metrics")
    assert answer.mimetype == "text/plain"
    values = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    service = ("alpha", "sage-1", "sage")
    assert values["salvus_service_up", *service] == 1
    assert values["salvus_service_up", "alpha", "memcached", "memcached"] == 0
    assert ("salvus_service_up", "alpha", "nginx", "nginx") not in values  # nobody wants it
    assert values["salvus_service_restarts_total", *service] == 2
    assert values["salvus_service_cpu_seconds_total", *service] == 60
    assert values["salvus_service_sessions_free", *service] == 7
    assert values["salvus_host_up", "beta"] == 0
    assert values["salvus_host_cores", "alpha"] == 4
    assert values["salvus_protection", "namespaces"] == 0
    assert values["salvus_database_up",] == 1
    assert set(re.findall(r"salvus_\w+", RULES.read_text())) <= {name for name, *_ in values}


def test_every_metric_is_described() -> None:
    text = client({}).get("/metrics").text
    described = (ROOT / "docs" / "STATUS.md").read_text(encoding="utf-8")
    for family in text_string_to_metric_families(text):
        name = family.name + ("_total" if family.type == "counter" else "")
        assert f"`{name}`" in described


@pytest.mark.parametrize("hours", ["0", "-1", "nan", "99999"])
def test_nonsense_is_no_time_to_plot(hours: str) -> None:
    assert client({}).get(f"/status/course?hours={hours}").status_code == 400


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (None, "–"),
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1234, "1.2 KB"),
        (99_960, "100 KB"),
        (999_600, "1.0 MB"),
        (5e15, "5000.0 TB"),
    ],
)
def test_sizes_in_words(count: float | None, words: str) -> None:
    assert size(count) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "–"), (0.4, "0 s"), (59, "59 s"), (3600, "1 h 0 min"), (93784, "1 d 2 h")],
)
def test_durations_in_words(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words

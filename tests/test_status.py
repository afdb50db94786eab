"""The status page, for browsers and for programs."""

from __future__ import annotations

import flask
import pytest
from flask.testing import FlaskClient

from app.quantities import duration, size
from app.settings import ROOT
from app.web import static_files, status

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


def client(snapshot: status.Snapshot) -> FlaskClient:
    folder = str(ROOT / "app" / "templates")
    app = flask.Flask("test", static_folder=None, template_folder=folder)
    app.jinja_env.globals.update(site_title="Salvus", may=lambda endpoint: True)
    static_files.register(app)
    status.register(app, snapshot=lambda: snapshot)
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


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (None, "–"),
        (0, "0 bytes"),
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

"""What an operator is told of processes: now, and over their life."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import click
import pytest
from click.testing import CliRunner

from app.cache import Cache
from app.db import Database
from app.settings import Settings
from monitor.commands import commands, process_table
from monitor.monitor import Monitor
from monitor.samples import Watched
from monitor.terminal_plot import terminal_plot
from monitor.vitals import Vitals
from tests.running_site import RunningSite

NO_CACHE = Cache(servers=(), timeout=1)
NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
PROCESS: dict[str, Any] = {
    "host": "alpha", "name": "sage-1", "pid": 4711, "username": "root", "address": "10.0.0.1",
    "port": 8100, "started": "2030-01-02T01:04:05+00:00", "percent_cpu": 12.34,
    "resident_size": 123_456_789, "sessions": 3, "sessions_free": 7, "browsers": None,
    "hub_lag": 0.002,
}  # fmt: skip


def run(settings: Settings, database: Database, *words: str) -> tuple[int, str]:
    group = click.Group(
        commands={
            str(one.name): one
            for one in commands(lambda: settings, lambda settings: (database, NO_CACHE))
        }
    )
    result = CliRunner().invoke(group, words)
    return result.exit_code, result.output


def test_processes_are_listed_with_their_figures() -> None:
    bare = {**PROCESS, "percent_cpu": None, "resident_size": None, "sessions": None}
    _, line, other = process_table([PROCESS, {**bare, "hub_lag": None, "name": "new"}], NOW)
    assert " ".join(line.split()) == (
        "alpha sage-1 4711 root 10.0.0.1:8100 2 h 0 min 12.3 % 123 MB 3/10 0.002 s"
    )
    assert " ".join(other.split()) == "alpha new 4711 root 10.0.0.1:8100 2 h 0 min"


def test_a_plot_has_its_scales() -> None:
    begin = datetime(2030, 1, 2, tzinfo=UTC)
    lines = terminal_plot("pages", [(begin, 0), (NOW, 40)], begin, NOW, 60)
    assert "pages" in lines[0]
    assert "40" in lines[2]
    assert lines[-1].split() == ["01-02", "00:00", "01-02", "03:04"]
    assert not re.search("\x1b", "".join(lines))


def test_a_service_has_a_history(database: Database, host_settings: Settings) -> None:
    for pid, host in ((os.getpid(), "alpha"), (os.getppid(), "beta")):
        monitor = Monitor(
            database=database,
            cache=NO_CACHE,
            settings=replace(host_settings, site=replace(host_settings.site, host=host)),
            services=lambda pid=pid: [Watched("app", "app-1", pid)],  # type: ignore[misc]
            vitals=lambda at: Vitals(browsers=17),
        )
        monitor.step()
    code, text = run(host_settings, database, "history", "app-1")
    assert code == 0
    assert "app-1 on alpha" in text
    assert "app-1 on beta" in text
    assert f"pid {os.getpid()}" in text
    assert text.count("open pages") == 2
    assert "17" in text
    code, text = run(host_settings, database, "history", "app", "--host", "beta", "--hours", "1")
    assert "alpha" not in text
    code, text = run(host_settings, database, "history", "sage")
    assert code == 1
    assert "known are: app-1" in text
    assert len(run(host_settings, database, "ps")[1].splitlines()) == 3


@pytest.mark.usefixtures("page")
def test_a_site_tells_of_sessions_and_pages(site: RunningSite) -> None:
    found: dict[str, Any] = {}
    while found.get("app-1", {}).get("browsers") is None or (
        found.get("sage-1", {}).get("sessions") is None
    ):
        found = {one["name"]: one for one in json.loads(site.run("ps", "--json"))}
    assert found["app-1"]["hub_lag"] is not None
    assert found["sage-1"]["sessions_free"] > 0
    assert found["supervisor"]["hub_lag"] is not None

"""The commands with which hosts are set up and looked at, without a site that runs."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.serialization import Encoding

from app.wire.messages_pb2 import HostReport
from supervisor import certs, commands, locations, unit
from supervisor.overview import Overview, complaints
from tests import host

Run = Callable[..., Result]


@pytest.fixture
def run(data_dir: Path) -> Run:
    """Runs a command with the settings in `data_dir`/salvus.toml."""
    (data_dir / "salvus.toml").touch()
    known = {command.name: command for command in commands.ALL}
    environment = {
        "SALVUS_CONFIG": str(data_dir / "salvus.toml"),
        "SALVUS_SITE_DATA_DIR": str(data_dir / "data"),
    }

    def act(name: str, *arguments: str, **keys: str) -> Result:
        variables = {f"SALVUS_{key.upper()}": value for key, value in keys.items()}
        return CliRunner().invoke(known[name], arguments, env=environment | variables)

    return act


def test_a_data_folder_is_made_once(run: Run, data_dir: Path) -> None:
    first = run("init")
    assert first.exit_code == 0
    token = (data_dir / "data" / "token").read_text()
    assert (data_dir / "data" / "token").stat().st_mode & 0o077 == 0
    assert run("init").output == first.output
    assert (data_dir / "data" / "token").read_text() == token
    assert "valid until" in first.output


def test_certificates_are_shown_and_renewed(run: Run, data_dir: Path) -> None:
    run("init")
    file = data_dir / "data" / "certificates" / "host.pem"
    before = file.read_bytes()
    assert "localhost" in run("cert").output
    assert file.read_bytes() == before
    assert run("cert", "--renew").exit_code == 0
    assert file.read_bytes() != before
    file.write_text("damaged")
    assert "can't be read" in run("cert").output


def test_an_expired_certificate_is_called_so(data_dir: Path) -> None:
    ca = certs.make_ca(datetime.now(UTC))
    old = certs.make_host(ca, ["a.example.org"], datetime.now(UTC) - timedelta(days=400))
    folder = data_dir / "certificates"
    folder.mkdir()
    (folder / "host.pem").write_bytes(old.certificate.public_bytes(Encoding.PEM))
    (found,) = certs.overview(data_dir)
    assert found.is_bad
    assert found.state.startswith("expired ")


def test_a_good_configuration_is_called_so(run: Run) -> None:
    for program in ("haproxy", "nginx"):
        host.needs(program)
    done = run("check", haproxy_host="127.0.0.1")
    assert done.exit_code == 0, done.output
    assert "runs: postgresql" in done.output


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"database_binaries": "/nowhere"}, "has no postgres and initdb"),
        ({"haproxy_host": "127.0.0.1", "tls_certificate": "/nowhere.pem",
          "tls_certificate_key": "/nowhere.key"}, "/nowhere.pem: No such file"),
        ({"haproxy_host": "127.0.0.1", "haproxy_binary": "/bin/false"}, "exit code 1"),
        ({"site_language": "tlh"}, "expected tlh.po in "),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_before_it_is_used(
    run: Run, data_dir: Path, keys: dict[str, str], words: str
) -> None:
    done = run("check", **keys)
    assert done.exit_code == 1
    assert words in done.output
    assert not (data_dir / "data" / "conf" / "haproxy.cfg").exists()


def test_logs_are_there_without_a_supervisor(run: Run, data_dir: Path) -> None:
    settings = host.settings_in(data_dir, site_data_dir=str(data_dir / "data"))
    locations.make_all(settings)
    locations.log_file(settings, "app-1").write_text("one\ntwo\n")
    locations.log_file(settings, "app-2").write_text("three\n")
    assert run("logs", "-n", "1", "app-1").output == "two\n"
    assert run("logs", "app").output == "app-1        one\napp-1        two\napp-2        three\n"
    assert "there are: app-1, app-2" in run("logs", "nope").output


@pytest.mark.parametrize("name", ["status", "pids", "start", "stop", "restart", "reload"])
def test_without_a_supervisor_commands_say_so(run: Run, name: str) -> None:
    done = run(name)
    assert done.exit_code == 1
    assert "no `supervise` runs with" in f"{done.output} {done.exception}"


def test_the_unit_is_one_that_systemd_takes(run: Run, data_dir: Path) -> None:
    done = run("install-unit", "--print")
    file = data_dir / unit.NAME
    file.write_text(done.output)
    assert f"SALVUS_CONFIG={data_dir}/salvus.toml" in done.output
    verify = shutil.which("systemd-analyze")
    if verify is None:
        host.missing("systemd-analyze")
    asked = subprocess.run([str(verify), "verify", str(file)], capture_output=True, text=True)
    about_us = [line for line in asked.stderr.splitlines() if unit.NAME in line]
    assert about_us == []


def test_the_unit_can_be_enabled(run: Run, data_dir: Path) -> None:
    systemctl = host.needs("systemctl")
    folder = data_dir / "etc" / "systemd" / "system"
    folder.mkdir(parents=True)
    (folder / unit.NAME).write_text(run("install-unit", "--print").output)
    subprocess.run([systemctl, f"--root={data_dir}", "enable", "--quiet", unit.NAME], check=True)
    assert [path.name for path in folder.glob("*.target.wants/*")] == [unit.NAME]


def test_the_unit_is_installed_once(
    run: Run, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unit, "SYSTEM", data_dir / "system")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(data_dir))
    assert f"{unit.NAME} is written" in run("install-unit").output
    assert f"{unit.NAME} is as it should be" in run("install-unit").output


# How it looks


def service(name: str, state: str, **keys: Any) -> HostReport.Service:
    usual: dict[str, Any] = {"name": name, "state": state, "wanted": True, "seconds": 70}
    return HostReport.Service(**(usual | keys))


@pytest.mark.parametrize(
    ("services", "silent", "well"),
    [
        ([service("a", "up"), service("b", "draining")], {}, True),
        ([service("a", "up"), service("b", "stopped", wanted=False)], {}, True),
        ([service("a", "starting")], {}, False),
        ([service("a", "gave up")], {}, False),
        ([service("a", "hung")], {}, False),
        ([service("a", "up")], {"beta": "it is off"}, False),
    ],
)
def test_what_is_well(
    services: list[HostReport.Service], silent: dict[str, str], well: bool
) -> None:
    overview = Overview([HostReport(host="alpha", services=services)], silent)
    assert overview.is_well == well
    assert overview.as_json()["well"] == well


def test_an_overview_is_a_table() -> None:
    report = HostReport(
        host="alpha",
        pid=1,
        seconds=100,
        services=[
            service("app-1", "up", pid=7, address="127.0.0.1", port=8000, reason="in 1 s"),
            service("sage-1", "gave up", reason="died 6 times in a row: exited with code 1"),
        ],
        notices=["nothing is cached"],
    )
    site = {
        "services": [{"pid": 7, "percent_cpu": 1.25, "resident_size": 5_000_000}],
        "sessions": [{}, {}],
        "browsers": 3,
        "node": "127.0.0.1:8000",
        "hub_lag": 0.002,
        "notices": ["nothing is cached", "no stream"],
    }
    lines = Overview([report], {"beta": "it is off"}, site).lines()
    assert [click.unstyle(line) for line in lines] == [
        "alpha  supervised for 1 min 40 s, pid 1",
        "  SERVICE     STATE        FOR                PID     CPU    MEMORY  ",
        "  app-1       up           1 min 10 s           7   1.2 %    5.0 MB  127.0.0.1:8000",
        "  sage-1      gave up      1 min 10 s                                "
        "died 6 times in a row: exited with code 1",
        "  nothing is cached",
        "",
        "beta: it is off",
        "",
        "2 sessions, 3 browsers at 127.0.0.1:8000, hub lag 2 ms",
        "no stream",
    ]
    assert click.style("gave up", fg="red")[:5] in lines[3]
    assert complaints(report) == [
        "sage-1: gave up (died 6 times in a row: exited with code 1)", "nothing is cached"
    ]  # fmt: skip

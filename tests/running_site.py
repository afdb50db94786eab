"""A whole site in processes of its own, as an operator starts it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import gevent
import psutil

from app import accounts, settings
from app.db import Database
from app.settings import ROOT
from supervisor.postgresql import database_url
from tests import host

ADDRESS = re.compile(r"https?://\S+/\?token=\S+")
START_SECONDS = 180.0
STOP_SECONDS = 30.0


class RunningSite:
    def __init__(self, data_dir: Path, command: tuple[str, ...], **keys: str) -> None:
        """`keys`: settings as in the environment, `sage_spares="1"`."""
        self.data_dir = data_dir
        self.port = host.free_ports(int(keys.get("app_count", "1")))
        variables = {
            "site_data_dir": str(data_dir),
            "app_port": str(self.port),
            "sage_port": str(host.free_ports(int(keys.get("sage_count", "1")))),
            "sage_warm_up": "false",
            "haproxy_redirect_port": str(host.free_port()),
            **keys,
        }
        self.environment = os.environ | {
            f"SALVUS_{name.upper()}": value for name, value in variables.items()
        }
        self._command = command
        self._process: subprocess.Popen[str] | None = None
        self.address = ""

    def start(self) -> None:
        """Start it and wait until it prints its address."""
        self._process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said: list[str] = []
        with suppress(gevent.Timeout), gevent.Timeout(START_SECONDS):
            self.address = self._first_address(said)
        if not self.address:
            self.kill()
            raise AssertionError("the site did not come up:\n" + "".join(said) + self.logs())

    def _first_address(self, said: list[str]) -> str:
        """What it prints, as soon as it does; empty if it ends before. All goes into `said`."""
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said.append(line)
            if found := ADDRESS.search(line):
                return found[0]
        return ""

    def stop(self) -> int:
        """Stop it as an operator does; its exit code."""
        assert self._process is not None
        self._process.terminate()
        code = self._process.wait(STOP_SECONDS)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code

    def close_output(self) -> None:
        """Read no more of what it says."""
        assert self._process is not None
        assert self._process.stdout is not None
        self._process.stdout.close()

    def kill(self) -> None:
        """SIGKILL its first process."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(STOP_SECONDS)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def new_address(self) -> str:
        """As `python salvus.py address` prints it."""
        return self.run("address").strip()

    def new_person(self, name: str, role: str = "member") -> str:
        """An address that signs a new person in."""
        read = settings.read(environment=self.environment)
        database = Database(
            url=database_url(read), connections=1, wait_seconds=10, statement_seconds=30
        )
        with database.transaction() as cursor:
            token = accounts.invite(cursor, accounts.create(cursor, name=name, role=role), 1)
        database.close()
        return f"http://127.0.0.1:{self.port}/?token={token}"

    def run(self, *arguments: str) -> str:
        """What `python salvus.py ARGUMENTS` prints."""
        return subprocess.run(
            [sys.executable, "salvus.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def processes(self, word: str = "") -> list[psutil.Process]:
        """Its processes that have `word` in their command line, parents first."""
        assert self._process is not None
        found = []
        for process in psutil.Process(self._process.pid).children(recursive=True):
            try:
                if word in " ".join(process.cmdline()):
                    found.append(process)
            except psutil.NoSuchProcess:
                continue
        return found

    def logs(self) -> str:
        return "".join(
            f"--- {path.name}\n{path.read_text()[-20000:]}\n"
            for path in sorted((self.data_dir / "logs").glob("*.log"))
        )


def supervised(data_dir: Path, **keys: str) -> RunningSite:
    return RunningSite(data_dir, (sys.executable, "salvus.py", "supervise"), **keys)


def small_form(data_dir: Path, **keys: str) -> RunningSite:
    command = (sys.executable, "-m", "gunicorn", "salvus:app")
    return RunningSite(data_dir, command, **keys)


@contextmanager
def sage_server(site: RunningSite) -> Iterator[str]:
    """Another sage server of `site`, as on another host; its address (host:port)."""
    with host.short_folder() as folder:
        for name in ("token", "certificates"):
            copy(site.data_dir / name, folder / name)
        port = str(host.free_port())
        database = database_url(settings.read(environment=site.environment))
        environment = site.environment | {
            "SALVUS_SITE_DATA_DIR": str(folder),
            "SALVUS_SAGE_PORT": port,
            "SALVUS_DATABASE_URL": database,
        }
        with open(folder / "log", "wb") as log:
            process = subprocess.Popen(
                [sys.executable, "salvus.py", "sage"],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=log,
            )
        try:
            _wait_listening(process, int(port), folder / "log")
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)


def copy(source: Path, target: Path) -> None:
    """A file or a folder, with its permissions."""
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy2(source, target)


def _wait_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    with gevent.Timeout(START_SECONDS):
        while process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            gevent.sleep(0.05)
    raise AssertionError(log.read_text())


def kill_all(processes: list[psutil.Process]) -> None:
    """SIGKILL, the parents first, and wait until they are gone."""
    for process in processes:
        try:
            process.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(processes, timeout=STOP_SECONDS)

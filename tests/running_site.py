"""A whole site in processes of its own, as an operator starts it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from app.settings import ROOT
from tests import host

ADDRESS = re.compile(r"https?://\S+/\?token=\S+")
START_SECONDS = 180.0
STOP_SECONDS = 30.0


class RunningSite:
    def __init__(self, data_dir: Path, command: tuple[str, ...], **keys: str) -> None:
        """`keys`: settings as in the environment, `sage_spares="1"`."""
        self.data_dir = data_dir
        self.port = host.free_port()
        variables = {
            "site_data_dir": str(data_dir),
            "app_port": str(self.port),
            "sage_port": str(host.free_port()),
            "sage_warm_up": "false",
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
        said = []
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said.append(line)
            if found := ADDRESS.search(line):
                self.address = found[0]
                return
        raise AssertionError("the site did not come up:\n" + "".join(said) + self.logs())

    def stop(self) -> int:
        """Stop it as an operator does; its exit code."""
        assert self._process is not None
        self._process.terminate()
        code = self._process.wait(STOP_SECONDS)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code

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


def kill_all(processes: list[psutil.Process]) -> None:
    """SIGKILL, the parents first, and wait until they are gone."""
    for process in processes:
        try:
            process.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(processes, timeout=STOP_SECONDS)

"""Jupyter Server with the Sage kernel, asked through its public API."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
import requests
import websocket

from app.settings import ROOT
from tests.host import free_port

ENVIRONMENT = ROOT / ".venv-bench"
SAGE = ROOT / ".venv-sage"
PATIENCE = 120.0  # seconds


def install() -> None:
    """Make `.venv-bench`: Jupyter in front, Sage's packages behind; Sage's own stays as it is."""
    requirements = ROOT / "requirements-bench.txt"
    stamp = ENVIRONMENT / ".installed"
    if stamp.exists() and stamp.read_text() == requirements.read_text():
        return
    subprocess.run([SAGE / "bin" / "python", "-m", "venv", ENVIRONMENT], check=True)
    python = ENVIRONMENT / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "-r", requirements], check=True)
    (packages,) = ENVIRONMENT.glob("lib/python*/site-packages")
    (behind,) = SAGE.glob("lib/python*/site-packages")
    (packages / "sage.pth").write_text(f"{behind}\n")
    stamp.write_text(requirements.read_text())


class Jupyter:
    """A server of the bench's own, in `folder`."""

    name = "Jupyter"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._token = secrets.token_hex(16)
        self._headers = {"Authorization": f"token {self._token}"}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Jupyter:
        python = ENVIRONMENT / "bin" / "python"
        spec = self._folder / "kernels" / "sage"
        spec.mkdir(parents=True)
        command = [str(python), "-m", "sage.repl.ipython_kernel", "-f", "{connection_file}"]
        (spec / "kernel.json").write_text(
            json.dumps({"argv": command, "display_name": "Sage", "language": "sage"})
        )
        self._process = subprocess.Popen(
            [
                python,
                "-m",
                "jupyter_server",
                "--no-browser",
                "--allow-root",
                f"--ServerApp.port={self._port}",
                f"--ServerApp.root_dir={self._folder}",
                f"--IdentityProvider.token={self._token}",
            ],
            env=os.environ | {"JUPYTER_PATH": str(self._folder), "HOME": str(self._folder)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self._ask("GET", "/api/status")
                return self
            except requests.RequestException:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process is not None
        below = psutil.Process(self._process.pid).children(recursive=True)
        self._process.terminate()
        self._process.wait(30)
        for process in psutil.wait_procs(below, timeout=10)[1]:
            process.kill()

    def open(self) -> Kernel:
        kernel = self._ask("POST", "/api/kernels", json={"name": "sage"}).json()["id"]

        def connect() -> websocket.WebSocket:
            return websocket.create_connection(
                f"ws://127.0.0.1:{self._port}/api/kernels/{kernel}/channels",
                header=[f"Authorization: token {self._token}"],
                timeout=PATIENCE,
            )

        def ask(method: str, path: str) -> requests.Response:
            return self._ask(method, f"/api/kernels/{kernel}{path}")

        return Kernel(connect, ask)

    def _ask(self, method: str, path: str, **keys: Any) -> requests.Response:
        response = requests.request(
            method,
            f"http://127.0.0.1:{self._port}{path}",
            headers=self._headers,
            timeout=PATIENCE,
            **keys,
        )
        response.raise_for_status()
        return response


class Kernel:
    """One session."""

    def __init__(self, connect: Callable[[], websocket.WebSocket], ask: Any) -> None:
        self._connect = connect
        self._socket = connect()
        self._ask = ask
        self._session = uuid.uuid4().hex

    def type(self, code: str) -> None:
        """The server does not know what is typed."""

    def start(self, code: str) -> str:
        order = uuid.uuid4().hex
        header = {
            "msg_id": order,
            "msg_type": "execute_request",
            "session": self._session,
            "username": "",
            "version": "5.3",
        }
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        self._socket.send(
            json.dumps(
                {
                    "header": header,
                    "parent_header": {},
                    "metadata": {},
                    "content": content,
                    "channel": "shell",
                    "buffers": [],
                }
            )
        )
        return order

    def finish(self, order: str) -> str:
        """Wait until it is idle again; everything that was printed."""
        return "".join(self._printed(order))

    def read_lines(self, order: str, count: int) -> str:
        """What was printed once there are so many lines of it."""
        printed = ""
        for text in self._printed(order):
            printed += text
            if printed.count("\n") >= count:
                break
        return printed

    def reopen(self) -> Kernel:
        """The page, loaded again."""
        return Kernel(self._connect, self._ask)

    def _printed(self, order: str) -> Iterator[str]:
        """What is printed until it is idle again."""
        while True:
            message = json.loads(self._socket.recv())
            if message["parent_header"].get("msg_id") != order:
                continue
            if message["msg_type"] == "stream":
                yield message["content"]["text"]
            elif message["content"].get("execution_state") == "idle":
                return

    def run(self, code: str) -> str:
        return self.finish(self.start(code))

    def interrupt(self) -> None:
        self._ask("POST", "/interrupt")

    def close(self) -> None:
        self._socket.close()

    def end(self) -> None:
        self._socket.close()
        self._ask("DELETE", "")

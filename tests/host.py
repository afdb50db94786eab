"""What tests ask of the host they run on: programs, ports, folders, settings."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from app import settings
from app.settings import ROOT, Settings


def missing(what: str) -> None:
    """Skip at a desk, fail in CI: there, everything that is tested must be there."""
    if os.environ.get("CI", "").lower() in ("", "0", "false"):
        pytest.skip(f"{what} is missing")
    pytest.fail(f"{what} is missing, and CI={os.environ['CI']} demands it")


def needs(program: str) -> str:
    """The path of `program`, or `missing`."""
    path = shutil.which(program)
    if path is None:
        missing(program)
    return str(path)


def needs_sage() -> None:
    """The Python that has Sage is beside the program, or `missing`."""
    if not (ROOT / ".venv-sage" / "bin" / "python").exists():
        missing("Sage (.venv-sage)")


def free_port() -> int:
    """A TCP port of the loopback interface that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def free_ports(count: int) -> int:
    """The first of `count` ports in a row."""
    while True:
        first = free_port()
        with ExitStack() as taken:
            try:
                for port in range(first, first + count):
                    probe = taken.enter_context(socket.socket())
                    probe.bind(("127.0.0.1", port))
            except (OSError, OverflowError):
                continue
        return first


@contextmanager
def silent_server() -> Iterator[int]:
    """The port of a server that takes connections and says nothing."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


@contextmanager
def short_folder() -> Iterator[Path]:
    """A fresh folder: short enough for sockets, and services of other users may pass."""
    folder = Path(tempfile.mkdtemp(prefix="salvus-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def settings_in(data_dir: Path, **keys: str) -> Settings:
    """Settings for a fresh host; `keys` as in the environment: `app_port="1234"`."""
    file = data_dir / "salvus.toml"
    file.touch()
    variables = {f"SALVUS_{name.upper()}": value for name, value in keys.items()}
    variables.setdefault("SALVUS_SITE_DATA_DIR", str(data_dir))
    return settings.read(file, variables)

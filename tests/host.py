"""What tests ask of the host they run on: programs, ports, folders, settings."""

from __future__ import annotations

import os
import random
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app import settings
from app.settings import ROOT, Settings

SERVERS_PORTS = (20_000, 32_000)  # Linux takes those of outgoing connections from 32,768 on

_told: set[int] = set()  # ports, by `free_ports`


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
    """A TCP port of the loopback interface that nobody uses, and nobody was told of before."""
    return free_ports(1)


def free_ports(count: int) -> int:
    """The first of `count` such ports in a row.

    From those that the kernel gives to no outgoing connection, which would have them by the time
    somebody listens there.
    """
    while True:
        first = random.randrange(*SERVERS_PORTS)
        ports = range(first, first + count)
        if _told.isdisjoint(ports) and all(map(_is_free, ports)):
            _told.update(ports)
            return first


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


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

"""Hosts with a network of their own: namespaces that cables join to a switch, all of them ours."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from app.settings import ROOT
from tests import host

SWITCH = "switch"


class Network:
    """`names` of hosts, whose addresses are 192.0.2.1 and so on; and the desk, 192.0.2.100, from
    which a test looks at them."""

    def __init__(self, names: Sequence[str]) -> None:
        self.addresses = {name: f"192.0.2.{number}" for number, name in enumerate(names, 1)}

    def make(self) -> None:
        for name in (SWITCH, "desk", *self.addresses):
            if _run("ip", "netns", "add", _namespace(name)) != 0:
                host.missing("the right to make network namespaces")
        switch = _namespace(SWITCH)
        _ip("-n", switch, "link", "add", "bridge", "type", "bridge")
        _ip("-n", switch, "link", "set", "bridge", "up")
        for name, address in {**self.addresses, "desk": "192.0.2.100"}.items():
            there = _namespace(name)
            _ip("link", "add", "cable", "netns", there, "type", "veth",
                "peer", "name", name, "netns", switch)  # fmt: skip
            _ip("-n", switch, "link", "set", name, "master", "bridge", "up")
            _ip("-n", there, "address", "add", f"{address}/24", "dev", "cable")
            for device in ("lo", "cable"):
                _ip("-n", there, "link", "set", device, "up")

    def remove(self) -> None:
        for name in (SWITCH, "desk", *self.addresses):
            _run("ip", "netns", "delete", _namespace(name))

    def cut(self, name: str) -> None:
        """Pull a host's cable."""
        _ip("-n", _namespace(SWITCH), "link", "set", name, "down")

    def heal(self, name: str) -> None:
        _ip("-n", _namespace(SWITCH), "link", "set", name, "up")

    def command(self, name: str, *command: str) -> tuple[str, ...]:
        """Executes `command` on a host; its files and processes are ours."""
        return ("nsenter", f"--net=/run/netns/{_namespace(name)}", *command)

    @contextmanager
    def door(self, address: str) -> Iterator[int]:
        """A port of ours behind which is what the desk reaches at `address` (host:port)."""
        port = host.free_port()
        command = [sys.executable, "-m", "tests.door", str(port), _namespace("desk"), address]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        assert process.stdout
        try:
            assert process.stdout.readline() == b"open\n"
            yield port
        finally:
            process.kill()
            process.communicate()


@contextmanager
def network(*names: str) -> Iterator[Network]:
    for program in ("ip", "nsenter"):
        host.needs(program)
    made = Network(names)
    try:
        made.make()
        yield made
    finally:
        made.remove()


def _namespace(name: str) -> str:
    return f"salvus-{os.getpid()}-{name}"


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def _run(*command: str) -> int:
    return subprocess.run(command, capture_output=True).returncode

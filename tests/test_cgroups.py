"""Control groups: both versions of the kernel's interface, as far as this host has them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.sage import cgroups
from app.sage.cgroups import MOUNTS, NAMES, Cgroups, Group, Place

JOIN = (
    "import os, sys\n"
    "for door in sys.argv[2:]: os.write(int(door), b'0')\n"
    "os.execvp('sh', ['sh', '-c', sys.argv[1]])"
)
# 0.1 s of processor time
BURN = (
    f"exec {sys.executable} -c 'from time import process_time as now\n"
    "before = now()\nwhile now() - before < 0.1: pass'"
)


@pytest.fixture
def ours() -> Iterator[Cgroups]:
    found = cgroups.find(server=f"salvus-test-{os.getpid()}")
    if set(found.report.values()) != {"on"}:
        pytest.skip(f"this host lets us make no control groups: {found.report}")
    yield found
    found.close()


def run_inside(group: Group, command: str) -> int:
    """The exit code of a shell command in a group."""
    doors = group.doors()
    try:
        return subprocess.run(
            [sys.executable, "-c", JOIN, command, *map(str, doors)],
            pass_fds=doors,
            check=False,
        ).returncode
    finally:
        for door in doors:
            os.close(door)


def test_a_group_counts_and_goes(ours: Cgroups) -> None:
    group = ours.group("one")
    assert group is not None
    group.limit(memory=100_000_000, processes=20)
    assert run_inside(group, BURN) == 0
    assert (group.cpu_seconds() or 0) >= 0.1
    assert group.processes() == 0
    assert group.memory_kills() == 0
    assert group.remove()
    assert group.remove()  # again is as well


def test_what_takes_too_much_memory_is_killed_and_counted(ours: Cgroups) -> None:
    group = ours.group("two")
    assert group is not None
    group.limit(memory=30_000_000, processes=20)
    assert run_inside(group, f"exec {sys.executable} -c 'bytearray(10**8)'") != 0
    assert group.memory_kills() == 1
    assert (group.peak_memory() or 0) > 29_000_000
    assert group.remove()


def test_more_processes_than_allowed_can_not_be_made(ours: Cgroups) -> None:
    group = ours.group("three")
    assert group is not None
    group.limit(memory=100_000_000, processes=2)
    assert run_inside(group, "sleep 0.1 & sleep 0.1 & sleep 0.1 & wait") != 0
    while group.processes():
        time.sleep(0.01)  # the two that could be made
    assert group.remove()


def test_groups_of_killed_servers_are_removed(ours: Cgroups) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    left = cgroups.find(server=f"salvus-test-{ended.pid}")
    left.group("of a session")
    folders = [place.folder for place in left._places]
    assert all(folder.exists() for folder in folders)
    cgroups.find(server=f"salvus-test-{os.getpid()}").close()
    assert not any(folder.exists() for folder in folders)


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    found = cgroups.find(server="salvus-test-1", mounts=tmp_path)
    assert found.group("x") is None
    for name in NAMES.values():
        assert f"is not mounted in {tmp_path}" in found.report[name]


def test_the_second_version_counts_time_without_controllers() -> None:
    mount = next((each for each in (MOUNTS / "unified", MOUNTS) if _is_second(each)), None)
    if mount is None or not os.access(mount, os.W_OK) or os.geteuid() != 0:
        pytest.skip("no version 2 that we may use")
    found = cgroups.find(server=f"salvus-test-{os.getpid()}", mounts=mount)
    assert found.report[NAMES["cpu"]] == "on"
    group = found.group("one")
    assert group is not None
    assert run_inside(group, BURN) == 0
    assert (group.cpu_seconds() or 0) >= 0.1
    assert group.remove()
    found.close()


def _is_second(mount: Path) -> bool:
    return (mount / "cgroup.controllers").exists()


def test_the_second_version_s_files_are_understood(tmp_path: Path) -> None:
    """Written as Documentation/admin-guide/cgroup-v2.rst describes them."""
    group = Group([Place(tmp_path, ("memory", "pids", "cpu"), 2)], "one")
    folder = tmp_path / "one"
    (folder / "memory.swap.max").touch()
    group.limit(memory=1000, processes=7)
    written = {file.name: file.read_text() for file in folder.iterdir()}
    assert written == {
        "memory.max": "1000", "memory.swap.max": "0", "memory.oom.group": "1", "pids.max": "7",
    }  # fmt: skip
    for name, text in {
        "memory.stat": "anon 500\nfile 900\nshmem 30\n",
        "memory.peak": "999\n",
        "memory.events": "low 0\nhigh 0\nmax 3\noom 2\noom_kill 1\noom_group_kill 1\n",
        "pids.current": "4\n",
        "cpu.stat": "usage_usec 1500000\nuser_usec 1\nsystem_usec 1\n",
    }.items():
        (folder / name).write_text(text)
    assert group.memory() == 530
    assert group.peak_memory() == 999
    assert group.memory_kills() == 1
    assert group.processes() == 4
    assert group.cpu_seconds() == 1.5

"""Control groups: what the kernel itself counts, and holds, of all processes of a session.

Version 2 and version 1 of the kernel's interface, told apart by what is mounted; each
controller may be missing. A group is made by the sage server; the session's process joins
it by itself, through a descriptor, before it gives up its rights. Files and their meaning:
Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/ of the Linux kernel.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

MOUNTS = Path("/sys/fs/cgroup")
CONTROLLERS = ("memory", "pids", "cpu")  # that are wanted
NAMES = {"memory": "memory of a session", "pids": "processes of a session",
         "cpu": "processor time of a session"}  # fmt: skip
FIRST_VERSION_NAMES = {"cpu": "cpuacct"}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """A folder of the hierarchy that has one or more of the controllers."""

    folder: Path
    controllers: tuple[str, ...]
    version: int


class Group:
    """One session's: a folder in each hierarchy."""

    def __init__(self, places: Iterable[Place], name: str) -> None:
        """Makes the folders. Raises OSError."""
        self._places = [
            Place(place.folder / name, place.controllers, place.version) for place in places
        ]
        for place in self._places:
            place.folder.mkdir(exist_ok=True)

    def limit(self, *, memory: int, processes: int) -> None:
        """Hold the session to `memory` bytes, and to so many processes and threads."""
        for place in self._places:
            if "memory" in place.controllers:
                second = place.version == 2
                _write(place, "memory.max" if second else "memory.limit_in_bytes", memory)
                swap = "memory.swap.max" if second else "memory.memsw.limit_in_bytes"
                if (place.folder / swap).exists():
                    _write(place, swap, 0 if second else memory)
                if second:
                    _write(place, "memory.oom.group", 1)
            if "pids" in place.controllers:
                _write(place, "pids.max", processes)

    def doors(self) -> list[int]:
        """Descriptors through which a process of one thread joins, by writing "0"; to be closed.

        To move a thread, as version 1 can, takes the kernel microseconds; to move a process
        some ten milliseconds, in which no other moves.
        """
        names = {1: "tasks", 2: "cgroup.procs"}
        return [
            os.open(place.folder / names[place.version], os.O_WRONLY | os.O_CLOEXEC)
            for place in self._places
        ]

    def memory(self) -> int | None:
        """Bytes that its processes and its files in memory take; None if not counted."""
        place = self._place("memory")
        if place is None:
            return None
        found = _table(place.folder / "memory.stat")
        if place.version == 2:
            return found["anon"] + found["shmem"]
        return found["total_rss"] + found.get("total_shmem", 0)

    def peak_memory(self) -> int | None:
        """The most bytes it ever took, what the kernel cached for it included."""
        place = self._place("memory")
        if place is None:
            return None
        name = "memory.peak" if place.version == 2 else "memory.max_usage_in_bytes"
        return _number(place.folder / name)

    def memory_kills(self) -> int:
        """How often the kernel has killed a process of it for memory."""
        place = self._place("memory")
        if place is None:
            return 0
        name = "memory.events" if place.version == 2 else "memory.oom_control"
        return _table(place.folder / name).get("oom_kill", 0)

    def processes(self) -> int | None:
        """Processes and threads, now."""
        place = self._place("pids")
        return _number(place.folder / "pids.current") if place else None

    def cpu_seconds(self) -> float | None:
        """Processor time of all that ever was in it."""
        place = self._place("cpu")
        if place is None:
            return None
        if place.version == 2:
            return _table(place.folder / "cpu.stat")["usage_usec"] / 1e6
        found = _number(place.folder / "cpuacct.usage")
        return None if found is None else found / 1e9

    def remove(self) -> bool:
        """Delete it; whether that worked: not while a process is left."""
        left = []
        for place in self._places:
            try:
                place.folder.rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                left.append(place)
        self._places = left
        return not left

    def _place(self, controller: str) -> Place | None:
        return next((p for p in self._places if controller in p.controllers), None)


class Cgroups:
    """Those of one sage server."""

    def __init__(self, places: list[Place], report: dict[str, str]) -> None:
        self._places = places
        self.report = report  # limit: "on", or why not

    def group(self, name: str) -> Group | None:
        """A new group, if there are any here. Raises OSError."""
        return Group(self._places, name) if self._places else None

    def close(self) -> None:
        """Delete what is empty."""
        for place in self._places:
            _remove_tree(place.folder)


def find(*, server: str, wanted: str = "", mounts: Path = MOUNTS) -> Cgroups:
    """Make this server's folders wherever the host lets us.

    `server`: a name that other servers of the host do not have, with our process id behind
    the last "-"; `wanted`: the path below the mount to try first.
    """
    places: list[Place] = []
    report = {}
    for controller in CONTROLLERS:
        try:
            places.append(_place(controller, server, wanted, mounts))
            report[NAMES[controller]] = "on"
        except OSError as error:
            report[NAMES[controller]] = f"off, watched at intervals: no control group: {error}"
    return Cgroups(_merged(places), report)


def _place(controller: str, server: str, wanted: str, mounts: Path) -> Place:
    """Where this controller can be had. Raises OSError, which says why it can't."""
    first = mounts / FIRST_VERSION_NAMES.get(controller, controller)
    version = 1 if first.is_dir() else 2
    mount = first if version == 1 else mounts
    if version == 2 and not (mount / "cgroup.controllers").exists():
        raise OSError(f"{controller} is not mounted in {mounts}")
    own = _own_path(FIRST_VERSION_NAMES.get(controller, controller) if version == 1 else "")
    reasons = []
    # Below our own group an outer limit goes on holding; in the root there is always room.
    for below in dict.fromkeys(path.strip("/") for path in (wanted or own, own, "")):
        base = mount / below
        try:
            return _claim(base, controller, server, version)
        except OSError as error:
            reasons.append(f"{base}: {error.strerror or error}")
    raise OSError("; ".join(reasons))


def _claim(base: Path, controller: str, server: str, version: int) -> Place:
    folder = base / server
    _remove_dead(base, server.rpartition("-")[0])
    made = not folder.exists()
    folder.mkdir(exist_ok=True)
    try:
        if version == 2 and controller != "cpu":  # whose time is counted without it
            _enable(base, controller)
            _enable(folder, controller)
        _try(folder, controller, version)
    except OSError:
        if made:
            _remove_tree(folder)
        raise
    return Place(folder, (controller,), version)


def _enable(folder: Path, controller: str) -> None:
    """Let folders below this one have the controller, as version 2 wants it."""
    switch = folder / "cgroup.subtree_control"
    if controller not in switch.read_text(encoding="ascii").split():
        switch.write_text(f"+{controller}", encoding="ascii")


def _try(folder: Path, controller: str, version: int) -> None:
    """Whether a group made there has what we need. Raises OSError."""
    group = Group([Place(folder, (controller,), version)], "trial")
    try:
        group.limit(memory=1 << 30, processes=100)
        for door in group.doors():
            os.close(door)
        group.memory(), group.processes(), group.cpu_seconds()
    except KeyError as error:
        raise OSError(f"the kernel does not say {error}") from None
    finally:
        group.remove()


def _own_path(name: str) -> str:
    """The path of our own group in the hierarchy of `name`; "" for version 2."""
    for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
        _, names, path = line.split(":", 2)
        if name in names.split(","):
            return path
    return ""


def _merged(places: list[Place]) -> list[Place]:
    """One place for each folder: version 2 has all controllers in one."""
    merged: dict[Path, Place] = {}
    for place in places:
        known = merged.get(place.folder)
        controllers = (*known.controllers, *place.controllers) if known else place.controllers
        merged[place.folder] = Place(place.folder, controllers, place.version)
    return list(merged.values())


def _remove_dead(base: Path, family: str) -> None:
    """Delete the groups of servers that were killed."""
    for folder in base.glob(f"{family}-*"):
        pid = folder.name.rpartition("-")[2]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            _remove_tree(folder)


def _remove_tree(folder: Path) -> None:
    try:
        for child in folder.iterdir():
            if child.is_dir():
                child.rmdir()
        folder.rmdir()
    except OSError as error:
        log.info("%s stays: %s", folder, error.strerror)


def _write(place: Place, name: str, value: int) -> None:
    (place.folder / name).write_text(str(value), encoding="ascii")


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text(encoding="ascii"))
    except OSError:
        return None


def _table(file: Path) -> dict[str, int]:
    """A file of lines "name number"."""
    pairs = (line.split() for line in file.read_text(encoding="ascii").splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}

"""The sandbox, from inside: what the zygote and each session do to themselves.

The zygote moves into a root of its own: read-only, with the host's programs and Sage, and
without Salvus, its data, secrets and homes. A session forked there takes namespaces, a
private home and /tmp, a user id nobody else has, limits, and a filter of system calls, in
this order, as each step needs what the later ones give up.

`try_all` finds out in a throw-away process which steps this host allows. A session then
takes every one of these or does not start: what is reported as on is on.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn

from app.sage import kernel
from app.wire.messages_pb2 import Bounds

HOME, USER = "/home/user", "user"
INSIDE_UID = 1000  # in a session's own user namespace, where root could not give it a uid
INIT = ("env", "--ignore-signal=CHLD", "sleep", "infinity")  # the kernel reaps for it
NOTHING_OPEN = (
    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDWR, 0),
    (os.POSIX_SPAWN_DUP2, 0, 1),
    (os.POSIX_SPAWN_DUP2, 0, 2),
)
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SHARED = (  # of /etc and /var: what programs need and no secret is in
    "/etc/alternatives", "/etc/ca-certificates", "/etc/fonts", "/etc/ghostscript",
    "/etc/ImageMagick-6", "/etc/java-17-openjdk", "/etc/ld.so.cache", "/etc/ld.so.conf",
    "/etc/ld.so.conf.d", "/etc/localtime", "/etc/magic", "/etc/mime.types", "/etc/octave",
    "/etc/papersize", "/etc/protocols", "/etc/python3.11", "/etc/R", "/etc/services",
    "/etc/ssl/certs", "/etc/texmf", "/etc/timezone", "/var/cache/fontconfig",
    "/var/lib/ghostscript", "/var/lib/texmf",
)  # fmt: skip
DEVICES = ("null", "zero", "full", "random", "urandom")
FOLDERS = ("/proc", "/dev/shm", "/dev/pts", "/tmp", "/var/tmp", "/mnt", HOME, "/old")
# Where a session has something of its own, and the host's is not seen
OWN = ("/proc", "/dev", "/tmp", "/var/tmp", "/mnt", HOME)
FILES = {
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "/etc/hosts": "127.0.0.1 localhost\n",
    "/etc/group": "root:x:0:\ntty:x:5:\n",
    "/etc/passwd": "root:x:0:0::/:/usr/sbin/nologin\n",
}
TMPFS = kernel.MS_NOSUID | kernel.MS_NODEV
PROXY = ("127.0.0.1", 3128)  # in a session's own network: the way out, if there is one
PROXY_VARIABLES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
TRIAL = Bounds(
    memory=1 << 30, processes=100, files=256, disk=1 << 20, entries=1000, network=True
)


class Sandbox:
    def __init__(
        self,
        *,
        root: str,
        hidden: list[str],
        filters: dict[str, bytes],
        first_uid: int,
        without: list[str],
    ) -> None:
        """`root`: an empty folder to build in; `hidden`: folders that sessions must not see;
        `filters`: compiled, for sessions that are "closed" and that are "open" to a network;
        `first_uid`: the uid of session number 0; `without`: protections to leave out, which
        is for measuring what each of them costs.
        """
        self._root = root
        self._hidden = hidden
        self._filters = filters
        self._first_uid = first_uid
        self._without = without
        self._as_root = os.geteuid() == 0 and _maps_all_users()
        self._own_pids = -1
        self._furniture: list[str] = []
        self._listeners: list[int] = []
        self.moved_in = False
        self.report: dict[str, str] = {}  # protection: "on", or why not

    # -- The zygote ----------------------------------------------------------------

    def move_in(self) -> None:
        """Build the root and make it ours; if that can't be done, say so and stay."""
        try:
            self._own_pids = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
            if lost := covered(_interpreter_folders(self._hidden)):
                raise OSError(f"Sage is in {lost[0]}, but sessions have their own there: move it")
            self._build_root()
            os.chdir(self._root)
            kernel.pivot_root(".", "old")
            os.chdir("/")
            kernel.unmount("/old")
            os.rmdir("/old")
            for folder in (HOME, "/tmp"):
                kernel.mount("tmpfs", folder, "tmpfs", TMPFS, "mode=755,size=64m")
            kernel.mount("", "/", "", kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY)
        except OSError as error:
            self.report["read-only root of its own"] = f"off: {error}"
            return
        self.moved_in = True
        self.report["read-only root of its own"] = "on"
        os.environ |= {"HOME": HOME, "USER": USER, "LOGNAME": USER, "DOT_SAGE": f"{HOME}/.sage"}

    def _build_root(self) -> None:
        root = self._root
        kernel.mount("tmpfs", root, "tmpfs", TMPFS, "mode=755,size=16m")
        for path in SYSTEM:
            if os.path.islink(path):
                os.symlink(os.readlink(path), root + path)
            elif os.path.isdir(path):
                self._show(path)
        for path in self._hidden:
            if os.path.isdir(root + path):
                kernel.mount("tmpfs", root + path, "tmpfs", TMPFS, "mode=755,size=1m")
        for path in (*SHARED, *_interpreter_folders(self._hidden)):
            if os.path.exists(path):
                self._show(path)
        for path, text in FILES.items():
            _write(root + path, text)
        for folder in FOLDERS:
            os.makedirs(root + folder, exist_ok=True)
        kernel.mount("proc", f"{root}/proc", "proc", TMPFS | kernel.MS_NOEXEC)
        self._make_devices()

    def _make_devices(self) -> None:
        root = self._root
        for name in DEVICES:
            _write(f"{root}/dev/{name}", "")
            kernel.bind(f"/dev/{name}", f"{root}/dev/{name}")
        links = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
        for name, target in {**links, "ptmx": "pts/ptmx"}.items():
            os.symlink(target, f"{root}/dev/{name}")

    def _show(self, path: str) -> None:
        """Show a tree or file of the host, read-only, at the same place."""
        target = self._root + path
        if os.path.isdir(path):
            os.makedirs(target, exist_ok=True)
        elif not os.path.exists(target):
            _write(target, "")
        kernel.bind(path, target)
        kernel.make_read_only(target)

    def furnish(self) -> None:
        """Remember the folders that Sage has made at home and in /tmp: sessions need them."""
        if self.moved_in:
            found = [*os.walk(HOME), *os.walk("/tmp")]
            self._furniture = [folder for folder, _, _ in found]

    def fork(self) -> tuple[int, int]:
        """`os.fork` into a new pid namespace: the child's pid, and its init's.

        That init is a process of its own, so that in a session signals, orphans and
        `os.abort` are as anywhere. When it is killed, so is all in the namespace.
        """
        if self.report.get("processes of its own") != "on":
            return os.fork(), 0
        kernel.unshare(kernel.CLONE_NEWPID)
        try:
            init = os.posix_spawnp(
                INIT[0], INIT, {"PATH": "/usr/bin:/bin"}, file_actions=NOTHING_OPEN
            )
            try:
                pid = os.fork()
            except OSError:
                self.end(init)
                raise
            return pid, init
        finally:
            # The child comes through here as well, where it is refused: it is inside.
            with contextlib.suppress(OSError):
                kernel.enter_namespace(self._own_pids, kernel.CLONE_NEWPID)

    def end(self, init: int) -> None:
        """End a namespace and all in it; returns when nothing is left."""
        if init:
            with contextlib.suppress(ProcessLookupError):
                os.kill(init, signal.SIGKILL)
            os.waitpid(init, 0)

    def try_all(self) -> None:
        """Find out what this host allows, in a process for that alone."""
        self.report["processes of its own"] = "on" if self.moved_in else "off: it has no own root"
        reading, writing = os.pipe()
        try:
            pid, init = self.fork()
        except OSError as error:
            self.report["processes of its own"] = f"off: {error}"
            pid, init = self.fork()
        if pid == 0:
            self._try(writing)
        os.close(writing)
        with open(reading, encoding="utf-8") as answer:
            said = answer.read()
        os.waitpid(pid, 0)
        self.end(init)
        self.report |= json.loads(said) if said else {"sandbox": "off: its trial died"}
        self.report |= dict.fromkeys(self._without, "off: left out")

    def _try(self, writing: int) -> NoReturn:
        found = {}
        try:
            for name, step in self._steps(0, TRIAL).items():
                try:
                    step()
                    found[name] = "on"
                except (OSError, ValueError) as error:
                    found[name] = f"off: {error}"
            os.write(writing, json.dumps(found).encode())
        finally:
            os._exit(0)

    # -- A session -----------------------------------------------------------------

    def enter(self, number: int, bounds: Bounds) -> list[int]:
        """In a session's process: take every protection that is on. Raises OSError.

        `number`: of this session, which no other living one has. Returns descriptors that
        belong to the server: where it is asked for what the network has, if there is one.
        """
        for name, step in self._steps(number, bounds).items():
            if self.report.get(name) == "on":
                step()
        for folder in self._furniture:
            os.makedirs(folder, mode=0o700, exist_ok=True)
        return self._listeners

    def _steps(self, number: int, bounds: Bounds) -> dict[str, Callable[[], None]]:
        filter = self._filters.get("open" if bounds.network else "closed", b"")
        steps: dict[str, Callable[[], None]] = {
            "network: none but what is allowed": lambda: self._leave_network(bounds),
            "System V and POSIX IPC of its own": lambda: kernel.unshare(kernel.CLONE_NEWIPC),
            "host name of its own": lambda: kernel.unshare(kernel.CLONE_NEWUTS),
            "home and /tmp of its own, limited": lambda: self._mount(number, bounds),
            "user of its own": lambda: self._become(number),
            # After that: a user namespace would hand its maker's limits on to its owner.
            "limits of memory, processes and files": lambda: self._limit(bounds),
            "no capabilities, no new privileges": self._give_up,
        }
        if filter:
            steps["filter of system calls"] = lambda: kernel.filter_calls(filter)
        return steps

    def _leave_network(self, bounds: Bounds) -> None:
        kernel.unshare(kernel.CLONE_NEWNET)
        if bounds.network:
            kernel.bring_up_loopback()
            listener = socket.create_server(PROXY)
            self._listeners.append(listener.detach())
            os.environ |= dict.fromkeys(PROXY_VARIABLES, f"http://{PROXY[0]}:{PROXY[1]}")

    def _mount(self, number: int, bounds: Bounds) -> None:
        if not self.moved_in:
            raise OSError("it has no root of its own")
        uid = self._uid(number)
        kernel.unshare(kernel.CLONE_NEWNS)
        kernel.mount("proc", "/proc", "proc", TMPFS | kernel.MS_NOEXEC)
        options = f"mode=755,size={bounds.disk},nr_inodes={bounds.entries}"
        kernel.mount("tmpfs", "/mnt", "tmpfs", TMPFS, options)
        places = {"home": HOME, "tmp": "/tmp", "vartmp": "/var/tmp", "shm": "/dev/shm"}
        for name, place in places.items():
            os.mkdir(f"/mnt/{name}")
            os.chmod(f"/mnt/{name}", 0o700 if name == "home" else 0o1777)
            os.chown(f"/mnt/{name}", uid, uid)
            kernel.bind(f"/mnt/{name}", place)
        shown = uid if self._as_root else INSIDE_UID
        entries = {
            "passwd": f"{USER}:x:{shown}:{shown}::{HOME}:/bin/bash\n",
            "group": f"{USER}:x:{shown}:\n",
        }
        for name, entry in entries.items():
            _write(f"/mnt/{name}", FILES[f"/etc/{name}"] + entry)
            kernel.bind(f"/mnt/{name}", f"/etc/{name}")
            kernel.make_read_only(f"/etc/{name}")
        kernel.unmount("/mnt")
        kernel.mount("devpts", "/dev/pts", "devpts", kernel.MS_NOSUID | kernel.MS_NOEXEC,
                     "newinstance,ptmxmode=0666,mode=600")

    def _limit(self, bounds: Bounds) -> None:
        for what, limit in (
            # Sage begins with gigabytes that GAP has reserved and does not use.
            (resource.RLIMIT_DATA, _writable_memory() + bounds.memory),
            (resource.RLIMIT_NPROC, bounds.processes),
            (resource.RLIMIT_NOFILE, bounds.files),
            (resource.RLIMIT_FSIZE, bounds.disk),
            (resource.RLIMIT_CORE, 0),
        ):
            _, hard = resource.getrlimit(what)
            limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            resource.setrlimit(what, (limit, limit))

    def _become(self, number: int) -> None:
        if self._as_root:
            uid = self._uid(number)
            os.fchown(1, uid, uid)  # so that /dev/stdout can be opened again
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            kernel.be_readable()
            return
        uid, gid = os.geteuid(), os.getegid()
        kernel.unshare(kernel.CLONE_NEWUSER)
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{INSIDE_UID} {uid} 1")
        _write("/proc/self/gid_map", f"{INSIDE_UID} {gid} 1")

    def _uid(self, number: int) -> int:
        return self._first_uid + number if self._as_root else os.geteuid()

    def _give_up(self) -> None:
        kernel.drop_capabilities()
        kernel.no_new_privileges()


def from_options(options: dict[str, object]) -> Sandbox:
    """The sandbox that the sage server's JSON describes."""
    found = json.loads(json.dumps(options))
    return Sandbox(
        root=found["root"],
        hidden=found["hidden"],
        filters={name: base64.b64decode(text) for name, text in found["filters"].items()},
        first_uid=found["first_uid"],
        without=found.get("without", []),
    )


def close_all_but(kept: int) -> None:
    """Close every descriptor above standard error except `kept`."""
    os.closerange(3, kept)
    os.closerange(kept + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[1])


def _maps_all_users() -> bool:
    """Whether this user namespace has users to give away."""
    return Path("/proc/self/uid_map").read_text(encoding="ascii").split()[2] != "1"


def _writable_memory() -> int:
    """Bytes of private writable memory of this process, as RLIMIT_DATA counts it."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    return 0


def _interpreter_folders(hidden: list[str]) -> list[str]:
    """What Python runs from, as far as the system's folders do not show it."""
    found = {sys.prefix, sys.base_prefix, *(path for path in sys.path if os.path.isdir(path))}
    found -= {os.getcwd()}  # our own code
    missing = [path for path in found if not _within(path, SYSTEM) or _within(path, hidden)]
    return [path for path in missing if not _within(path, [p for p in missing if p != path])]


def covered(paths: Iterable[str]) -> list[str]:
    """Those that a session could not see, as it has something of its own there."""
    return [path for path in paths if _within(path, OWN)]


def _within(path: str, folders: Iterable[str]) -> bool:
    return any(f"{path}/".startswith(f"{folder}/") for folder in folders)


def _write(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as file:
        file.write(text)

"""What `deploy` runs on the other host, in whatever Python that has (3.8 or later).

It comes over ssh's standard input, so nothing of Salvus need be there before, and no word of
it passes a shell: the code, a line of JSON that says what to do, and, for `take`, a tar of
files. It answers with lines of JSON: `say`, and at the end `done` or `error`.

A file's name begins with `program/` or `data/`, which says below which folder it goes. Files
that an earlier deploy has put into the program's folder and this one does not have are
removed; what somebody else has put there is not touched.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
from typing import IO, Any, Dict  # noqa: UP035  (an older Python may read this)

RECORD = ".deployed"  # in the program's folder: what we have put there
SPARE = 50_000_000  # bytes that stay free
STOP_SECONDS = 300.0
SYSTEMD = "/run/systemd/system"
UNIT = "salvus.service"
Order = Dict[str, Any]  # noqa: UP006


class Failed(Exception):
    """The text says why."""


def main(source: IO[bytes]) -> None:
    order = json.loads(source.readline())
    try:
        order["folder"] = folder_of(order["folder"], "/opt/salvus", "~/salvus")
        order["data_dir"] = folder_of(
            order["data_dir"], "/var/lib/salvus", os.environ.get("XDG_DATA_HOME", "~/.local/share")
            + "/salvus",
        )  # fmt: skip
        done = look(order) if order["task"] == "look" else take(order, source)
        tell(done=done)
    except Failed as error:
        tell(error=str(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        tell(error=f"{where}{error.strerror or error}")


def tell(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def folder_of(chosen: str, for_root: str, for_others: str) -> str:
    usual = for_root if os.geteuid() == 0 else for_others
    return os.path.abspath(os.path.expanduser(chosen or usual))


# --- What is there ------------------------------------------------------------------


def look(order: Order) -> dict[str, Any]:
    """What differs from the files that are wanted, and what the host is like."""
    files = order["files"]
    refuse_another_site(order)
    return {
        "folder": order["folder"],
        "data_dir": order["data_dir"],
        "differs": [name for name in files if state(place(order, name)) != files[name]],
        "extra": [name for name in recorded(order) if name not in files],
        "running": holder(order["data_dir"]),
        "python": sys.version.split()[0],
        "host": socket.gethostname(),
    }


def refuse_another_site(order: Order) -> None:
    folder = os.path.join(order["data_dir"], "certificates")
    if os.path.exists(os.path.join(folder, "ca.key")):
        raise Failed(
            f"{folder} has the key of a CA: this is the main host of a site, not one to deploy to;"
            " move it away if it is not needed"
        )


def place(order: Order, name: str) -> str:
    kind, _, path = name.partition("/")
    return os.path.join(order["folder" if kind == "program" else "data_dir"], path)


def state(path: str) -> list[Any] | None:
    """As the order has it: digest and mode; None if there is no such file."""
    try:
        with open(path, "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
            return [digest, os.fstat(file.fileno()).st_mode & 0o777]
    except OSError:
        return None


def recorded(order: Order) -> list[str]:
    try:
        with open(os.path.join(order["folder"], RECORD), encoding="utf-8") as file:
            names: list[str] = json.load(file)
    except (OSError, ValueError):
        return []
    return names


def holder(data_dir: str) -> int:
    """The pid of the supervisor that runs there, 0 if none does."""
    path = os.path.join(data_dir, "supervisor.lock")
    try:
        with open(path, "r+", encoding="ascii") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read())
    except (OSError, ValueError):
        pass
    return 0


# --- Making it so -------------------------------------------------------------------


def take(order: Order, source: IO[bytes]) -> dict[str, Any]:
    refuse_another_site(order)
    require_space(order)
    changed = receive(order, source)
    remove(order)
    if order["install"]:
        install(order)
    if order["start"]:
        start(order, restart=changed)
    return {}


def require_space(order: Order) -> None:
    for kind in ("folder", "data_dir"):
        existing = order[kind]
        while not os.path.isdir(existing):
            existing = os.path.dirname(existing)
        free = shutil.disk_usage(existing).free
        wanted = order["size"] + SPARE
        if free < wanted:
            raise Failed(
                f"{existing}: no space: {free // 1_000_000} MB are free, and"
                f" {wanted // 1_000_000 + 1} MB are needed"
            )


def receive(order: Order, source: IO[bytes]) -> bool:
    """Put each file into its place, whole or not at all; whether the program has changed."""
    os.makedirs(order["folder"], 0o755, exist_ok=True)
    os.makedirs(order["data_dir"], exist_ok=True)
    os.chmod(order["data_dir"], 0o711)
    changed = False
    with tarfile.open(fileobj=source, mode="r|") as tar:
        for member in tar:
            if member.name not in order["files"]:
                raise Failed(f"{member.name} was not announced")
            content = tar.extractfile(member)
            if content is None:
                raise Failed(f"{member.name} is not a file")
            put(place(order, member.name), content, order["files"][member.name][1])
            changed = changed or (
                member.name.startswith("program/") and member.name != order["settings"]
            )
    return changed


def put(path: str, content: IO[bytes], mode: int) -> None:
    os.makedirs(os.path.dirname(path), 0o700 if mode == 0o600 else 0o755, exist_ok=True)
    fresh = f"{path}.{os.getpid()}"
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb") as file:
            shutil.copyfileobj(content, file)
            os.fchmod(descriptor, mode)
            file.flush()
            os.fsync(descriptor)
        os.replace(fresh, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(fresh)
        raise


def remove(order: Order) -> None:
    """What earlier deploys have put and this one has not."""
    for name in recorded(order):
        if name not in order["files"] and name.startswith("program/"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(place(order, name))
            with contextlib.suppress(OSError):
                os.rmdir(os.path.dirname(place(order, name)))
    names = [name for name in order["files"] if name.startswith("program/")]
    with open(os.path.join(order["folder"], RECORD), "w", encoding="utf-8") as file:
        json.dump(names, file)


def install(order: Order) -> None:
    run(order, ["sh", "./install.sh", "run"], "install.sh")


def start(order: Order, *, restart: bool) -> None:
    """Have it run, as it is now."""
    python = os.path.join(order["folder"], ".venv", "bin", "python")
    if not os.path.exists(python):
        raise Failed(f"{python} is missing: deploy without --no-install")
    pid = holder(order["data_dir"])
    if pid and not restart:
        tell(say=f"runs already (pid {pid}), and takes up by itself what has changed")
    elif os.path.isdir(SYSTEMD) and os.geteuid() == 0:
        start_unit(order, python)
    else:
        start_detached(order, python, pid)
    wait_up(order, python)


def start_unit(order: Order, python: str) -> None:
    run(order, [python, "salvus.py", "install-unit"], "install-unit")
    for words in (["daemon-reload"], ["enable", "--quiet", UNIT], ["restart", UNIT]):
        run(order, ["systemctl", *words], "systemctl")
    tell(say=f"systemd runs {UNIT}")


def start_detached(order: Order, python: str, pid: int) -> None:
    if pid:
        tell(say=f"stopping the supervisor of before (pid {pid}) …")
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while holder(order["data_dir"]) == pid:
            if time.monotonic() > deadline:
                raise Failed(f"it has not stopped for {STOP_SECONDS:g} s")
            time.sleep(0.1)
    with open(log_file(order), "wb") as output:
        subprocess.Popen(
            [python, "salvus.py", "supervise"], cwd=order["folder"], env=environment(order),
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    tell(say="started, without systemd: after a restart of the host, deploy again")


def log_file(order: Order) -> str:
    """Of what it says before it has logs of its own."""
    folder = os.path.join(order["data_dir"], "logs")
    os.makedirs(folder, 0o700, exist_ok=True)
    return os.path.join(folder, "start.log")


def environment(order: Order) -> dict[str, str]:
    """A host that is not called as its section is must be told which it is."""
    name = socket.gethostname()
    if order["host"] in (name, name.partition(".")[0]):
        return dict(os.environ)
    return {**os.environ, "SALVUS_SITE_HOST": order["host"]}


def wait_up(order: Order, python: str) -> None:
    deadline = time.monotonic() + order["seconds"]
    command = [python, "salvus.py", "status", "--host", order["host"]]
    while True:
        asked = subprocess.run(
            command, cwd=order["folder"], env=environment(order), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        said = asked.stdout.decode(errors="replace").strip()
        if asked.returncode == 0:
            tell(say=said)
            return
        if time.monotonic() > deadline:
            seconds = order["seconds"]
            raise Failed(f"not everything is up after {seconds:g} s:\n{said}\n{tail(order)}")
        time.sleep(0.5)


def tail(order: Order) -> str:
    try:
        with open(os.path.join(order["data_dir"], "logs", "start.log"), errors="replace") as file:
            return file.read()[-2000:]
    except OSError:
        return ""


def run(order: Order, command: list[str], name: str) -> None:
    """Run `command` in the program's folder, passing on what it says."""
    process = subprocess.Popen(
        command, cwd=order["folder"], env=environment(order), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    last = ""
    for line in process.stdout or ():
        last = line.decode(errors="replace").rstrip() or last
        tell(say=last)
    if process.wait() != 0:
        raise Failed(f"{name} failed: {last}")


if __name__ == "__main__":
    main(sys.stdin.buffer)

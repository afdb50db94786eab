"""Puts the program, the settings and what a host is known by on another host of the site, and
has it run there. OpenSSH's client carries it; `receiver.py` is what it runs there.

Only what differs is sent, so a second deploy of the same does nothing. Files go into their
places one by one, each whole; what runs is restarted after all of them are there.
"""

from __future__ import annotations

import hashlib
import io
import json
import shlex
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import gevent
from gevent import subprocess

from app import settings as settings_file
from app.settings import ROOT, Settings
from supervisor import identities

RECEIVER = Path(__file__).with_name("receiver.py")
PYTHON = "python3"
SETTINGS = "program/conf/salvus.toml"
SKIPPED = (
    ".git", ".venv*", "__pycache__", ".*_cache", "node_modules", "artifacts", "*.egg-info",
    ".deployed",
)  # fmt: skip
UP_SECONDS = 300.0  # that everything may take to be up there
CONNECT_SECONDS = 20
CURES = {
    "Host key verification failed": "connect once by hand, and accept the host's key",
    "Permission denied": "let its user's ~/.ssh/authorized_keys have your public key",
    "Connection refused": "is sshd running there, at that port?",
    "Could not resolve hostname": "is [hosts.NAME] ssh right?",
}


class DeployError(Exception):
    """The text names the host, what went wrong there, and a cure if we know one."""


@dataclass(frozen=True)
class File:
    content: bytes
    mode: int

    @property
    def state(self) -> list[str | int]:
        return [hashlib.sha256(self.content).hexdigest(), self.mode]


@dataclass(frozen=True)
class Options:
    """`ssh_config`: for ssh -F; empty: the usual one."""

    install: bool = True
    start: bool = True
    ssh_config: str = ""


@dataclass(frozen=True)
class Deployment:
    """To the host called `name`. `say` is told what is done."""

    settings: Settings
    name: str
    options: Options
    say: Callable[[str], None]

    def run(self) -> None:
        """Raises DeployError, CannotStart, OSError."""
        files = wanted(self.settings, self.name)
        found = self._ask("look", files, {})
        self._say_host(found)
        different = {name: files[name] for name in found["differs"]}
        for line in summary(different, found["extra"]):
            self.say(line)
        if not different and not found["extra"] and found["running"]:
            self.say(f"nothing to do: it runs (pid {found['running']})")
            return
        self._ask("take", files, different)

    def _say_host(self, found: Mapping[str, Any]) -> None:
        self.say(f"{found['folder']} and {found['data_dir']}, Python {found['python']}")
        if self.name not in (found["host"], found["host"].partition(".")[0]):
            self.say(
                f"it is called {found['host']} and not {self.name}: commands there need"
                f" SALVUS_SITE_HOST={self.name}"
            )

    def _ask(
        self, task: str, files: Mapping[str, File], sent: Mapping[str, File]
    ) -> dict[str, Any]:
        packed = tar(sent)
        order = {
            "task": task,
            "host": self.name,
            "folder": self.settings.hosts[self.name].folder,
            "data_dir": named_data_dir(self.settings),
            "files": {name: file.state for name, file in files.items()},
            "settings": SETTINGS,
            "size": len(packed),
            "install": self.options.install,
            "start": self.options.start,
            "seconds": UP_SECONDS,
        }
        code = RECEIVER.read_bytes()
        program = f"import sys; exec(sys.stdin.buffer.read({len(code)}))"
        text = b"".join((code, json.dumps(order).encode(), b"\n", packed))
        for answer in self._over_ssh((PYTHON, "-c", program), text):
            if "error" in answer:
                raise DeployError(f"{self.name}: {answer['error']}")
            if "done" in answer:
                return dict(answer["done"])
            self.say(answer["say"])
        raise DeployError(f"{self.name}: the connection broke before it was done: deploy again")

    def _over_ssh(self, command: Sequence[str], text: bytes) -> Iterator[dict[str, Any]]:
        """What `command` says there, in JSON, given `text`. Raises DeployError."""
        with tempfile.TemporaryFile() as errors:
            try:
                process: Any = subprocess.Popen(
                    self._ssh(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
                )
            except OSError as error:
                raise DeployError(
                    f"ssh: {error.strerror}: `apt-get install openssh-client`"
                ) from error
            writing = gevent.spawn(_write, process.stdin, text)
            try:
                for line in process.stdout:
                    if line.startswith(b"{"):  # not what a login script prints
                        yield json.loads(line)
                code = process.wait()
            finally:
                writing.kill()
                process.kill()
                process.wait()
                process.stdout.close()
            errors.seek(0)
            self._judge(code, errors.read().decode(errors="replace").strip())

    def _ssh(self, command: Sequence[str]) -> list[str]:
        options = ["-F", self.options.ssh_config] if self.options.ssh_config else []
        options += ["-T", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={CONNECT_SECONDS}"]
        options += ["-o", "ServerAliveInterval=15"]
        return ["ssh", *options, "--", destination(self.settings, self.name), shlex.join(command)]

    def _judge(self, code: int, said: str) -> None:
        """Raise DeployError if ssh or what it ran has failed."""
        last = said.rpartition("\n")[2]
        where = destination(self.settings, self.name)
        if code == 127:
            raise DeployError(f"{self.name}: there is no python3: `apt-get install python3`")
        if code == 255:
            cure = next((cure for words, cure in CURES.items() if words in said), "")
            raise DeployError(f"{self.name}: ssh {where}: {last}" + (f" ({cure})" if cure else ""))
        if code != 0:
            raise DeployError(f"{self.name}: {last or f'python3 ended with {code}'}")


def destination(settings: Settings, name: str) -> str:
    """Raises DeployError."""
    if name not in settings.hosts:
        known = ", ".join(settings.hosts) or "none"
        raise DeployError(f"{settings.file} has no section [hosts.{name}]; its hosts: {known}")
    if name == settings.host_name:
        raise DeployError(f"{name} is this host: deploy is for the others")
    if not settings.hosts[name].ssh:
        raise DeployError(
            f"[hosts.{name}] ssh is missing in {settings.file}: where ssh reaches it, as"
            f' "root@{name}"'
        )
    return settings.hosts[name].ssh


def wanted(settings: Settings, name: str) -> dict[str, File]:
    """All that shall be there. Raises DeployError, CannotStart, OSError."""
    destination(settings, name)
    files = program_files(ROOT)
    files[SETTINGS] = File(Path(settings.file).read_bytes(), 0o600)
    for path, text in identities.of(settings, name).items():
        files[f"data/{path}"] = File(text.encode(), 0o600)
    return files


def program_files(root: Path) -> dict[str, File]:
    found = {}
    for path in sorted(root.iterdir()):
        found.update(_files_below(path, f"program/{path.name}"))
    return found


def _files_below(path: Path, name: str) -> dict[str, File]:
    if any(fnmatch(path.name, pattern) for pattern in SKIPPED) or path.is_symlink():
        return {}
    if path.is_dir():
        found = {}
        for child in sorted(path.iterdir()):
            found.update(_files_below(child, f"{name}/{child.name}"))
        return found
    return {name: File(path.read_bytes(), 0o755 if path.stat().st_mode & 0o100 else 0o644)}


def named_data_dir(settings: Settings) -> str:
    """As the file has it: what the environment says is for this host alone."""
    return settings_file.read(Path(settings.file), {}).site.data_dir


def summary(different: Mapping[str, File], extra: Sequence[str]) -> list[str]:
    """What changes, in words."""
    program = [name for name in different if name.startswith("program/") and name != SETTINGS]
    certificates = [name for name in different if name.startswith("data/")]
    found = []
    if program:
        size = sum(len(different[name].content) for name in program)
        found.append(f"sending {_some(program)} of the program ({size / 1e6:.1f} MB)")
    if extra:
        found.append(f"removing {_some(extra)} of the program")
    if SETTINGS in different:
        found.append("sending the settings")
    if certificates:
        found.append("sending " + ", ".join(name.rpartition("/")[2] for name in certificates))
    return found


def _some(names: Sequence[str]) -> str:
    if len(names) > 3:
        return f"{len(names)} files"
    return ", ".join(name.partition("/")[2] for name in names)


def tar(files: Mapping[str, File]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, file in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(file.content)
            archive.addfile(member, io.BytesIO(file.content))
    return packed.getvalue()


def _write(stream: Any, text: bytes) -> None:
    try:
        shutil.copyfileobj(io.BytesIO(text), stream)
        stream.close()
    except OSError:
        pass  # it has ended before: what it says, or ssh, tells why

"""Configuration files: the templates of conf/ with values filled in, checked, written when changed.

A file that its service's own checker refuses never replaces one that works: the new text is
put beside it as NAME.refused, with the checker's words in NAME.reason, and the old one stands.
"""

from __future__ import annotations

import logging
import os
import pwd
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from string import Template

from gevent import subprocess

from app.settings import ROOT
from supervisor.service import CannotStart

TEMPLATES = ROOT / "conf"
CHECK_SECONDS = 20.0  # that a checker may take

log = logging.getLogger(__name__)
Checker = Callable[[Path], tuple[str, ...]]


class Refused(CannotStart):
    """A configuration that its service would not take; the text says why."""


def render(template: str, values: Mapping[str, str | int]) -> str:
    """The text of conf/`template` with each $name replaced. KeyError if one is missing."""
    return Template((TEMPLATES / template).read_text(encoding="utf-8")).substitute(values)


def write_if_changed(path: Path, text: str, mode: int = 0o644, user: str = "") -> bool:
    """Make `path` hold `text`, whole or not at all; whether it had to be written.

    The file is `user`'s (default: ours).
    """
    content = text.encode()
    try:
        if path.read_bytes() == content:
            return False
    except FileNotFoundError:
        pass
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with open(descriptor, "wb") as file:
        if user:
            entry = pwd.getpwnam(user)
            os.fchown(descriptor, entry.pw_uid, entry.pw_gid)
        os.fchmod(descriptor, mode)
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    fresh.replace(path)
    return True


def install(path: Path, text: str, *, checker: Checker) -> bool:
    """Make `path` hold `text` if its service takes that; whether it had to be written.

    `checker` makes the command that judges a file. Raises Refused.
    """
    if path.exists() and path.read_text(encoding="utf-8") == text:
        accept(path)
        return False
    refused = _beside(path, "refused")
    write_if_changed(refused, text)
    if why := failure(checker(refused)):
        refuse(path, why)
        raise Refused(f"{path.name} is refused ({refused}): {why}")
    refused.replace(path)
    accept(path)
    return True


@contextmanager
def old_one_will_do(path: Path) -> Iterator[None]:
    """To start a service: `path` as it was is good enough, if it is there; see `refusals`."""
    try:
        yield
    except Refused:
        if not path.exists():
            raise


def refuse(path: Path, why: str) -> None:
    """Remember that what `path` should hold now is no good."""
    write_if_changed(_beside(path, "reason"), why)


def accept(path: Path) -> None:
    """What `path` should hold now is good."""
    _beside(path, "reason").unlink(missing_ok=True)
    _beside(path, "refused").unlink(missing_ok=True)


def refusals(folder: Path) -> tuple[str, ...]:
    """What is wrong with files of `folder` that were refused, in words."""
    return tuple(
        f"{file.stem} is refused, the one before is in use: {file.read_text(encoding='utf-8')}"
        for file in sorted(folder.glob("*.reason"))
    )


def failure(command: tuple[str, ...]) -> str:
    """What `command` says if it fails; empty if it succeeds."""
    log.info("running %s", shlex.join(command))
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            timeout=CHECK_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f"{command[0]} has not answered for {CHECK_SECONDS:g} s"
    except OSError as error:
        return f"{command[0]}: cannot be run: {error.strerror}"
    said = done.stdout.decode(errors="replace").strip()
    return "" if done.returncode == 0 else said or f"{command[0]}: exit code {done.returncode}"


def single_quoted(path: Path) -> str:
    """For between single quotes in PostgreSQL's files."""
    return str(path).replace("'", "''")


def _beside(path: Path, word: str) -> Path:
    return path.with_name(f"{path.name}.{word}")

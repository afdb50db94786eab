"""One child process: its own session, its log, and an end that takes its whole tree along.

Nothing outlives us: the kernel sends `death_signal` when we die, even by SIGKILL. Traps:
PR_SET_PDEATHSIG is lost when the child changes its user, so users are changed before it is
set and never by the program itself; and it fires when the spawning *thread* ends, so this
must run in the main thread.

What a service starts may leave its session and its parent, and would live on when it is
killed. We adopt orphans (`adopt_orphans`), so such a process stays below us, and it is known
by a mark in the environment it began with, or by its session.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import pwd
import shlex
import signal
import time
import uuid
from collections.abc import Callable
from typing import Any

import gevent
import psutil
from gevent import subprocess

from supervisor.logs import LogFile
from supervisor.service import HOPELESS, CannotStart, Command

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
MARK = "SALVUS_PROCESS"  # in the environment of a service and of all that it starts
GONE_SECONDS = 2.0  # in which the kernel buries what was killed
log = logging.getLogger(__name__)
_libc = ctypes.CDLL(None, use_errno=True)


class Process:
    """A started `Command`."""

    def __init__(self, command: Command, log: LogFile) -> None:
        """Raises CannotStart."""
        self._command = command
        self._mark = str(uuid.uuid4())
        self._popen, self._listening = spawn(command, log, {MARK: self._mark})
        self.pid: int = self._popen.pid

    def wait(self) -> str:
        """Wait for the end of the process, end what it has left; how it ended, in words. What
        it has said last is in its log by then."""
        code = self._popen.wait()
        self._kill_group()
        self._bury(self._left())
        self._listening.join(GONE_SECONDS)
        return exit_words(code)

    @property
    def is_hopeless(self) -> bool:
        """Whether it has said, at its end, that to start it again would change nothing."""
        return bool(self._popen.returncode == HOPELESS)

    @property
    def is_frozen(self) -> bool:
        """Whether a signal has stopped it: what answers then is a child, whom nobody leads."""
        try:
            return bool(psutil.Process(self.pid).status() == psutil.STATUS_STOPPED)
        except psutil.NoSuchProcess:
            return False

    @property
    def can_drain(self) -> bool:
        return self._command.drain_signal is not None

    def drain(self) -> None:
        """Ask it to end when it has nothing to do any more."""
        self.send(self._command.drain_signal or self._command.stop_signal)

    def stop(self) -> None:
        """Ask it to end; what its command's `stop_signal` means is its own affair."""
        self.send(self._command.stop_signal)

    def kill(self) -> None:
        """End it and all its descendants now."""
        tree: list[psutil.Process] = []
        with contextlib.suppress(psutil.NoSuchProcess):
            tree = psutil.Process(self.pid).children(recursive=True)
        self._kill_group()
        _kill(tree + self._left())

    def send(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def _left(self) -> list[psutil.Process]:
        """The other processes of this service, wherever they hang below us."""
        found = []
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error, ProcessLookupError):
                if process.pid != self.pid and self._is_ours(process):
                    found.append(process)
        return found

    def _is_ours(self, process: psutil.Process) -> bool:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        in_session = os.getsid(process.pid) == self.pid
        return in_session or process.environ().get(MARK) == self._mark

    def _bury(self, processes: list[psutil.Process]) -> None:
        """Kill, and wait until they are gone: they may hold what the next one needs."""
        _kill(processes)
        deadline = time.monotonic() + GONE_SECONDS
        while any(map(_is_alive, processes)) and time.monotonic() < deadline:
            gevent.sleep(0.01)


def adopt_orphans() -> None:
    """Become the parent of what services start and leave."""
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1)


def spawn(
    command: Command, output: LogFile, environment: dict[str, str]
) -> tuple[subprocess.Popen[bytes], gevent.Greenlet[..., None]]:
    """Start `command`, whose output goes to `output`; with what takes it there. Raises
    CannotStart."""
    log.info("running %s", shlex.join(command.arguments))
    reader, writer = os.pipe()
    try:
        process = subprocess.Popen(
            command.arguments,
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=writer,
            cwd=command.folder or "/",
            env={**os.environ, **command.environment, **environment},
            start_new_session=True,
            preexec_fn=_die_with_parent(command.death_signal),
            **identity(command.user),
        )
    except OSError as error:
        os.close(reader)
        raise CannotStart(f"{command.arguments[0]}: cannot be run: {error.strerror}") from error
    finally:
        os.close(writer)
    return process, output.take_over(reader)


def identity(user: str) -> dict[str, Any]:
    """Popen's arguments that make a child run as `user` and nothing more."""
    if not user:
        return {}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def exit_words(code: int) -> str:
    """A return code as Popen gives it, in words."""
    if code >= 0:
        return f"exited with code {code}"
    try:
        return f"ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"ended by signal {-code}"


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _die_with_parent(death_signal: signal.Signals) -> Callable[[], None]:
    parent = os.getpid()

    def set_it() -> None:
        if _libc.prctl(PR_SET_PDEATHSIG, int(death_signal)) != 0 or os.getppid() != parent:
            os._exit(127)

    return set_it

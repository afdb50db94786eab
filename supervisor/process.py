"""One child process: its own session, its log file, and an end that takes its tree along.

Nothing outlives us: the kernel sends `death_signal` when we die, even by SIGKILL. Traps:
PR_SET_PDEATHSIG is lost when the child changes its user, so users are changed before it is
set and never by the program itself; and it fires when the spawning *thread* ends, so this
must run in the main thread.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import signal
from collections.abc import Callable
from typing import Any

import psutil
from gevent import subprocess

from supervisor.service import CannotStart, Command

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Process:
    """A started `Command`."""

    def __init__(self, command: Command) -> None:
        self._command = command
        self._popen = spawn(command)
        self.pid: int = self._popen.pid

    def wait(self) -> str:
        """Wait for the end of the process; how it ended, in words."""
        code = self._popen.wait()
        self._kill_group()
        return exit_words(code)

    def stop(self) -> None:
        """Ask it to end; what its command's `stop_signal` means is its own affair."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, self._command.stop_signal)

    def kill(self) -> None:
        """End it and all its descendants now."""
        tree: list[psutil.Process] = []
        with contextlib.suppress(psutil.NoSuchProcess):
            tree = psutil.Process(self.pid).children(recursive=True)
        self._kill_group()
        for process in tree:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


def spawn(command: Command) -> subprocess.Popen[bytes]:
    """Start `command`. Raises CannotStart."""
    log = os.open(command.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        return subprocess.Popen(
            command.arguments,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=command.folder or "/",
            env={**os.environ, **command.environment},
            start_new_session=True,
            preexec_fn=_die_with_parent(command.death_signal),
            **identity(command.user),
        )
    except OSError as error:
        raise CannotStart(f"{command.arguments[0]}: cannot be run: {error.strerror}") from error
    finally:
        os.close(log)


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


def _die_with_parent(death_signal: signal.Signals) -> Callable[[], None]:
    parent = os.getpid()

    def set_it() -> None:
        if _libc.prctl(PR_SET_PDEATHSIG, int(death_signal)) != 0 or os.getppid() != parent:
            os._exit(127)

    return set_it

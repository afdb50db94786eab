"""A zygote as its sage server sees it: a process that is started, asked for sessions, ended.

Its greenlet listens to it from its start to its end. What the zygote says is told by three
callbacks, so that the pool decides what it means: `on_ready`, `on_exit` of one session, and
`on_gone` once the zygote has ended, whoever ended it.
"""

from __future__ import annotations

import array
import json
import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import gevent
from gevent import subprocess

from app.sage.protections import Protections
from app.settings import ROOT, Settings
from app.wire.decoder import ProtocolError, encode
from app.wire.messages_pb2 import Exited, Fork, Message, Ready, Signal
from app.wire.stream import Stream

ENVIRONMENT = {
    # Libraries that would start threads, which do not survive a fork.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "GC_MARKERS": "1",
    "MPLBACKEND": "agg",
}
PASSED_ON = ("LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH")  # of our environment
PROGRAMS = "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"

log = logging.getLogger(__name__)


class Gone(OSError):
    """The zygote has ended; `on_gone` is told, or about to be."""


@dataclass(frozen=True)
class Listeners:
    """Whom a spawner tells what; each is called in its greenlet and must not raise."""

    on_ready: Callable[[Spawner, Ready], None]
    on_exit: Callable[[str, str], None]  # a session's id, the reason
    on_gone: Callable[[Spawner, str], None]


class Spawner:
    def __init__(
        self, *, settings: Settings, protections: Protections, folder: Path, listeners: Listeners
    ) -> None:
        """`folder`: for homes, where sessions can't have private ones, and Sage's own files."""
        self._settings = settings
        self._protections = protections
        self._folder = folder
        self._listeners = listeners
        self._socket: socket.socket | None = None
        self._control: Stream | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._greenlet: gevent.Greenlet[[], None] | None = None
        self._began = 0.0

    @property
    def seconds(self) -> float:
        """Since it was started."""
        return time.monotonic() - self._began

    def start(self) -> None:
        self._began = time.monotonic()
        self._greenlet = gevent.spawn(self._run)

    def kill(self) -> None:
        """End the zygote, and with it whatever came from it; `on_gone` is told."""
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """End it here and now, telling nobody."""
        if self._greenlet is not None:
            self._greenlet.kill()
        self._end()

    def fork(self, order: Fork, groups: Sequence[int]) -> tuple[socket.socket, int]:
        """Have a session forked: its socket, and the reading end of its standard output.

        `groups`: descriptors of files in which the session joins its control groups.
        Raises Gone if the zygote has ended, OSError if this process has no more descriptors.
        """
        ours, theirs = socket.socketpair()
        output, stdout = os.pipe()
        descriptors = array.array("i", [theirs.fileno(), stdout, *groups])
        try:
            if self._socket is None:
                raise BrokenPipeError
            self._socket.sendmsg(
                [encode(Message(fork=order))],
                [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)],
            )
        except (BrokenPipeError, ConnectionResetError) as error:
            ours.close()
            os.close(output)
            raise Gone("the zygote has ended") from error
        except OSError:
            ours.close()
            os.close(output)
            raise
        finally:
            theirs.close()
            os.close(stdout)
        return ours, output

    def signal(self, session: str, number: int) -> None:
        """Send a signal to a session's process group, if both are still there."""
        if self._control is not None:
            try:
                self._control.send(Message(signal=Signal(session=session, number=number)))
            except OSError:
                pass  # the zygote is gone: its sessions are about to be told

    def _run(self) -> None:
        try:
            self._start()
            self._listen()
            why = "its process ended"
        except (OSError, ProtocolError) as error:
            why = str(error)
        except Exception as error:
            log.exception("our own mistake; another zygote may do better")
            why = repr(error)
        self._end()
        self._listeners.on_gone(self, why)

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        homes = self._folder / "homes"
        options = {
            "homes": str(homes),
            "preload": self._settings.sage.preload,
            "warm_up": self._settings.sage.warm_up,
            "sandbox": self._protections.options,
        }
        python = interpreter(self._settings)
        environment = {key: os.environ[key] for key in PASSED_ON if key in os.environ}
        environment |= ENVIRONMENT
        environment |= {
            "PATH": f"{Path(python).parent}:{PROGRAMS}",
            "HOME": str(homes),
            "SALVUS_CONTROL": str(theirs.fileno()),
            "SALVUS_ZYGOTE": json.dumps(options),
            "DOT_SAGE": str(self._folder / "dot_sage"),
        }
        try:
            self._process = subprocess.Popen(
                [*self._protections.prefix, python, "-m", "app.sage.zygote"],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            raise OSError(f"{python} cannot be run: {error.strerror} (sage.python)") from error
        finally:
            theirs.close()
        self._socket = ours
        self._control = Stream(ours, max_message=1 << 20, silence=None)

    def _listen(self) -> None:
        """Pass on what the zygote says until it is gone."""
        assert self._control is not None
        while received := self._control.receive():
            message = received.message
            kind = message.WhichOneof("body")
            if kind == "ready":
                self._listeners.on_ready(self, message.ready)
            elif kind == "exited":
                exited: Exited = message.exited
                self._listeners.on_exit(exited.session, exited.reason)

    def _end(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._control = self._socket = self._process = None


def interpreter(settings: Settings) -> str:
    """Sage's Python: the one in the settings, else that of `make run`, else our own."""
    if settings.sage.python:
        return settings.sage.python
    installed = ROOT / ".venv-sage" / "bin" / "python"
    return str(installed) if installed.exists() else sys.executable

"""The warm process from which sessions are forked. Runs in Sage's interpreter.

It is exec'd by the sage server, has one thread, and speaks with it over the socket at file
descriptor `SALVUS_CONTROL`: Ready once it is warm; Fork (with a session's socket and its
standard output as descriptors) is answered by Forked; Signal is passed on to a session's
process group; Exited tells how a session ended, at once. When the server goes, so does
the zygote, and with it every session.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import io
import json
import os
import random
import selectors
import signal
import socket
import sys
from pathlib import Path
from typing import NoReturn

from app.sage.language import load
from app.sage.worker import Shell, Worker
from app.wire.decoder import Decoder, encode, parse
from app.wire.messages_pb2 import Exited, Fork, Forked, Message, Ready, Signal

CONTROL = "SALVUS_CONTROL"  # the number of the control socket's descriptor
OPTIONS = "SALVUS_ZYGOTE"  # JSON: homes, preload, warm_up
MAX_MESSAGE = 1 << 20
PR_SET_PDEATHSIG = 1


class Zygote:
    def __init__(self, control: socket.socket, shell: Shell, homes: Path) -> None:
        self._control = control
        self._shell = shell
        self._homes = homes
        self._decoder = Decoder(MAX_MESSAGE)
        self._descriptors: list[int] = []
        self._sessions: dict[str, int] = {}  # pid by session
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)

    def serve(self) -> NoReturn:
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    self._take_orders()
                else:
                    self._report_exit(key.fd, key.data)

    def _take_orders(self) -> None:
        data, descriptors, _, _ = socket.recv_fds(self._control, 1 << 16, 64)
        if not data:
            os._exit(0)
        self._descriptors += descriptors
        for payload in self._decoder.feed(data):
            message = parse(payload)
            kind = message.WhichOneof("body")
            if kind == "fork":
                self._fork(message.fork)
            elif kind == "signal":
                self._signal(message.signal)

    def _send(self, message: Message) -> None:
        self._control.sendall(encode(message))

    def _fork(self, order: Fork) -> None:
        connection, stdout, *self._descriptors = self._descriptors
        try:
            pid = os.fork()
        except OSError as error:
            reason = f"no process could be made for it: {error.strerror}"
            self._send(Message(exited=Exited(session=order.session, reason=reason)))
        else:
            if pid == 0:
                self._become_session(order, connection, stdout)
            self._sessions[order.session] = pid
            self._selector.register(os.pidfd_open(pid), selectors.EVENT_READ, order.session)
            self._send(Message(forked=Forked(session=order.session, pid=pid)))
        os.close(connection)
        os.close(stdout)

    def _signal(self, order: Signal) -> None:
        pid = self._sessions.get(order.session)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, order.number)

    def _report_exit(self, descriptor: int, session: str) -> None:
        self._selector.unregister(descriptor)
        os.close(descriptor)
        pid = self._sessions.pop(session)
        _, status = os.waitpid(pid, 0)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)  # what the session has started
        self._send(Message(exited=Exited(session=session, reason=_words(status))))

    def _become_session(self, order: Fork, connection: int, stdout: int) -> NoReturn:
        """In the child: be a session of its own, and never come back."""
        try:
            os.setsid()
            die_with_parent()
            for key in list(self._selector.get_map().values()):
                os.close(key.fd)
            self._selector.close()
            os.dup2(stdout, 1)
            os.dup2(stdout, 2)
            os.close(stdout)
            home = self._homes / order.session
            home.mkdir(mode=0o700, parents=True)
            os.chdir(home)
            os.environ["HOME"] = str(home)
            sys.path.insert(0, "")
            _reseed()
            self._shell.run_cell("1+1", store_history=False)  # touches the pages a run needs
            to_server = socket.socket(fileno=connection)
            to_server.setblocking(True)  # it was made by a cooperative process
            Worker(self._shell, to_server, order.mark).serve()
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(70)  # EX_SOFTWARE


def die_with_parent() -> None:
    """Have the kernel kill this process as soon as the one that forked it is gone."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def _reseed() -> None:
    """A fork inherits the state of every random generator: make it different."""
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    if "sage.misc.randstate" in sys.modules:
        sys.modules["sage.misc.randstate"].set_random_seed()


def _words(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"killed by {signal.Signals(os.WTERMSIG(status)).name}"
    return f"exit code {os.WEXITSTATUS(status)}"


def main() -> NoReturn:
    control = socket.socket(fileno=int(os.environ.pop(CONTROL)))
    control.setblocking(True)  # it was made by a cooperative process
    options = json.loads(os.environ.pop(OPTIONS))
    die_with_parent()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    shell, language = load(Shell, options["preload"])
    if options["warm_up"]:
        with contextlib.redirect_stdout(io.StringIO()):
            for code in language.warm_up:
                shell.run_cell(code, store_history=False)
    _reseed()  # imports what a session would otherwise import for itself
    # Our own code is imported; the user's `import app` shall find the user's.
    sys.path.remove(os.getcwd())
    ready = Message(ready=Ready(language=language.name, warning=language.warning))
    control.sendall(encode(ready))
    gc.collect()
    gc.freeze()
    assert isinstance(shell, Shell)
    Zygote(control, shell, Path(options["homes"])).serve()


if __name__ == "__main__":
    main()

"""The warm process from which sessions are forked. Runs in Sage's interpreter.

It is exec'd by the sage server, has one thread, and speaks with it over the socket at file
descriptor `SALVUS_CONTROL`: Ready once it is warm; Fork (with a session's socket and its
standard output as descriptors) is answered by Forked; Signal is passed on to a session's
process group; Exited tells how a session ended, at once. When the server goes, so does
the zygote, and with it every session. `sandbox.py` keeps the sessions in bounds.
"""

from __future__ import annotations

import contextlib
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

from app.sage import kernel, sandbox
from app.sage.language import load
from app.sage.mappings import Layout
from app.sage.sandbox import Sandbox
from app.sage.worker import Shell, Worker, forget_results
from app.wire.decoder import Decoder, encode, parse
from app.wire.messages_pb2 import Exited, Fork, Forked, Message, Ready, Signal

CONTROL = "SALVUS_CONTROL"  # the number of the control socket's descriptor
OPTIONS = "SALVUS_ZYGOTE"  # JSON: homes, preload, warm_up, sandbox
MAX_MESSAGE = 1 << 20
READY = b"\x06"  # a session's first byte


class Zygote:
    def __init__(
        self, control: socket.socket, shell: Shell, homes: Path, bounds: Sandbox | None
    ) -> None:
        self._control = control
        self._shell = shell
        self._homes = homes
        self._sandbox = bounds
        self._decoder = Decoder(MAX_MESSAGE)
        self._descriptors: list[int] = []
        self._sessions: dict[str, tuple[int, int]] = {}  # its pid, its init's
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
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
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
        connection, stdout, *rest = self._descriptors
        groups, self._descriptors = rest[: order.cgroups], rest[order.cgroups :]
        try:
            pid, init = self._sandbox.fork() if self._sandbox else (os.fork(), 0)
        except OSError as error:
            reason = f"no process could be made for it: {error.strerror}"
            self._send(Message(exited=Exited(session=order.session, reason=reason)))
        else:
            if pid == 0:
                self._become_session(order, connection, stdout, groups)
            self._sessions[order.session] = pid, init
            self._selector.register(os.pidfd_open(pid), selectors.EVENT_READ, order.session)
            self._send(Message(forked=Forked(session=order.session, pid=pid)))
        for descriptor in (connection, stdout, *groups):
            os.close(descriptor)

    def _signal(self, order: Signal) -> None:
        pid, _ = self._sessions.get(order.session, (0, 0))
        if pid:
            try:
                os.killpg(pid, order.number)
            except ProcessLookupError:  # it is so young that it has no group yet
                os.kill(pid, order.number)

    def _report_exit(self, descriptor: int, session: str) -> None:
        self._selector.unregister(descriptor)
        os.close(descriptor)
        pid, init = self._sessions.pop(session)
        _, status = os.waitpid(pid, 0)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)  # what the session has started
        if self._sandbox:
            self._sandbox.end(init)
        self._send(Message(exited=Exited(session=session, reason=_words(status))))

    def _become_session(
        self, order: Fork, connection: int, stdout: int, groups: list[int]
    ) -> NoReturn:
        """In the child: be a session of its own, and never come back."""
        try:
            os.setsid()
            die_with_parent()
            os.dup2(stdout, 1)
            os.dup2(stdout, 2)
            for group in groups:
                os.write(group, b"0")  # whoever writes it joins
            sandbox.close_all_but(connection)
            listeners = self._sandbox.enter(order.number, order.bounds) if self._sandbox else []
            if not (self._sandbox and self._sandbox.moved_in):
                home = self._homes / order.session
                home.mkdir(mode=0o700, parents=True)
                os.environ["HOME"] = str(home)
            os.chdir(os.environ["HOME"])
            sys.path.insert(0, "")
            _reseed()
            to_server = socket.socket(fileno=connection)
            to_server.setblocking(True)  # it was made by a cooperative process
            worker = Worker(self._shell, to_server, order.mark)
            worker.rehearse()
            _introduce(to_server, listeners)
            worker.serve()
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(70)  # EX_SOFTWARE


def _introduce(to_server: socket.socket, listeners: list[int]) -> None:
    """Say that we are ready; with it go our home, this process, and where to ask for a network."""
    home = os.open(os.environ["HOME"], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    passed = [home, os.pidfd_open(os.getpid()), *listeners]
    socket.send_fds(to_server, [READY], passed)
    for descriptor in passed:
        os.close(descriptor)


def die_with_parent() -> None:
    """Have the kernel kill this process as soon as the one that forked it is gone."""
    parent = os.getppid()
    kernel.die_with_parent(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def _reseed() -> None:
    """A fork inherits the state of every random generator: make it different."""
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    if "sage.misc.randstate" in sys.modules:
        randstate = sys.modules["sage.misc.randstate"]
        randstate.set_random_seed()
        # Sage would seed these only when it uses them itself, not when a user does.
        state = randstate.current_randstate()
        for library in ("pari", "libgap", "libc", "ntl"):
            forced = (True,) if library in ("libc", "ntl") else ()
            getattr(state, f"set_seed_{library}")(*forced)


def _words(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"killed by {signal.Signals(os.WTERMSIG(status)).name}"
    return f"exit code {os.WEXITSTATUS(status)}"


def main() -> NoReturn:
    control = socket.socket(fileno=int(os.environ.pop(CONTROL)))
    control.setblocking(True)  # it was made by a cooperative process
    control.set_inheritable(False)
    options = json.loads(os.environ.pop(OPTIONS))
    die_with_parent()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    ours = os.getcwd()
    bounds = sandbox.from_options(options["sandbox"]) if options["sandbox"] else None
    if bounds:
        bounds.move_in()
        bounds.try_all()
    layout = Layout()
    shell, language = load(Shell, options["preload"])
    if options["warm_up"]:
        with contextlib.redirect_stdout(io.StringIO()):
            for code in language.warm_up:
                shell.run_cell(code, store_history=False)
        forget_results(shell)
    if bounds:
        bounds.furnish()
    _reseed()  # imports what a session would otherwise import for itself
    # Our own code is imported; the user's `import app` shall find the user's.
    sys.path.remove(ours)
    report = bounds.report if bounds else {}
    ready = Message(
        ready=Ready(
            language=language.name,
            warning=language.warning,
            protections=report,
            files=language.files,
        )
    )
    layout.settle()
    gc.collect()
    gc.freeze()
    control.sendall(encode(ready))
    assert isinstance(shell, Shell)
    Zygote(control, shell, Path(options["homes"]), bounds).serve()


if __name__ == "__main__":
    main()

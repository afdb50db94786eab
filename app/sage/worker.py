"""One session: executes what it is told, and sends every step of it as a frame.

Runs in Sage's interpreter, in a process forked by the zygote, on its only thread. Nothing
is buffered here but a line: standard output is a pipe that the sage server reads at its own
pace, so output is neither lost nor late when C code holds the interpreter.

SIGINT is blocked except while the user's code runs: an interrupt that comes too late, and
is found pending when the next run starts, is thrown away. The server sends one only after
a run's Started frame, which is sent after that.
"""

from __future__ import annotations

import builtins
import contextlib
import ctypes
import getpass
import io
import json
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from IPython.core.completer import provisionalcompleter, rectify_completions
from IPython.core.events import EventManager, available_events
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
from IPython.utils.tokenutil import token_at_cursor

from app.sage import dialects, documentation, tracebacks
from app.sage.display import Publisher, ResultHook
from app.sage.files import Home
from app.sage.interact import Interacts
from app.sage.splitter import mark
from app.sage.tracebacks import Cells
from app.wire.decoder import Decoder, encode, parse
from app.wire.messages_pb2 import (
    Complete,
    CompleteReply,
    Execute,
    Finished,
    Frame,
    InputRequest,
    Inspect,
    InspectReply,
    Message,
    Started,
    Stream,
    Traceback,
    Update,
)

MAX_MESSAGE = 1 << 30  # the server's own messages; it has checked the user's
MAX_MATCHES = 500
INTERRUPT = {signal.SIGINT}
REHEARSED = "1+1"


class Nobody:
    """Takes the frames of a shell that has no session yet, while it warms up."""

    def send(self, frame: Frame) -> None:
        pass


class Events(EventManager):  # type: ignore[misc]
    """What is called before and after each cell. IPython's own takes an interrupt that comes just
    then for a mistake of what is called, and runs the cell."""

    def trigger(self, event: str, *arguments: Any, **options: Any) -> None:
        for callback in tuple(self.callbacks[event]):
            try:
                callback(*arguments, **options)
            except Exception:
                print(f"Error in {callback}, which is called at {event}:")
                self.shell.showtraceback()


class Shell(InteractiveShell):  # type: ignore[misc]
    """IPython's shell with its output turned into frames."""

    displayhook_class = ResultHook
    display_pub_class = Publisher
    compiler_class = Cells
    worker: Worker | Nobody = Nobody()
    events: EventManager
    _inputhook = None  # Sage's `attach` asks for it

    def init_events(self) -> None:
        super().init_events()
        callbacks = self.events.callbacks
        self.events = Events(self, available_events)
        self.events.callbacks.update(callbacks)

    def showtraceback(self, exc_tuple: Any = None, *args: Any, **kwargs: Any) -> None:
        """Interrupts and deep recursions get the plain traceback: at once, not in seconds."""
        kind, error, _ = exc_tuple or sys.exc_info()
        if tracebacks.is_group(error):
            self._showtraceback(kind, error, traceback.format_exception(error))
            return
        usual = self.InteractiveTB.mode
        if isinstance(error, KeyboardInterrupt) or tracebacks.is_deep(error):
            self.InteractiveTB.set_mode("Plain")
        try:
            super().showtraceback(exc_tuple, *args, **kwargs)
        finally:
            self.InteractiveTB.set_mode(usual)

    def _showtraceback(self, etype: Any, evalue: Any, stb: list[str]) -> None:
        told = tracebacks.tell(evalue, self.compile)
        whole = told.text if told.whole else self.InteractiveTB.stb2text(stb)
        self.worker.send(
            Frame(
                traceback=Traceback(
                    name=_text(getattr(etype, "__name__", str(etype))),
                    value=_text(tracebacks.message(evalue)),
                    text=_text(whole),
                    short="" if told.whole else _text(told.text),
                )
            )
        )

    def transform_cell(self, raw_cell: str) -> str:
        """Also of cells in another language, whose first line names it."""
        return dialects.transformed(self, raw_cell, super().transform_cell)

    def _inspect(self, meth: str, oname: str, namespaces: Any = None, **kw: Any) -> Any:
        """What `name?` and `name??` do: help as a page shows it, where there is some."""
        detail = kw.get("detail_level", 0)
        html = documentation.explained(self, oname, source=detail > 0) if meth == "pinfo" else ""
        if not html:
            return super()._inspect(meth, oname, namespaces, **kw)
        text = self.object_inspect_text(oname, detail)
        self.display_pub.publish({"text/plain": text, "text/html": html})
        return None

    def _format_exception_for_storage(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """IPython would format every traceback a second time, for saving notebooks."""
        return {}

    def ask_exit(self) -> None:
        print("This session lives on; to end it, press Restart session.")

    def enable_gui(self, gui: str | None = None) -> None:
        """There is no screen here."""

    def enable_matplotlib(self, gui: str | None = None) -> Any:
        """Figures are shown in the page, whatever else is asked for."""
        return super().enable_matplotlib("inline")


class StandardError(io.TextIOBase):
    """sys.stderr: whole lines as frames, so that they keep their place and their colour."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._line = ""

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 2

    def write(self, text: str) -> int:
        self._line += text
        if "\n" in text or "\r" in text or len(self._line) > 8192:
            self.flush()
        return len(text)

    def flush(self) -> None:
        line, self._line = self._line, ""
        if line:
            self._worker.send(Frame(stream=Stream(name=Stream.STDERR, text=_text(line))))


class Worker:
    def __init__(self, shell: Shell, connection: socket.socket, secret: bytes) -> None:
        """`connection`: to the sage server; `secret`: of the marks in standard output."""
        self._shell = shell
        self._socket = connection
        self._secret = secret
        self._decoder = Decoder(MAX_MESSAGE)
        self._received: list[bytes] = []
        self._sent = 0
        self._sending = threading.RLock()  # the user's threads display things too
        # A copy of our own, in case the user closes the original.
        self._stdout = os.dup(1)
        self._libc = ctypes.CDLL(None)
        self._run = ""
        self.cell = ""  # that runs
        self.area = ""  # where output belongs: into the interact of this id
        self.interacts = Interacts(shell, self)
        self._home = Home(os.environ["HOME"])
        shell.worker = self

    def rehearse(self) -> None:
        """Run a cell that nobody sees: it touches, and so makes ours, the memory a run needs."""
        signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPT)
        self._take_over()
        audience, stdout = self._socket, os.dup(self._stdout)
        self._socket, nobody = socket.socketpair()
        nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        self._point_output_at(nowhere)
        self._work("", "", lambda: _status(self._shell.run_cell(REHEARSED)))
        forget_results(self._shell)
        self._point_output_at(stdout)
        for each in (self._socket, nobody):
            each.close()
        for descriptor in (nowhere, stdout):
            os.close(descriptor)
        self._socket, self._sent = audience, 0

    def _point_output_at(self, descriptor: int) -> None:
        for number in (1, 2):
            os.dup2(descriptor, number)
        os.dup2(descriptor, self._stdout, inheritable=False)

    def serve(self) -> NoReturn:
        """Do what the server says until it hangs up."""
        while True:
            message = self._receive()
            kind = message.WhichOneof("body")
            if kind == "execute":
                self._execute(message.execute)
            elif kind == "update":
                self._update(message.update)
            elif kind == "complete":
                self.send_message(Message(complete_reply=self._complete(message.complete)))
            elif kind == "inspect":
                self.send_message(Message(inspect_reply=self._inspect(message.inspect)))
            elif kind == "files_changed":
                self._home.written()  # by somebody else

    # -- Sending and receiving -------------------------------------------------

    def send(self, frame: Frame) -> None:
        """Send a frame, placed behind everything that has been printed so far."""
        frame.run, frame.area = self._run, self.area
        self.send_message(Message(frame=frame))

    @contextlib.contextmanager
    def inside(self, area: str) -> Iterator[None]:
        """What is sent and printed meanwhile belongs into an interact."""
        before = self.area
        self._go_to(area)
        try:
            yield
        finally:
            self._go_to(before)

    def _go_to(self, area: str) -> None:
        """From here on output belongs elsewhere, which a frame without content says."""
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPT)
        try:
            with contextlib.suppress(OSError, ValueError, AttributeError):
                sys.stderr.flush()  # unless the user's code has closed or replaced it
            self.area = area
            self.send(Frame())
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)

    def send_message(self, message: Message) -> None:
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPT)
        try:
            with self._sending:
                self._flush_output()
                self._sent += 1
                os.write(self._stdout, mark(self._secret, self._sent))
                self._socket.sendall(encode(message))
        except OSError:
            os._exit(0)  # the server is gone, or the user closed what connects us
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)

    def _receive(self) -> Message:
        while not self._received:
            data = self._socket.recv(1 << 16)
            if not data:
                os._exit(0)
            self._received.extend(self._decoder.feed(data))
        return parse(self._received.pop(0))

    def _flush_output(self) -> None:
        try:
            sys.stdout.flush()
        except (OSError, ValueError, AttributeError):
            pass  # closed or replaced by the user's code
        self._libc.fflush(None)

    # -- Running ---------------------------------------------------------------

    def _execute(self, order: Execute) -> None:
        self.cell = order.cell
        self.interacts.forget_cell(order.cell)
        self._work(order.run, "", lambda: self._run_cell(order.code))

    def _update(self, order: Update) -> None:
        """Call the function of an interact with new values, in its own area."""
        answers = json.loads(order.values)
        self._work(
            order.run, order.interact, lambda: self.interacts.update(order.interact, answers)
        )

    def _work(self, run: str, area: str, work: Callable[[], Finished.Status]) -> None:
        """Do `work` for a run, with output into `area`, and tell how it begins and ends."""
        self._run, self.area = run, area
        while signal.sigtimedwait(INTERRUPT, 0):
            pass  # meant for an earlier run
        self.send(Frame(started=Started(time=time.time())))
        began = time.monotonic()
        status = self._interruptible(work)
        self.area = area
        self._forget_outputs()
        self._repair_streams()
        if (written := self._home.written()) is not None:
            self.send(Frame(files=written))
        self.send(
            Frame(
                finished=Finished(status=status, time=time.time(), seconds=time.monotonic() - began)
            )
        )
        self._run = self.area = ""

    def _interruptible(self, work: Callable[[], Finished.Status]) -> Finished.Status:
        """Do `work`, which is the user's code and nothing of ours, with SIGINT let through."""
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPT)
            status = work()
            signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPT)
        except KeyboardInterrupt:  # in the moment before or after
            signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPT)
            return Finished.INTERRUPTED
        return status

    def _run_cell(self, code: str) -> Finished.Status:
        return _status(self._shell.run_cell(code, store_history=True))

    def _forget_outputs(self) -> None:
        """IPython keeps a copy of every output for saving notebooks; we have our own."""
        history = self._shell.history_manager
        if history is not None:
            history.outputs.clear()
            history.exceptions.clear()

    def _ask(self, prompt: object = "", *, password: bool = False) -> str:
        """What `input` and `getpass` do."""
        self.send(Frame(input_request=InputRequest(prompt=_text(str(prompt)), password=password)))
        while True:
            message = self._receive()
            if message.WhichOneof("body") == "input_reply" and message.input_reply.run == self._run:
                return message.input_reply.text

    # -- Helping to write ------------------------------------------------------

    def _complete(self, request: Complete) -> CompleteReply:
        reply = CompleteReply(request=request.request, start=request.cursor, end=request.cursor)
        with provisionalcompleter():
            raw = self._shell.Completer.completions(request.code, request.cursor)
            matches = list(rectify_completions(request.code, raw))[:MAX_MATCHES]
        if matches:
            reply.start, reply.end = matches[0].start, matches[0].end
            reply.matches.extend(dict.fromkeys(_text(match.text) for match in matches))
        return reply

    def _inspect(self, request: Inspect) -> InspectReply:
        name = token_at_cursor(request.code, request.cursor)
        try:
            text = self._shell.object_inspect_text(name, detail_level=int(request.source))
        except KeyError:
            return InspectReply(request=request.request, found=False)
        html = documentation.explained(self._shell, name, source=request.source)
        return InspectReply(request=request.request, found=True, text=_text(text), html=_text(html))

    # -- The process's own streams ----------------------------------------------

    def _take_over(self) -> None:
        """Make Python's streams and questions ours."""
        sys.stdout = _standard_output()
        sys.stderr = StandardError(self)
        sys.stdin = open(os.devnull, encoding="utf-8")
        builtins.input = self._ask
        getpass.getpass = lambda prompt="Password: ", stream=None: self._ask(prompt, password=True)
        # C's own standard output by lines, so that it keeps its place among Python's.
        stdout = ctypes.c_void_p.in_dll(self._libc, "stdout")
        self._libc.setvbuf(stdout, None, 1, 0)  # 1: _IOLBF

    def _repair_streams(self) -> None:
        """Give back what the user's code closed; what it replaced on purpose stays."""
        self._flush_output()
        ours = os.fstat(self._stdout)
        for number in (1, 2):
            try:
                same = os.path.samestat(os.fstat(number), ours)
            except OSError:
                same = False
            if not same:
                os.dup2(self._stdout, number)
        if sys.stdout is None or sys.stdout.closed:
            sys.stdout = _standard_output()
        if sys.stderr is None or sys.stderr.closed:
            sys.stderr = StandardError(self)
        sys.stderr.flush()


def forget_results(shell: Shell) -> None:
    """As if no cell had shown a result yet: `_` and `Out` are empty."""
    shell.displayhook.flush()
    for name in ("_0", "_1"):
        shell.user_ns.pop(name, None)


def _standard_output() -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedWriter(io.FileIO(1, "w", closefd=False)),
        encoding="utf-8",
        errors="backslashreplace",
        line_buffering=True,
    )


def _status(result: ExecutionResult) -> Finished.Status:
    error = result.error_before_exec or result.error_in_exec
    if error is None:
        return Finished.OK
    if isinstance(error, KeyboardInterrupt):
        return Finished.INTERRUPTED
    return Finished.ERROR


def _text(value: str) -> str:
    """Text that can be sent: Python's may hold lone surrogates."""
    return value.encode("utf-8", "backslashreplace").decode()

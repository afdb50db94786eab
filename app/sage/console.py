"""A terminal's way to a sage server: `python salvus.py console`.

At a terminal it reads, runs and shows, line after line. Anything else on standard input is one
piece of code: it is run, and how that ended is the exit code.

The session is the console's own and ends with it; what interrupts the connection does not end
it. One greenlet reads what the server sends and shows it; the main one types and waits.
"""

from __future__ import annotations

import functools
import os
import re
import signal
import socket
import ssl
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click
import gevent
from gevent.queue import SimpleQueue

from app import layout
from app.sage.caller import Caller, CallLost
from app.sage.rendering import Rendering
from app.sage.statements import is_leaving
from app.sage.usage import size
from app.settings import Settings
from app.token import site_token
from app.wire.connection import connect
from app.wire.decoder import PROTOCOL_VERSION, ProtocolError
from app.wire.messages_pb2 import (
    Active,
    Complete,
    CompleteReply,
    End,
    Execute,
    Finished,
    Frame,
    Hello,
    InputReply,
    InputRequest,
    Interrupt,
    Message,
    Refused,
    State,
)
from app.wire.stream import Stream
from app.wire.tls import Identity, client_context

if TYPE_CHECKING:
    from app.sage.prompt import Prompt

ACCOUNT, KIND = "console", "owner"  # whoever has the site's token owns the site
EXIT_CODES = {Finished.OK: 0, Finished.INTERRUPTED: 130}
COMPLETE_SECONDS = 5.0  # a completion may take
SLOW = 1.0  # seconds of starting after which that is said
DEAF = 2.0  # seconds after an interrupt in which a run should have stopped
END_SECONDS = 3.0  # a session may take to end
ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(:(?P<port>\d{1,5}))?")
WORDS = {State.STARTING: "starting", State.IDLE: "idle", State.BUSY: "busy",
         State.WAITING: "waiting"}  # fmt: skip


class Console:
    def __init__(
        self, *, connect: Callable[[], tuple[Stream, Hello]], rendering: Rendering, where: str
    ) -> None:
        self._caller = Caller(connect=connect, hearer=self, account=ACCOUNT, kind=KIND)
        self._rendering = rendering
        self._where = where
        self._events: SimpleQueue[InputRequest | Finished | str | OSError] = SimpleQueue()
        self._prompt: Prompt | None = None
        self._run = ""  # the run that is waited for
        self._is_lost = False  # the connection
        self._state = State()
        self._usage = ""
        self._death_is_told = False  # of the latest session

    def start(self) -> None:
        """Connect, and let signals reach what runs. Raises OSError, ProtocolError."""
        self._caller.start()
        # Or the prompt's event loop would take this signal for its own, and not give it back.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        leave = functools.partial(gevent.kill, gevent.getcurrent(), SystemExit(1))
        for number, handler in (
            (signal.SIGINT, self._interrupt),
            (signal.SIGQUIT, self._end_run),
            (signal.SIGTERM, leave),
            (signal.SIGHUP, leave),
        ):
            gevent.signal_handler(number, handler)

    def stop(self) -> None:
        """End the session, and say so where that can't be done."""
        try:
            self._death_is_told = True  # it is no news
            self._caller.end(END_SECONDS)
        except CallLost as error:
            self._note(f"the session could not be ended ({error}); unused, it ends by itself")
        self._caller.stop()

    def converse(self, history: Path) -> None:
        """Read, run and show until Ctrl-D."""
        from app.sage.prompt import Prompt  # slow, and of no use to other commands

        self._prompt = Prompt(
            sign="sage: " if self._caller.language.startswith("Sage") else ">>> ",
            history=history,
            complete=self._complete,
            status=self._status,
            touched=self._touch,
        )
        click.secho(
            f"{self._caller.language} at {self._where}. Tab completes, name? explains, Ctrl-C"
            " interrupts;\nCtrl-D leaves and ends the session.",
            dim=True,
        )
        while True:
            try:
                code = self._prompt.read()
            except KeyboardInterrupt:
                continue
            except EOFError:
                return
            if is_leaving(code):
                return
            if code.strip():
                self.run(code)

    def run(self, code: str) -> int:
        """Run it, showing what comes; how it ended, as an exit code. Raises OSError when
        nothing can be shown any more.
        """
        order = Execute(run=str(uuid.uuid4()), cell=str(uuid.uuid4()), code=code)
        self._run = order.run
        self._caller.execute(order)
        try:
            while True:
                event = self._events.get()
                if isinstance(event, InputRequest):
                    self._answer(event)
                elif isinstance(event, Finished):
                    return EXIT_CODES.get(event.status, 1)
                elif isinstance(event, OSError):
                    raise event
                else:
                    self._note(event)
                    return 1
        finally:
            self._run = ""

    # -- Called by the caller, in its greenlet -------------------------------------------

    def hear(self, message: Message) -> None:
        kind = message.WhichOneof("body")
        if kind == "frame":
            self._show(message.frame)
        elif kind == "state":
            self._take_state(message.state)
        elif kind == "usage":
            found = {meter.what: meter for meter in message.usage.meters}
            memory = found["memory"]
            self._usage = f"memory {size(memory.used)} of {size(memory.allowed)}"
        elif kind == "refused":
            self._refused(message.refused)
        elif kind == "gone":
            self._end_wait("the session is over; what it sent meanwhile is not shown here")

    def lost(self, reason: str) -> None:
        self._is_lost = True
        self._note(f"connection lost: {reason}; trying to get it back")

    def found(self) -> None:
        self._is_lost = False
        self._note("connected again")

    def _refused(self, refused: Refused) -> None:
        if refused.about == self._run:
            self._end_wait(refused.reason)
        else:  # as an interrupt that comes too late
            self._note(refused.reason)

    def _show(self, step: Frame) -> None:
        if step.run != self._run:
            return
        try:
            self._rendering.show(step)
        except OSError as error:  # whoever read our output has gone
            self._events.put(error)
        if step.HasField("input_request"):
            self._events.put(step.input_request)
        elif step.HasField("finished") and not step.update:
            self._death_is_told = step.finished.status == Finished.DIED
            self._end_wait(step.finished)

    def _end_wait(self, result: Finished | str) -> None:
        """Nothing more comes of what was run, nor of a question it has asked."""
        self._events.put(result)
        if self._prompt is not None:
            self._prompt.withdraw()

    def _take_state(self, state: State) -> None:
        before, self._state = self._state, state
        if state.kind == State.WAITING and state.place != before.place:
            self._note(
                f"place {state.place} in the queue: {state.reason}. Ctrl-C leaves the queue"
            )
        elif state.kind == State.STARTING and state.reason:
            gevent.spawn_later(SLOW, self._tell_slow, state)
        elif state.kind == State.DEAD:
            if not self._death_is_told and before.session == state.session:
                self._note(f"the session ended: {state.reason}")
            self._death_is_told, self._usage = False, ""
        elif state.ends_in and not before.ends_in:
            self._note(
                f"nobody uses this session: it ends in {state.ends_in:.0f} s;"
                " typing something keeps it"
            )

    def _tell_slow(self, state: State) -> None:
        if self._state is state:
            self._note(state.reason)

    # -- What the person does -------------------------------------------------------------

    def _interrupt(self) -> None:
        """Ctrl-C while something runs."""
        if not self._run:
            return
        self._rendering.echoed()
        if self._is_lost:
            self._caller.forget_order()
            self._end_wait("the server is away; what was run may still be running there")
        elif self._state.kind == State.WAITING:
            self._tell(end=End())
        else:
            self._tell(interrupt=Interrupt(run=self._run))
            gevent.spawn_later(DEAF, self._tell_deaf, self._run)

    def _tell_deaf(self, run: str) -> None:
        if self._run == run:
            self._note("it does not stop: Ctrl-\\ ends the session")

    def _end_run(self) -> None:
        """Ctrl-\\ while something runs."""
        if self._run:
            self._rendering.echoed()
            self._tell(end=End())

    def _answer(self, request: InputRequest) -> None:
        """Have the question of the code that runs answered."""
        run = self._run
        if self._prompt is None:
            self._note("the code asks for input, and nobody is here to answer")
            self._tell(interrupt=Interrupt(run=run))
            return
        try:
            text = self._prompt.ask(request.prompt, password=request.password)
        except (KeyboardInterrupt, EOFError):
            if self._events.empty():  # else the question was withdrawn
                self._tell(interrupt=Interrupt(run=run))
        else:
            self._tell(input_reply=InputReply(run=run, text=text))

    def _complete(self, code: str, cursor: int) -> CompleteReply | None:
        request = str(uuid.uuid4())
        question = Complete(request=request, code=code, cursor=cursor)
        found = self._caller.ask(request, COMPLETE_SECONDS, complete=question)
        return found.complete_reply if found else None

    def _touch(self) -> None:
        self._tell(active=Active())

    def _tell(self, **body: object) -> None:
        try:
            self._caller.send(**body)
        except CallLost:
            pass  # which has been said

    # -- What the person sees besides output ------------------------------------------------

    def _note(self, text: str) -> None:
        if self._prompt is None:
            self._rendering.note(text)
        else:
            self._prompt.out_of_the_way(functools.partial(self._rendering.note, text))

    def _status(self) -> str:
        """The last line of the screen while a line is typed."""
        if self._is_lost:
            return f"{self._where} is away"
        state = self._state
        if state.kind not in WORDS:
            return f"{self._where}: a session begins with the first line"
        left = f"ends in {state.ends_in:.0f} s" if state.ends_in else ""
        return " · ".join(filter(None, (self._where, WORDS[state.kind], self._usage, left)))


def command(
    read: Callable[[], Settings], identity: Callable[[Settings], Identity]
) -> click.Command:
    """`console`; settings and this host's certificate are asked for when it runs."""

    @click.command()
    @click.argument("host", default="")
    @click.option("--pictures", type=click.Path(file_okay=False, exists=True, path_type=Path),
                  help="Folder for pictures; by default a temporary one.")  # fmt: skip
    @click.option("--full", is_flag=True, help="Show all lines of tracebacks, not just yours.")
    def console(host: str, pictures: Path | None, full: bool) -> None:
        """Compute at this terminal, in a session of a sage server.

        HOST, "name" or "name:port", is the sage server's; by default this host's. Without a
        terminal, what is on standard input is run:

            echo 'factor(2^100-1)' | python salvus.py console
        """
        settings = read()
        address = address_of(host, settings)
        at = Console(
            connect=dialer(address, settings, identity(settings)),
            rendering=Rendering(folder=pictures, full=full),
            where=address,
        )
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        try:
            at.start()
        except (OSError, ProtocolError) as error:
            raise click.ClickException(explained(error, address, settings)) from error
        try:
            if sys.stdin.isatty() and sys.stdout.isatty():
                at.converse(history_file())
            else:
                sys.exit(at.run(sys.stdin.read()))
        except BrokenPipeError:
            _discard_output()
            sys.exit(1)
        finally:
            at.stop()

    return console


def address_of(host: str, settings: Settings) -> str:
    """host:port of the sage server that is meant by HOST on the command line."""
    if not host:
        host = layout.asked_at(settings.sage.host)
    if host.count(":") > 1:
        host = layout.bracketed(host)
    found = ADDRESS.fullmatch(host)
    if found is None or int(found["port"] or 0) > 65535:
        raise click.BadParameter(f"{host!r} is neither a name nor name:port", param_hint="HOST")
    return f"{found['host']}:{found['port'] or settings.sage.port}"


def dialer(
    address: str, settings: Settings, identity: Identity
) -> Callable[[], tuple[Stream, Hello]]:
    """What opens a stream to a sage server. Raises ClickException if we have no right to."""
    for path in (settings.data_dir / "token", identity.ca, identity.certificate, identity.key):
        if not os.access(path, os.R_OK):
            what = "may not be read" if path.exists() else "is not there"
            raise click.ClickException(
                f"{path} {what}: a console shows the site's token and certificate. Run it as the"
                " user whom the site runs as, on a host of the site; [site] data_dir"
                " (SALVUS_SITE_DATA_DIR) names its folder"
            )
    try:
        context = client_context(identity)
    except OSError as error:
        reason = f"{identity.ca.parent}: no usable certificate ({error})"
        raise click.ClickException(reason) from error

    def dial() -> tuple[Stream, Hello]:
        return connect(
            address,
            Hello(
                version=PROTOCOL_VERSION, node=f"console on {socket.gethostname()}", role="console"
            ),
            token=site_token(settings.data_dir),  # which may have changed
            context=context,
            max_message=settings.wire.max_message,
            silence=settings.wire.silence,
            seconds=settings.wire.hello_seconds,
        )

    return dial


def explained(error: Exception, address: str, settings: Settings) -> str:
    """Why there is no stream to a sage server, and what helps."""
    authority = settings.data_dir / "certificates"
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"{address} shows a certificate that is not of this site ({error.verify_message}):"
            f" {authority} must be of the site that this server belongs to"
        )
    if isinstance(error, ssl.SSLError):
        return (
            f"{address} does not accept this host's certificate, or is no sage server"
            f" ({error.reason}): {authority} must be of the site that it belongs to"
        )
    if isinstance(error, ProtocolError):
        return (
            f"{address}: {error}. Token and certificates under {settings.data_dir} must be of"
            " the site that this server belongs to"
        )
    if isinstance(error, socket.gaierror):
        return f"{address}: no host of this name is known ({error.strerror})"
    reason = error.strerror if isinstance(error, OSError) and error.strerror else error
    return (
        f"no sage server answers at {address} ({reason}): `python salvus.py supervise` or"
        " `python salvus.py sage` starts one, HOST names another"
    )


def history_file() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "salvus" / "history"


def _discard_output() -> None:
    """Nobody reads it any more: Python must not complain of that at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

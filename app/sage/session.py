"""One session as its sage server sees it: a queue of runs, a process, a journal.

A session is made before it has a process (it may have to wait for one) or before it has a
worksheet (a spare); what comes early waits. One greenlet reads what the process sends and
keeps it, in order; if the disk is full it stops reading, which stops the process.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import logging
import os
import signal
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

import gevent
from gevent.event import Event
from gevent.hub import get_hub

from app.limits import larger
from app.sage import kernel
from app.sage.cgroups import Group
from app.sage.journal import Begun, Journal
from app.sage.keeper import Folder
from app.sage.processes import Table
from app.sage.proxy import Proxy
from app.sage.spawner import Spawner
from app.sage.splitter import Splitter
from app.sage.transcript import Transcript
from app.sage.updates import Interacts, shown
from app.sage.usage import Excess, Gauge, Use, excess, memory_excess, meters
from app.settings import Limits
from app.wire.decoder import ProtocolError
from app.wire.messages_pb2 import (
    CompleteReply,
    Execute,
    FilesChanged,
    Finished,
    Frame,
    InspectReply,
    Message,
    Queued,
    State,
    Truncated,
    Update,
    Values,
)
from app.wire.messages_pb2 import Stream as StreamText
from app.wire.stream import Stream

READ = 1 << 16  # bytes of output in one frame, at most
SMALL = 1 << 12  # pieces below this are coalesced ...
PAUSE = 0.02  # ... for at most so many seconds
DISK_RETRY = 1.0  # seconds between tries to write to a full disk
LAST_WORDS = 1.0  # seconds a dead process's frames may take to arrive
GRACE = 5.0  # seconds that a run has to end once it was interrupted for its time
DESCRIPTORS = 8  # that a process may introduce itself with, at most
OUTPUT = ("stream", "bundle", "traceback", "files")  # frames that count as output

log = logging.getLogger(__name__)
Reply = Callable[[Message], None]


class Session:
    def __init__(
        self,
        *,
        id: str,
        number: int,
        secret: bytes,
        limits: Limits,
        warn_seconds: float,
        send_signal: Callable[[str, int], None],
        on_end: Callable[[Session], None],
    ) -> None:
        """`warn_seconds`: so long before an idle session is ended, it says so;
        `send_signal(session, number)` reaches its process.
        """
        self.id = id
        self.number = number  # which no other living session of the pool has
        self.secret = secret
        self.limits = limits
        self.journal: Journal | Transcript | None = None
        self.spawner: Spawner | None = None  # it was asked for our process
        self.group: Group | None = None
        self.folder: Folder | None = None  # keeps the files of its home
        self.substitute: Session | None = None  # answers questions while this one computes
        self.cpu_seconds = 0.0  # that it had used when it was last looked at
        self._warn_seconds = warn_seconds
        self._send_signal = send_signal
        self._on_end = on_end
        self._process: Stream | None = None
        self._stdout = -1
        self._readable = Event()
        self.end_reason: str | None = None  # once its process has ended
        self._killed_because = ""
        self._splitter = Splitter(secret)
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._waiting: deque[Execute | Update] = deque()
        self._known: set[str] = set()
        self._current: Execute | Update | None = None
        self._interacts = Interacts()
        self._area = ""  # where what is printed now belongs: into the interact of this id
        self._started = False
        self._interrupt_early = False
        self._last_run = ""
        self._output = 0  # bytes the current run has sent
        self._session_output = 0  # and all runs
        self._truncated = False  # whether the rest of the current run's is left out
        self._gauge: Gauge | None = None
        self._shown_use: Use | None = None
        self._proxy: Proxy | None = None
        self._began = self._run_began = self._active = time.monotonic()
        self._awaits_files = False
        self._place = 0  # in the queue for a process; 0: it does not wait there
        self._waits_for = "waiting for Sage to start"
        self._ends_in = 0.0  # seconds, when it will soon be ended as idle
        self._overdue: Excess | None = None  # why the current run was interrupted ...
        self._overdue_since = 0.0  # ... and when
        self._replies: dict[str, Reply] = {}

    # -- What is asked of it -----------------------------------------------------

    def serve(self, journal: Journal | Transcript, limits: Limits) -> None:
        """Work for somebody from now on: `journal` takes everything."""
        self.journal, self.limits = journal, limits
        self._began = self._active = time.monotonic()
        self._show_state()

    def change_limits(self, limits: Limits) -> None:
        """Others hold from now on: what is more at once. Of what is less again, a session that runs
        keeps what it had, but for the time that it may be idle; what the kernel holds it to
        stays as it began.
        """
        if self.spawner is None:
            self.limits = limits
            return
        before, self._shown_use = self.limits, None  # pages are shown what is allowed, too
        kept = ("cpu_seconds", "run_seconds", "session_seconds", "run_output", "session_output")
        self.limits = replace(
            before,
            sessions=limits.sessions,
            runs_per_hour=limits.runs_per_hour,
            idle_seconds=limits.idle_seconds,
            network=limits.network if before.network else (),
            **{name: larger(name, getattr(before, name), getattr(limits, name)) for name in kept},
        )

    def knows(self, run: str) -> bool:
        """Whether this run was asked for before."""
        return run in self._known

    def keep_files(self, folder: Folder) -> None:
        """Have the files of its home kept; those there are come first."""
        self.folder = folder
        self._awaits_files = folder.comes_first
        self._meet_folder()

    def wait_in_queue(self, place: int, reason: str) -> None:
        """Others come first: this is how it stands."""
        self._place, self._waits_for = place, reason
        self._show_state()

    def wait_for_zygote(self) -> None:
        self._place, self._waits_for = 0, "waiting for Sage to start"
        self._show_state()

    def connect(self, process: socket.socket, stdout: int, max_message: int) -> None:
        """There is a process: `stdout` is the reading end of its standard output."""
        os.set_blocking(stdout, False)
        self._process = Stream(process, max_message=max_message, silence=None)
        self._stdout, self._place = stdout, 0
        gevent.spawn(self._live, process)
        self._show_state()
        self._next()

    def is_unused_for(self, seconds: float) -> bool:
        """Whether it neither computes nor has anybody touched its page for so long."""
        return not (self.busy or self._waiting) and time.monotonic() - self._active >= seconds

    def touch(self) -> None:
        """Somebody is here: it is not idle."""
        self._active = time.monotonic()
        if self._ends_in:
            self._ends_in = 0.0
            self._show_state()

    def execute(self, order: Execute, worksheet: str) -> None:
        """Queue a run. Raises OSError when its first frame can't be kept."""
        if self.knows(order.run):
            return
        assert self.journal is not None
        queued = Queued(cell=order.cell, code=order.code, worksheet=worksheet, time=time.time())
        self.journal.append(Frame(run=order.run, queued=queued))
        self._known.add(order.run)
        self._interacts.forget_cell(order.cell)
        self._drop_forgotten()
        self._waiting.append(order)
        self.touch()
        self._next()

    def update(self, order: Update) -> None:
        """Queue a call of an interact's function with new values. Raises BadUpdate.

        Of those that wait only the newest counts, at the place of the first.
        """
        waiting = next(
            (each for each in self._waiting
             if isinstance(each, Update) and each.interact == order.interact),
            None,
        )
        wanted = self._interacts.wanted(order, waiting)
        if waiting is None:
            self._waiting.append(wanted)
        else:
            waiting.CopyFrom(wanted)
        self.touch()
        self._next()

    def cancel(self, run: str) -> None:
        """Take a run out of the queue."""
        for order in self._waiting:
            if isinstance(order, Execute) and order.run == run:
                self._waiting.remove(order)
                assert self.journal is not None
                end_runs(self.journal, "", [Begun(run)], Finished.CANCELLED)
                if self.is_waiting and not self._waiting:
                    self.kill("nothing was left to compute")
                return

    def interrupt(self, run: str) -> None:
        """Interrupt the current run; with `run`, only if it is that one."""
        if self._current is None or run not in ("", self._current.run):
            self.cancel(run)
        elif self._started:
            self._send_signal(self.id, signal.SIGINT)
        else:
            self._interrupt_early = True

    def kill(self, reason: str) -> None:
        """End the process; `reason` is what its viewers are told."""
        if self._process is None:
            self.fail(reason)
        else:
            self._killed_because = self._killed_because or reason
            self._send_signal(self.id, signal.SIGKILL)

    def fail(self, reason: str) -> None:
        """It never had a process."""
        self.end_reason = reason
        self._finish()

    def reply_input(self, order: Message) -> None:
        if self._process is not None and self._started:
            self._process.send(order)

    def ask(self, question: Message, reply: Reply) -> None:
        """Complete or inspect; `reply` gets the answer, at once if there can be none now.

        While it computes, a substitute answers: a fresh session that nobody else ever gets.
        """
        if self._process is not None and self._current is None:
            kind = question.WhichOneof("body")
            order = question.complete if kind == "complete" else question.inspect
            self._replies[order.request] = reply
            self._process.send(question)
        elif self.substitute is not None and self.substitute.end_reason is None:
            self.substitute.ask(question, lambda answer: reply(_partial(answer)))
        else:
            reply(_no_answer(question))

    def exited(self, reason: str) -> None:
        """The process has ended; what it said before is still read."""
        if self.end_reason is None:
            self.end_reason = self._killed_because or self._killed_for_memory() or reason
        self._readable.set()
        if self._process is not None:
            gevent.spawn_later(LAST_WORDS, self._process.close)

    @property
    def busy(self) -> bool:
        return self._current is not None

    @property
    def state(self) -> str:
        """In a word: waiting (for a process), starting, busy or idle."""
        if self._process is None:
            return "waiting" if self._place else "starting"
        return "busy" if self.busy else "idle"

    @property
    def use(self) -> Use:
        """What it used when it was looked at last."""
        return self._shown_use or Use()

    @property
    def used(self) -> float:
        """When somebody computed or was there last (monotonic)."""
        return time.monotonic() if self.busy or self._waiting else self._active

    @property
    def account(self) -> str:
        """Of the person it serves; empty for the site's tools, and before it serves."""
        return self.journal.opened.account if self.journal is not None else ""

    @property
    def is_waiting(self) -> bool:
        """Whether it is in the queue for a process."""
        return self._process is None and self._place > 0

    @property
    def is_watched(self) -> bool:
        return self.journal is not None and self.journal.viewers > 0

    def open_file(self, path: str) -> int:
        """A descriptor for reading a file of its home. Raises OSError."""
        if self._gauge is None:
            raise FileNotFoundError(errno.ENOENT, "the session has no home yet", path)
        return kernel.open_beneath(self._gauge.home, path)

    # -- Keeping it within its limits ----------------------------------------------

    def look(self, table: Callable[[], Table], runs: int = 0) -> None:
        """Compare what it uses with what it may, and act. `table`: of the host's processes;
        `runs`: that its person has begun within an hour."""
        if self._gauge is None or self.journal is None or self.end_reason is not None:
            return
        use = replace(self._use(table), runs=runs)
        self.cpu_seconds = use.cpu_seconds
        if self.busy or replace(use, seconds=0.0) != self._shown_use:
            self._shown_use = replace(use, seconds=0.0)
            self.journal.change_usage(meters(self.id, use, self.limits))
        found = excess(use, self.limits)
        if reason := self._killed_for_memory():
            self.kill(reason)
        elif found is not None and not found.run:
            self.kill(found.reason)
        elif found is not None:
            self._end_run(found)
        else:
            self._consider_idle()

    def _use(self, table: Callable[[], Table]) -> Use:
        assert self._gauge is not None
        now = time.monotonic()
        return replace(
            self._gauge.read(table, self.limits),
            output=self._session_output,
            run_seconds=now - self._run_began if self._started else 0.0,
            seconds=now - self._began,
        )

    def _killed_for_memory(self) -> str:
        """Why the kernel killed one of its processes for memory, if it did."""
        group = self.group
        try:
            if group is None or not group.memory_kills():
                return ""
            peak = group.peak_memory() or 0
        except OSError:
            return ""
        return memory_excess(max(peak - self.limits.disk, self.limits.memory), self.limits)

    def _end_run(self, why: Excess) -> None:
        """Interrupt a run that takes too long; end the session if it does not listen."""
        now = time.monotonic()
        if self._overdue is None:
            self._overdue, self._overdue_since = why, now
            self._send_signal(self.id, signal.SIGINT)
        elif now - self._overdue_since > GRACE:
            self.kill(f"{why.reason}; it did not stop when it was interrupted")

    def _consider_idle(self) -> None:
        """End it if nobody has computed or looked for long; say so before."""
        if self.busy or not self.limits.idle_seconds:
            return
        left = self.limits.idle_seconds - (time.monotonic() - self._active)
        if left <= 0:
            self.kill("nobody used it for a long time; the next run begins a new one")
        elif left <= self._warn_seconds:
            self._ends_in = left
            self._show_state()

    # -- Reading what the process sends -------------------------------------------

    def _live(self, process: socket.socket) -> None:
        """The session's greenlet: from its process's first byte to its last word."""
        try:
            self._get_to_know(process)
            self._read_all()
        except (ProtocolError, OSError) as error:
            if self.end_reason is None:
                self.kill(f"it broke its own connection to the server ({error})")
        except Exception:
            log.exception("session %s: our own mistake; it is ended", self.id)
            self.kill("the server made a mistake; see its log")
        if self.end_reason is None and not self._killed_because:
            self._wait_end(LAST_WORDS)
        if self.end_reason is None and not self._killed_because:
            self.kill("it closed its own connection to the server")
        while self.end_reason is None:
            self._wait_end(None)
        self._finish()

    def _get_to_know(self, process: socket.socket) -> None:
        """Wait until the process is ready; it sends descriptors of its home and itself."""
        said, descriptors, _, _ = socket.recv_fds(process, 1, DESCRIPTORS)
        if not said:
            return  # it has died, which is told in a moment
        home, itself, *listeners = descriptors
        self._gauge = Gauge(home=home, process=itself, group=self.group)
        self._meet_folder()
        for listener in listeners:
            self._proxy = Proxy(listener, allowed=lambda: self.limits.network)

    def _meet_folder(self) -> None:
        if self.folder is not None and self._gauge is not None:
            self.folder.open(os.dup(self._gauge.home), self._files_came)

    def _files_came(self) -> None:
        """Those of its worksheet are there; it has not written them."""
        if self._process is not None and self.end_reason is None:
            with contextlib.suppress(OSError):  # it has just died
                self._process.send(Message(files_changed=FilesChanged()))
        self._awaits_files = False
        self._show_state()
        self._next()

    def _wait_end(self, seconds: float | None) -> None:
        """Wait for the zygote's word that the process has ended."""
        if self.end_reason is None:
            self._readable.clear()
            self._readable.wait(seconds)

    def _read_all(self) -> None:
        while data := self._read_output():
            for piece in self._splitter.feed(data):
                if isinstance(piece, bytes):
                    self._printed(piece)
                elif not self._take_message():
                    return
            if len(data) < SMALL and self._current is not None:
                self._coalesce()
        self._printed(self._splitter.rest(), final=True)

    def _read_output(self) -> bytes:
        """Some output, waiting for it; nothing when there will be no more."""
        while True:
            try:
                return os.read(self._stdout, READ)
            except BlockingIOError:
                if self.end_reason is not None:
                    return b""
            self._readable.clear()
            watcher = get_hub().loop.io(self._stdout, 1)
            watcher.start(self._readable.set)
            try:
                self._readable.wait()
            finally:
                watcher.stop()
                watcher.close()

    def _coalesce(self) -> None:
        """Let small output gather in the pipe, but not while a frame waits behind it."""
        assert self._process is not None
        self._process.wait_readable(PAUSE)

    def _take_message(self) -> bool:
        """Read the message whose mark was found; False when the process is gone."""
        assert self._process is not None
        received = self._process.receive()
        if received is None:
            return False
        message = received.message
        kind = message.WhichOneof("body")
        if kind == "frame":
            self._take_frame(message.frame)
        elif kind in ("complete_reply", "inspect_reply"):
            reply = self._replies.pop(getattr(message, kind).request, None)
            if reply is not None:
                reply(message)
        else:
            raise ProtocolError(f"a session must not send {kind}")
        return True

    def _take_frame(self, step: Frame) -> None:
        """Keep a step; one without content only says where what follows belongs."""
        kind = step.WhichOneof("content")
        self._area = step.area if step.area in self._interacts else ""
        if kind == "finished":
            self._printed(b"", final=True)
            self._end_current(step)
        elif kind == "started":
            self._begin_current(step)
        elif kind == "interact":
            self._show(step)
        elif kind in OUTPUT:
            self._keep_output(step)
        elif kind in ("clear", "input_request"):
            self._keep(step)
        elif kind is not None:
            raise ProtocolError(f"a session must not send {kind}")

    def _show(self, step: Frame) -> None:
        """The current run, or an update that it led to, shows an interact."""
        order = self._current
        if isinstance(order, Execute):
            cell = order.cell
        elif order is not None and order.interact in self._interacts:
            cell = self._interacts.cell_of(order.interact)
        else:
            return  # a thread of an earlier run, or a cell that is about to be run again
        step.area = self._area
        new = shown(step, order.run, cell)
        if self._keep_output(step):
            self._interacts.add(new)

    def _printed(self, data: bytes, *, final: bool = False) -> None:
        text = self._decoder.decode(data, final)
        if final:
            self._decoder.reset()
        if text:
            self._keep_output(Frame(stream=StreamText(name=StreamText.STDOUT, text=text)))

    # -- Keeping it ---------------------------------------------------------------

    def _keep_output(self, step: Frame) -> bool:
        """Keep output of the current run, up to the limits, which are then shown.

        Whether it is kept.
        """
        size = step.ByteSize()
        run, session = self.limits.run_output, self.limits.session_output
        fits = self._output + size <= run and self._session_output + size <= session
        if fits and not self._truncated:
            self._output += size
            self._session_output += size
            self._keep(step)
            return True
        if not self._truncated:
            self._truncated = True
            whole = self._session_output + size > session
            self._keep(Frame(truncated=Truncated(limit=session if whole else run, session=whole)))
        return False

    def _keep(self, step: Frame) -> None:
        """Put a frame of the current run into the journal; wait while the disk is full."""
        step.run = self._current.run if self._current else self._last_run
        step.area, step.update = self._area, 0
        if isinstance(self._current, Update) and self._current.interact == self._area:
            step.update = self._current.number
        if not step.run or self.journal is None:
            return  # printed by nobody's run
        while True:
            try:
                self.journal.append(step)
                return
            except OSError as error:
                self._show_state(f"output waits: the server's disk: {error.strerror}")
                log.error("session %s: its journal: %s", self.id, error.strerror)
                gevent.sleep(DISK_RETRY)

    def _begin_current(self, step: Frame) -> None:
        """The process has begun with a run; an update's first frame has its values."""
        if self._current is None or self._started:
            return
        if isinstance(self._current, Update):
            self._area = self._current.interact
            step = Frame(values=Values(values=self._current.values))
        self._keep(step)
        self._started, self._run_began = True, time.monotonic()
        self._show_state()
        if self._interrupt_early:
            self._interrupt_early = False
            self._send_signal(self.id, signal.SIGINT)

    def _end_current(self, step: Frame) -> None:
        """The current run's last frame; the next one follows."""
        if self._current is None:
            return
        if self._overdue is not None:
            step.finished.reason = self._overdue.reason
        self._area = self._current.interact if isinstance(self._current, Update) else ""
        self._keep(step)
        self._last_run, self._current, self._started = self._current.run, None, False
        self._area = ""
        self._interrupt_early, self._overdue = False, None
        self._active = time.monotonic()
        if self.folder is not None:
            self.folder.look()
        if self.end_reason is None:
            self._next()
            self._show_state()

    def _next(self) -> None:
        """Start what waits first if nothing runs."""
        if self._current is not None or not self._waiting or self._process is None:
            return
        if self._awaits_files:
            return
        order = self._current = self._waiting.popleft()
        self._output, self._truncated = 0, False
        if isinstance(order, Update):
            self._interacts.begin(order)
            self._drop_forgotten()
        self._show_state()
        try:
            self._process.send(
                Message(update=order) if isinstance(order, Update) else Message(execute=order)
            )
        except OSError:
            pass  # it has just died: its exit is about to be told

    def _drop_forgotten(self) -> None:
        """Updates of interacts that are gone wait no more."""
        self._waiting = deque(
            each for each in self._waiting
            if isinstance(each, Execute) or each.interact in self._interacts
        )

    def _show_state(self, reason: str = "") -> None:
        if self.journal is None or self.journal.ended:
            return
        kind = State.IDLE if self._current is None else State.BUSY
        if self._process is None:
            kind = State.WAITING if self._place else State.STARTING
            reason = reason or self._waits_for
        elif self._awaits_files and self._waiting:
            reason = reason or "fetching the worksheet's files"
        state = State(
            session=self.id,
            language=self.journal.opened.language,
            kind=kind,
            run=self._current.run if self._current else "",
            reason=reason,
            place=self._place,
            ends_in=self._ends_in if kind == State.IDLE else 0.0,
        )
        if state != self.journal.state:
            self.journal.change_state(state)

    def _finish(self) -> None:
        """Everything is read: end the runs, the journal, and this session."""
        reason = self.end_reason or "unknown"
        if self._process is not None:
            self._process.close()
            os.close(self._stdout)
        if self.folder is not None:
            self.folder.leave()
        if self._gauge is not None:
            self._gauge.close()
            self._gauge = None
        if self._proxy is not None:
            self._proxy.close()
        if self.journal is not None:
            try:
                status = Finished.CANCELLED if self.is_waiting else Finished.DIED
                end_runs(self.journal, reason, self._unfinished(), status)
                self.journal.end(reason, time.time())
            except OSError as error:
                log.error("session %s: its journal: %s", self.id, error.strerror)
        self._waiting.clear()
        self._current = None
        self._on_end(self)

    def _unfinished(self) -> list[Begun]:
        found = [Begun(each.run) for each in self._waiting if isinstance(each, Execute)]
        if isinstance(self._current, Execute):
            found.insert(0, Begun(self._current.run))
        elif self._current is not None and self._started:
            update = self._current
            found.insert(0, Begun(update.run, update.interact, update.number))
        return found


def _no_answer(question: Message) -> Message:
    if question.HasField("complete"):
        request = question.complete.request
        return Message(complete_reply=CompleteReply(request=request, busy=True))
    request = question.inspect.request
    return Message(inspect_reply=InspectReply(request=request, busy=True))


def _partial(answer: Message) -> Message:
    """A substitute's answer: it knows nothing of the session's own names."""
    if answer.HasField("complete_reply"):
        reply = answer.complete_reply
        reply.busy = reply.busy or not reply.matches
        reply.partial = not reply.busy
    else:
        found = answer.inspect_reply
        found.busy = found.busy or not found.found
        found.partial = not found.busy
    return answer


def end_runs(
    journal: Journal | Transcript,
    reason: str,
    begun: list[Begun],
    status: Finished.Status = Finished.DIED,
) -> None:
    """Give what has begun its last frame: it will not go on. Raises OSError."""
    for run, area, update in begun:
        finished = Finished(status=status, reason=reason, time=time.time())
        journal.append(Frame(run=run, area=area, update=update, finished=finished))

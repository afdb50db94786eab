"""The pool: a warm zygote, spare sessions forked from it, and a timeline per worksheet.

One greenlet listens to the zygote. If the zygote dies, its sessions die with it (the kernel
sees to that) and are told so; a new one is started, later each time it fails at once.
"""

from __future__ import annotations

import array
import json
import logging
import os
import secrets
import shutil
import socket
import sys
import time
import uuid
from pathlib import Path

import gevent
from gevent import subprocess
from gevent.event import Event

from app.sage.journal import Journal
from app.sage.protections import Protections
from app.sage.session import Session, end_runs
from app.sage.splitter import MARK_SIZE
from app.sage.timeline import Timeline
from app.settings import ROOT, Settings
from app.wire.decoder import ProtocolError, encode
from app.wire.messages_pb2 import Fork, Message, Opened, Ready, Signal
from app.wire.stream import Stream

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds between a zygote's death and the next one
STEADY = 60.0  # seconds after which a zygote counts as having worked
SPARE_RETRY = 1.0  # seconds until a spare that died is replaced
ZYGOTE_ENVIRONMENT = {
    # Libraries that would start threads, which do not survive a fork.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "GC_MARKERS": "1",
    "MPLBACKEND": "agg",
}
PASSED_ON = ("LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH")  # of our environment
PROGRAMS = "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"

log = logging.getLogger(__name__)


class PoolError(Exception):
    """No session can be had; the text is for the person who asked for one."""


class Pool:
    def __init__(self, *, settings: Settings, address: str, protections: Protections) -> None:
        """`address`: of this sage server (host:port), as sessions are recorded with it."""
        self._settings = settings
        self._address = address
        self._protections = protections
        self._folder = settings.data_dir / "sage"
        self._journals = self._folder / "journals"
        self._homes = self._folder / "homes"
        self._timelines: dict[str, Timeline] = {}
        self._sessions: dict[str, Session] = {}
        self._spares: list[Session] = []
        self._unforked: list[Session] = []
        self._control: Stream | None = None
        self._control_socket: socket.socket | None = None
        self._zygote: subprocess.Popen[bytes] | None = None
        self._greenlet: gevent.Greenlet[[], None] | None = None
        self._stopping = False
        self.ready = Event()
        self.failure = ""  # why the latest zygote did not come up
        self.language = ""
        self.protections = dict(protections.report)  # of sessions: "on", or why not
        self.warning = ""

    # -- Life ----------------------------------------------------------------------

    def start(self) -> None:
        """Recover what a killed server has left, and start the first zygote."""
        for folder in (self._journals, self._homes):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for home in self._homes.iterdir():
            shutil.rmtree(home, ignore_errors=True)
        self._recover()
        self._greenlet = gevent.spawn(self._keep_zygote)

    def wait_ready(self, seconds: float) -> None:
        """Wait until sessions can be forked. Raises PoolError."""
        if not self.ready.wait(seconds):
            raise PoolError(
                f"Sage did not start within {seconds:g} s (sage.start_seconds). {self.failure}"
            )

    def stop(self) -> None:
        """End every session, and the zygote."""
        self._stopping = True
        for session in list(self._sessions.values()):
            session.kill("the Sage server was stopped")
        deadline = time.monotonic() + 2
        while self._sessions and time.monotonic() < deadline:
            gevent.sleep(0.01)
        if self._greenlet is not None:
            self._greenlet.kill()
        self._end_zygote()

    def _recover(self) -> None:
        reason = "the Sage server that ran it was killed"
        found = []
        for path in self._journals.glob("*.journal"):
            journal = Journal.recover(
                path,
                ring=self._settings.sage.ring,
                max_message=self._settings.wire.max_message,
            )
            if journal is None:
                path.unlink()
                continue
            if not journal.ended:
                end_runs(journal, reason, journal.unfinished())
                journal.end(reason, time.time())
            found.append(journal)
        for journal in sorted(found, key=lambda journal: journal.opened.time):
            self.timeline(journal.opened.worksheet).journals.append(journal)

    # -- Sessions --------------------------------------------------------------------

    def timeline(self, worksheet: str) -> Timeline:
        """The timeline of a worksheet, begun if there is none."""
        return self._timelines.setdefault(worksheet, Timeline(worksheet))

    def session(self, worksheet: str) -> Session:
        """The live session of a worksheet; a new one if there is none. Raises PoolError."""
        timeline = self.timeline(worksheet)
        if timeline.live is None:
            self._open(timeline)
        assert timeline.live is not None
        return timeline.live

    def restart(self, worksheet: str) -> None:
        """End the session of a worksheet, and give it a new one. Raises PoolError."""
        timeline = self.timeline(worksheet)
        if timeline.live is not None:
            timeline.live.kill("restarted")
            timeline.live = None
        self._open(timeline)

    def journals(self) -> list[Journal]:
        """All that is kept here, oldest first for each worksheet."""
        return [each for timeline in self._timelines.values() for each in timeline.journals]

    def forget(self, journal: Journal) -> None:
        """Delete a journal that is complete, unless a viewer is still there."""
        if journal.viewers:
            return
        timeline = self._timelines[journal.opened.worksheet]
        timeline.journals.remove(journal)
        journal.remove()
        self.leave(timeline)

    def leave(self, timeline: Timeline) -> None:
        """Forget a timeline if nothing is left in it and nobody looks."""
        if timeline.idle:
            self._timelines.pop(timeline.worksheet, None)

    def statistics(self) -> dict[str, object]:
        serving = [s for s in self._sessions.values() if s.journal is not None]
        return {
            "language": self.language,
            "warning": self.warning,
            "ready": self.ready.is_set(),
            "sessions": len(serving),
            "busy": sum(session.busy for session in serving),
            "spares": len(self._spares),
            "limit": self._settings.sage.max_sessions,
            "protections": self.protections,
        }

    def _open(self, timeline: Timeline) -> None:
        serving = len(self._sessions) - len(self._spares)
        if serving >= self._settings.sage.max_sessions:
            raise PoolError(
                f"all {serving} sessions of this server are in use; try again when one has ended"
            )
        session = self._spares.pop(0) if self._spares else self._new()
        opened = Opened(
            session=session.id,
            worksheet=timeline.worksheet,
            server=self._address,
            language=self.language,
            time=time.time(),
        )
        path = self._journals / f"{session.id}.journal"
        try:
            journal = Journal.create(
                path, opened, ring=self._settings.sage.ring, on_change=timeline.tell
            )
        except OSError as error:
            self._spares.append(session)
            raise PoolError(
                f"no session can be started: {path.parent}: {error.strerror}"
            ) from error
        timeline.journals.append(journal)
        timeline.live = session
        session.serve(journal)
        gevent.spawn(self._refill)

    def _new(self) -> Session:
        session = Session(
            id=str(uuid.uuid4()),
            number=self._free_number(),
            secret=secrets.token_bytes(MARK_SIZE),
            max_output=self._settings.sage.max_output,
            send_signal=self._send_signal,
            on_end=self._ended,
        )
        self._sessions[session.id] = session
        if self.ready.is_set():
            self._fork(session)
        else:
            self._unforked.append(session)
        return session

    def _free_number(self) -> int:
        """The least number that no living session has: of it comes its user id."""
        used = {session.number for session in self._sessions.values()}
        return next(number for number in range(len(used) + 1) if number not in used)

    def _refill(self) -> None:
        while self.ready.is_set() and len(self._spares) < self._settings.sage.spares:
            self._spares.append(self._new())

    def _ended(self, session: Session) -> None:
        del self._sessions[session.id]
        if session in self._spares:
            self._spares.remove(session)
            log.error("a spare session died: %s", session.end_reason)
            gevent.spawn_later(SPARE_RETRY, self._refill)
        if session.journal is not None:
            timeline = self.timeline(session.journal.opened.worksheet)
            if timeline.live is session:
                timeline.live = None
        remove = gevent.get_hub().threadpool.spawn
        remove(shutil.rmtree, self._homes / session.id, True)

    # -- The zygote ------------------------------------------------------------------

    def _keep_zygote(self) -> None:
        pause = FIRST_PAUSE
        while True:
            began = time.monotonic()
            try:
                self._start_zygote()
                self._listen()
                self.failure = "its process ended"
            except (OSError, ProtocolError) as error:
                self.failure = str(error)
            except Exception as error:
                log.exception("our own mistake; another zygote may do better")
                self.failure = repr(error)
            self._end_zygote()
            log.error("the Sage zygote is gone (%s); the next one starts in %g s",
                      self.failure, pause)
            gevent.sleep(pause)
            steady = time.monotonic() - began > STEADY
            pause = FIRST_PAUSE if steady else min(2 * pause, LONGEST_PAUSE)

    def _start_zygote(self) -> None:
        ours, theirs = socket.socketpair()
        options = {
            "homes": str(self._homes),
            "preload": self._settings.sage.preload,
            "warm_up": self._settings.sage.warm_up,
            "sandbox": self._protections.options,
        }
        python = interpreter(self._settings)
        environment = {key: os.environ[key] for key in PASSED_ON if key in os.environ}
        environment |= ZYGOTE_ENVIRONMENT
        environment |= {
            "PATH": f"{Path(python).parent}:{PROGRAMS}",
            "HOME": str(self._homes),
            "SALVUS_CONTROL": str(theirs.fileno()),
            "SALVUS_ZYGOTE": json.dumps(options),
            "DOT_SAGE": str(self._folder / "dot_sage"),
        }
        try:
            self._zygote = subprocess.Popen(
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
        self._control_socket = ours
        self._control = Stream(ours, max_message=1 << 20, silence=None)

    def _listen(self) -> None:
        """Do what the zygote says until it is gone."""
        assert self._control is not None
        while received := self._control.receive():
            message = received.message
            kind = message.WhichOneof("body")
            if kind == "ready":
                self._begin(message.ready)
            elif kind == "exited" and message.exited.session in self._sessions:
                self._sessions[message.exited.session].exited(message.exited.reason)

    def _begin(self, zygote: Ready) -> None:
        self.language, self.warning, self.failure = zygote.language, zygote.warning, ""
        log.info("%s is warm%s", self.language, f" ({self.warning})" if self.warning else "")
        self.protections = self._protections.report | dict(zygote.protections)
        for name, state in self.protections.items():
            log.log(
                logging.INFO if state == "on" else logging.WARNING,
                "protection of sessions: %s: %s", name, state,
            )
        self.ready.set()
        for session in self._unforked:
            self._fork(session)
        self._unforked.clear()
        self._refill()

    def _end_zygote(self) -> None:
        self.ready.clear()
        if self._control is not None:
            self._control.close()
        if self._zygote is not None:
            self._zygote.kill()
            self._zygote.wait()
        self._control = self._control_socket = self._zygote = None
        for session in list(self._sessions.values()):
            if session not in self._unforked:
                session.exited("the Sage zygote it came from has died")

    def _fork(self, session: Session) -> None:
        """Have a process forked for `session`; what goes wrong is told as its death."""
        ours, theirs = socket.socketpair()
        output, stdout = os.pipe()
        session.connect(
            Stream(ours, max_message=self._settings.wire.max_message, silence=None), output
        )
        descriptors = array.array("i", [theirs.fileno(), stdout])
        order = Message(fork=Fork(session=session.id, mark=session.secret, number=session.number))
        try:
            assert self._control_socket is not None
            self._control_socket.sendmsg(
                [encode(order)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)]
            )
        except OSError as error:
            session.exited(f"the Sage zygote has died ({error.strerror})")
        finally:
            theirs.close()
            os.close(stdout)

    def _send_signal(self, session: str, number: int) -> None:
        if self._control is not None:
            try:
                self._control.send(Message(signal=Signal(session=session, number=number)))
            except OSError:
                pass  # the zygote is gone: its sessions are about to be told


def interpreter(settings: Settings) -> str:
    """Sage's Python: the one in the settings, else that of `make run`, else our own."""
    if settings.sage.python:
        return settings.sage.python
    installed = ROOT / ".venv-sage" / "bin" / "python"
    return str(installed) if installed.exists() else sys.executable

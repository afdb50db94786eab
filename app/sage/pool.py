"""The pool: sessions forked from a warm zygote, some of them spare, and a timeline per worksheet.

If a zygote dies, its sessions die with it (the kernel sees to that) and are told so.
"""

from __future__ import annotations

import errno
import functools
import logging
import os
import secrets
import shutil
import stat
import time
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import gevent

from app.limits import Raised
from app.loop import Loop
from app.roles import STRANGER
from app.sage.allowances import Allowances
from app.sage.cgroups import Cgroups
from app.sage.consumption import Consumption
from app.sage.journal import Journal
from app.sage.keeper import Folder, Keeper
from app.sage.places import Claim, Person, Places
from app.sage.processes import Table
from app.sage.protections import Protections
from app.sage.session import Reply, Session, end_runs
from app.sage.spawner import Gone, Spawner
from app.sage.splitter import MARK_SIZE
from app.sage.timeline import Timeline
from app.sage.transcript import Transcript
from app.sage.zygotes import Zygotes
from app.settings import Limits, Settings
from app.wire.messages_pb2 import Bounds, Fork, Message, Opened, Ready

REFILL_PAUSE = 0.05  # seconds that a new session has the processors to itself, if spares are left
SPARE_RETRY = 1.0  # seconds until a spare that died is replaced
QUIET_LOOKS = 10  # a session that does nothing is looked at every so many times
PIECE = 1 << 20  # bytes of a file that are read at once
KEEP_SECONDS = 5.0  # in which the files of sessions that have ended are kept at a stop
BURY_SECONDS = 5.0  # in which the kernel buries the last process of a control group

log = logging.getLogger(__name__)


class PoolError(Exception):
    """No session can be had; the text is for the person who asked for one."""


class Pool(Loop):
    def __init__(
        self,
        *,
        settings: Settings,
        address: str,
        protections: Protections,
        cgroups: Cgroups,
        keeper: Keeper,
        consumption: Consumption,
    ) -> None:
        """`address`: of this sage server (host:port), as sessions are recorded with it."""
        self._settings = settings
        self._address = address
        self._cgroups = cgroups
        self._keeper = keeper
        self._consumption = consumption
        self._journals = settings.sage_folder / "journals"
        self._homes = settings.sage_folder / "homes"
        self._timelines: dict[str, Timeline] = {}
        self._sessions: dict[str, Session] = {}
        self.allowances = Allowances(settings)
        self._places = Places(here=settings.sage.max_sessions, total=settings.sage.total_sessions)
        self._stocks: dict[bytes, list[Session]] = {
            _key(limits): [] for limits in (settings.limits, *settings.kinds.values())
        }
        self._unforked: list[Session] = []
        self._zygotes = Zygotes(
            settings=settings,
            protections=protections,
            on_ready=self._zygote_ready,
            on_exit=self._exited,
            on_gone=self._zygote_gone,
        )
        self._stopping = False
        self.language = ""
        self._own_report = protections.report | cgroups.report
        self.protections = dict(self._own_report)  # of sessions: "on", or why not

    # -- Life ----------------------------------------------------------------------

    def start(self) -> None:
        """Recover what a killed server has left, and start the first zygote."""
        for folder in (self._journals, self._homes):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for home in self._homes.iterdir():
            shutil.rmtree(home, ignore_errors=True)
        self._recover()
        self._zygotes.start()
        super().start()

    def wait_ready(self, seconds: float) -> None:
        """Wait until sessions can be forked. Raises PoolError."""
        if not self._zygotes.ready.wait(seconds):
            raise PoolError(
                f"Sage did not start within {seconds:g} s (sage.start_seconds)."
                f" {self._zygotes.failure}"
            )

    def stop(self) -> None:
        """End every session, and the zygotes."""
        self._stopping = True
        super().stop()
        self._zygotes.stop()
        for session in list(self._sessions.values()):
            session.kill("the Sage server was stopped")
        deadline = time.monotonic() + 2
        while self._sessions and time.monotonic() < deadline:
            gevent.sleep(0.01)
        self._zygotes.close()
        self._keeper.wait(KEEP_SECONDS)
        self._cgroups.close()

    def replace_zygote(self) -> None:
        """Warm a new zygote; once it is ready, new sessions come from it."""
        self._zygotes.replace()

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

    def session(self, worksheet: str, person: Person) -> Session:
        """The live session of a worksheet; a new one if there is none. Raises PoolError.

        A new one may have to wait in the queue until its process can be had.
        """
        timeline = self.timeline(worksheet)
        if timeline.live is None:
            self._open(timeline, person)
        assert timeline.live is not None
        return timeline.live

    def restart(self, worksheet: str, person: Person) -> None:
        """End the session of a worksheet, and give it a new one. Raises PoolError."""
        timeline = self.timeline(worksheet)
        before, timeline.live = timeline.live, None
        if before is not None:
            before.kill("restarted")
        self._open(timeline, person, first=before is not None)

    def ask(self, worksheet: str, person: Person, question: Message, reply: Reply) -> None:
        """Complete or inspect in the session of a worksheet. Raises PoolError."""
        session = self.session(worksheet, person)
        stock = self._stock(session.limits) or self._stock(self._settings.limits_of(person.kind))
        if session.busy and session.substitute is None and stock:
            session.substitute = stock.pop(0)
            gevent.spawn(self._refill)
        session.ask(question, reply)

    def lend(self, person: Person, seconds: float) -> tuple[Session, Transcript]:
        """A fresh session for one run of so many seconds; whoever gets it kills it. `person`:
        whose processor time it is, a stranger's by the address.

        Raises PoolError when there is no place for it.
        """
        limits = replace(self._settings.limits_of(person.kind), run_seconds=seconds)
        stock = self._stock(limits)
        session = stock.pop(0) if stock else self._new(limits)
        claim = Claim(session.id, "", self._settings.sage.max_sessions)
        if reason := self._places.obstacle(claim):
            self._give_back(session, stock)
            raise PoolError(f"{reason}; try again in a moment")
        self._places.ask(claim)
        opened = Opened(
            session=session.id, language=self.language, kind=person.kind, account=person.account,
            address=person.address if person.kind == STRANGER else "",
        )  # fmt: skip
        transcript = Transcript(opened)
        session.serve(transcript, limits)
        if session.spawner is None:
            self._fork(session)
        gevent.spawn(self._refill)
        return session, transcript

    def _give_back(self, session: Session, stock: list[Session]) -> None:
        """Nobody has used it."""
        if session.spawner is not None:
            stock.insert(0, session)
        else:
            session.kill("there is no place for it")

    def end(self, worksheet: str, reason: str = "") -> None:
        """End the session of a worksheet if it has one, or take it out of the queue. `reason`:
        what its pages are told; empty: one of them asked for it."""
        session = self.timeline(worksheet).live
        if session is not None:
            asked = "you left the queue" if session.is_waiting else "you ended it"
            session.kill(reason or asked)

    def serving(self) -> list[Session]:
        """The sessions that somebody has."""
        return [session for session in self._sessions.values() if session.journal is not None]

    @property
    def live_sessions(self) -> list[str]:
        """Ids of the sessions that serve a worksheet."""
        return [session.id for session in self.serving()]

    def end_session(self, id: str, reason: str) -> None:
        """End a session if it lives; `reason` is what its viewers are told."""
        session = self._sessions.get(id)
        if session is not None:
            session.kill(reason)

    def read_file(self, worksheet: str, path: str, offset: int) -> tuple[bytes, int]:
        """A piece of a file in the home of a worksheet's session, and the file's size.

        Raises OSError if it can't be read, PoolError if there is no session.
        """
        timeline = self._timelines.get(worksheet)
        if timeline is None or timeline.live is None:
            raise PoolError("There is no such file.")
        file = timeline.live.open_file(path)
        try:
            found = os.fstat(file)
            if not stat.S_ISREG(found.st_mode):
                raise FileNotFoundError(errno.ENOENT, "is not a file")
            read = gevent.get_hub().threadpool.apply
            return read(os.pread, (file, PIECE, offset)), found.st_size
        finally:
            os.close(file)

    def change_files(self, worksheet: str) -> None:
        """Somebody has changed the folder of a worksheet."""
        timeline = self._timelines.get(worksheet)
        if timeline is None:
            return
        timeline.note_files()
        if timeline.live is not None and timeline.live.folder is not None:
            timeline.live.folder.fetch()

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

    def tell_elsewhere(self, sessions: Counter[str], by_address: Counter[str]) -> None:
        """What the other sage servers of the site have: sessions by account and by address."""
        self._places.tell_elsewhere(sessions, by_address)
        self._admit()

    def tell_raised(self, raised: Iterable[Raised]) -> None:
        """All limits that are raised now for single people."""
        changed = self.allowances.tell_raised(raised)
        for session in self._sessions.values():
            if session.journal is not None and session.journal.opened.account in changed:
                opened = session.journal.opened
                limits = self.allowances.limits_of(opened.account, opened.kind)
                session.change_limits(limits)
                self._places.change_limit(session.id, limits.sessions)
        if changed:
            self._admit()

    def is_quiet(self, seconds: float) -> bool:
        """Whether nobody has used any session for so long."""
        return all(
            session.is_unused_for(seconds)
            for session in self.serving()
        )

    @property
    def free(self) -> int:
        """How many more sessions may begin here."""
        taken = len(self._places) + len(self._places.waiting)
        return max(0, self._settings.sage.max_sessions - taken)

    @property
    def used(self) -> int:
        """How many sessions there are, without spares."""
        return len(self._places)

    def _open(self, timeline: Timeline, person: Person, *, first: bool = False) -> None:
        limits = self.allowances.limits_of(person.account, person.kind)
        stock = self._stock(limits)
        claim = Claim(
            "",
            person.account,
            limits.sessions,
            address=person.address if limits.address_sessions else "",
            address_limit=limits.address_sessions if person.address else 0,
        )
        waits = bool(self._places.obstacle(claim))
        session = stock.pop(0) if stock and not waits else self._new(limits)
        self._places.ask(replace(claim, session=session.id), first=first)
        self._serve(session, timeline, person, limits)
        if not waits and session.spawner is None:
            self._fork(session)
        self._show_places()
        gevent.spawn_later(REFILL_PAUSE if stock else 0, self._refill)

    def _serve(
        self, session: Session, timeline: Timeline, person: Person, limits: Limits
    ) -> None:
        """Give a session to a worksheet. Raises PoolError if it can't be kept."""
        opened = Opened(
            session=session.id,
            worksheet=timeline.worksheet,
            server=self._address,
            language=self.language,
            time=time.time(),
            account=person.account,
            kind=person.kind,
            address=person.address if limits.address_sessions else "",
        )
        path = self._journals / f"{session.id}.journal"
        try:
            journal = Journal.create(
                path, opened, ring=self._settings.sage.ring, on_change=timeline.tell
            )
        except OSError as error:
            session.kill("it could not be kept")
            raise PoolError(
                f"no session can be started: {path.parent}: {error.strerror}"
            ) from error
        timeline.journals.append(journal)
        timeline.live = session
        session.serve(journal, limits)
        session.keep_files(
            self._keeper.folder(
                timeline.worksheet, limits.folder, has_files=timeline.has_files,
                told=timeline.note_files,
            )
        )  # fmt: skip

    def _new(self, limits: Limits) -> Session:
        """A session that has no process yet."""
        session = Session(
            id=str(uuid.uuid4()),
            number=self._free_number(),
            secret=secrets.token_bytes(MARK_SIZE),
            limits=limits,
            warn_seconds=self._settings.sage.warn_seconds,
            send_signal=self._send_signal,
            on_end=self._ended,
        )
        self._sessions[session.id] = session
        return session

    def _stock(self, limits: Limits) -> list[Session]:
        """Spares that will do; of limits that were raised for one person there are none."""
        return self._stocks.get(_key(limits), [])

    def _free_number(self) -> int:
        """The least number that no living session has: of it comes its user id."""
        used = {session.number for session in self._sessions.values()}
        return next(number for number in range(len(used) + 1) if number not in used)

    def _refill(self) -> None:
        for limits in (self._settings.limits, *self._settings.kinds.values()):
            stock = self._stocks[_key(limits)]
            while self._zygotes.ready.is_set() and len(stock) < self._settings.sage.spares:
                session = self._new(limits)
                stock.append(session)
                self._fork(session)
                if session.end_reason is not None:
                    return  # `_ended` has it tried again later

    def _admit(self) -> None:
        """Give those in the queue whose turn has come their process."""
        for claim in self._places.admit():
            self._fork(self._sessions[claim.session])
        self._show_places()

    def _show_places(self) -> None:
        for place, claim in enumerate(self._places.waiting, start=1):
            self._sessions[claim.session].wait_in_queue(place, self._places.obstacle(claim))

    def _ended(self, session: Session) -> None:
        del self._sessions[session.id]
        if session in self._unforked:
            self._unforked.remove(session)
        for stock in self._stocks.values():
            if session in stock:
                stock.remove(session)
                if not self._stopping and not self._zygotes.has_retired(session.spawner):
                    log.error("a spare session died: %s", session.end_reason)
                    gevent.spawn_later(SPARE_RETRY, self._refill)
        if session.journal is not None:
            timeline = self._timelines.get(session.journal.opened.worksheet)
            if timeline is not None and timeline.live is session:
                timeline.live = None
        self._dismiss_substitute(session)
        self._count_last(session)
        self._places.leave(session.id)
        self._admit()
        self._end_unused_zygotes()
        gevent.spawn(self._clean_up, session)

    def _dismiss_substitute(self, session: Session) -> None:
        if session.substitute is not None:
            session.substitute.kill("it is not needed any more")
            session.substitute = None

    def _clean_up(self, session: Session) -> None:
        """What a session leaves behind: its control groups; without a sandbox, its home."""
        if session.group is not None:
            deadline = time.monotonic() + BURY_SECONDS
            while not session.group.remove() and time.monotonic() < deadline:
                gevent.sleep(0.05)
        home = self._homes / session.id
        if session.folder is not None:
            self._hand_over(session.folder)
        if home.exists():
            gevent.get_hub().threadpool.spawn(shutil.rmtree, home, True)

    def _hand_over(self, folder: Folder) -> None:
        """Wait until the files of a session that has ended are kept; the next one gets them."""
        folder.finished.wait()
        if folder.kept_last:
            self.change_files(folder.worksheet)

    # -- Looking after them ------------------------------------------------------------

    def _run(self) -> None:
        """Compare at intervals what sessions use with what they may."""
        count = 0
        while True:
            gevent.sleep(self._settings.sage.sample_seconds)
            count += 1
            table = functools.cache(Table)
            for session in list(self._sessions.values()):
                try:
                    if session.busy and session.folder is not None:
                        session.folder.look_if_long_ago()
                    if session.busy or session.is_watched or count % QUIET_LOOKS == 0:
                        session.look(table, self._runs_of(session))
                        self._count(session)
                    if not session.busy:
                        self._dismiss_substitute(session)
                except Exception:
                    log.exception("session %s can't be looked at; it goes on", session.id)

    def _count(self, session: Session) -> None:
        """Have what a session has used written down."""
        if session.journal is not None:
            opened = session.journal.opened
            self._consumption.note(
                session=session.id,
                account=opened.account,
                network="" if opened.account else opened.address,
                cpu_seconds=session.cpu_seconds,
                now=time.time(),
            )

    def _count_last(self, session: Session) -> None:
        """What it has used since the last look, as far as its control group tells."""
        try:
            used = session.group.cpu_seconds() if session.group is not None else None
        except (OSError, KeyError):
            used = None  # it is gone already
        if used is not None:
            session.cpu_seconds = used
        self._count(session)
        self._consumption.leave(session.id)

    def _runs_of(self, session: Session) -> int:
        if session.journal is None or not session.limits.runs_per_hour:
            return 0
        return self.allowances.runs_of(session.journal.opened.account)

    # -- Their processes ---------------------------------------------------------------

    def _zygote_ready(self, zygote: Ready) -> None:
        """Sessions come from another one now; of the one before the spares end."""
        self.language = zygote.language
        self.protections = self._own_report | dict(zygote.protections)
        for name, state in self.protections.items():
            log.log(
                logging.INFO if state == "on" else logging.WARNING,
                "protection of sessions: %s: %s", name, state,
            )
        for stock in self._stocks.values():
            for spare in list(stock):
                if self._zygotes.has_retired(spare.spawner):
                    stock.remove(spare)
                    spare.kill("its zygote was replaced")
        self._end_unused_zygotes()
        unforked, self._unforked = self._unforked, []
        for session in unforked:
            self._fork(session)
        self._refill()

    def _end_unused_zygotes(self) -> None:
        self._zygotes.end_unused({session.spawner for session in self._sessions.values()})

    def _zygote_gone(self, spawner: Spawner) -> None:
        for stock in self._stocks.values():  # at once, while they have yet to be heard to the end
            stock[:] = [spare for spare in stock if spare.spawner is not spawner]
        for session in list(self._sessions.values()):
            if session.spawner is spawner:
                session.exited("the Sage zygote it came from has died")

    def _fork(self, session: Session) -> None:
        """Have a process forked for `session`; what goes wrong is told as its death."""
        zygote = self._zygotes.current
        if zygote is None:
            self._unforked.append(session)
            session.wait_for_zygote()
            return
        doors: list[int] = []
        try:
            session.group = session.group or self._cgroups.group(session.id)
            if session.group is not None:
                limits = session.limits
                session.group.limit(
                    memory=limits.memory + limits.disk, processes=limits.processes
                )
                doors = session.group.doors()
            order = Fork(
                session=session.id,
                mark=session.secret,
                number=session.number,
                bounds=bounds_of(session.limits),
                cgroups=len(doors),
            )
            session.spawner = zygote
            session.connect(*zygote.fork(order, doors), self._settings.wire.max_message)
        except Gone as error:
            session.spawner = None
            self._zygotes.lose(zygote)
            if session.journal is None:
                session.fail(str(error))
            else:
                self._fork(session)
        except OSError as error:
            session.fail(f"no process could be made for it ({error})")
        finally:
            for door in doors:
                os.close(door)

    def _exited(self, session: str, reason: str) -> None:
        if session in self._sessions:
            self._sessions[session].exited(reason)

    def _send_signal(self, session: str, number: int) -> None:
        found = self._sessions.get(session)
        if found is not None and found.spawner is not None:
            found.spawner.signal(session, number)


def bounds_of(limits: Limits) -> Bounds:
    """What of `limits` the kernel holds a session to."""
    return Bounds(
        memory=limits.memory,
        processes=limits.processes,
        files=limits.files,
        disk=limits.disk,
        entries=limits.entries,
        network=bool(limits.network),
    )


def _key(limits: Limits) -> bytes:
    """Spares with the same one will do for each other."""
    return bounds_of(limits).SerializeToString(deterministic=True)

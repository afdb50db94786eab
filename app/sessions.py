"""Which session serves a worksheet, where it runs, and how a browser watches it.

A browser that attaches gets, in this order: the worksheet as stored, what the database has
of its output, and from the sage server the rest and all that follows. What it says it has
already, it does not get again. With the database away it gets what the sage server keeps.
A sage server keeps a session until the database has all of it; if that happened between
the question to the one and to the other, it answers Gone, and the database is asked again.
"""

from __future__ import annotations

import logging
import zlib
from dataclasses import dataclass, replace

import gevent
from gevent.lock import BoundedSemaphore

from app import worksheets
from app.browsers import Browser
from app.db import Database, Unavailable
from app.delivery import Delivery
from app.downloads import Download
from app.nodes import Node, NodeDown
from app.wire.decoder import Received
from app.wire.messages_pb2 import (
    Attach,
    Cell,
    Detach,
    Message,
    Refused,
    Saving,
    State,
    Worksheet,
)
from app.worksheets import Missing, Sheet

log = logging.getLogger(__name__)
UNREACHED = "the Sage server can't be reached"


@dataclass(frozen=True)
class Stored:
    """What the database says to a browser that attaches."""

    sheet: Sheet
    missing: list[Missing]
    session: str  # the database has the output of this session ...
    after: int  # ... up to this seq ...
    complete: bool  # ... which is all of it
    death: State | None  # of that session, if the browser has seen it alive
    server: str  # the sage server of the live session, if there is one


@dataclass(frozen=True)
class SessionInUse:
    id: str
    worksheet: str
    server: str  # host:port of its sage server
    state: str  # busy or idle
    seconds: float  # since it began


class Sessions:
    def __init__(self, *, database: Database, delivery: Delivery) -> None:
        self._database = database
        self._nodes = delivery.nodes

    def watch(self, browser: Browser) -> Watch:
        return Watch(browser, self)

    def live(self) -> list[SessionInUse]:
        """The sessions that run now, oldest first, as the status page shows them.

        Raises Unavailable.
        """
        with self._database.reading() as cursor:
            cursor.execute(
                """
                SELECT id::text, worksheet::text, server,
                       CASE WHEN EXISTS (SELECT 1 FROM runs WHERE runs.session = sessions.id
                                         AND runs.finished IS NULL)
                            THEN 'busy' ELSE 'idle' END,
                       extract(epoch FROM now() - started)::float
                FROM sessions WHERE ended IS NULL ORDER BY started
                """
            )
            return [SessionInUse(*row) for row in cursor.fetchall()]

    def stored(self, browser: Browser, session: str, after: int) -> Stored | None:
        """What `browser` lacks, None if it has no such worksheet. Raises Unavailable."""
        with self._database.reading() as cursor:
            sheet = worksheets.load(cursor, browser.account, browser.worksheet)
            if sheet is None:
                return None
            server = worksheets.live_server(cursor, sheet.id)
            if session and not worksheets.knows_session(cursor, sheet.id, session):
                return Stored(sheet, [], session, after, False, None, server)
            # The page ignores what is not above the last seq it has seen of a session, so
            # nothing above the seq that the sage server goes on from may be sent before.
            latest = worksheets.recorded(cursor, sheet.id)
            missing = worksheets.missing(
                cursor,
                sheet.id,
                session=session,
                after=after,
                latest=latest.session,
                up_to=latest.last,
            )
            seen, death = latest.last, None
            if latest.session == session:
                seen = max(seen, after)
                if latest.ended:
                    death = State(kind=State.DEAD, session=session, reason=latest.reason)
            return Stored(sheet, missing, latest.session, seen, latest.ended, death, server)

    def send_stored(self, browser: Browser, part: Missing) -> None:
        """Send `browser` a part of what it lacks. Raises Unavailable."""
        while True:
            with self._database.reading() as cursor:
                page = worksheets.frames(cursor, part)
            for _, payload in page:
                browser.post_slowly(payload)
            if len(page) < worksheets.BATCH:
                return
            part = replace(part, after=page[-1][0])

    def download(self, worksheet: str, server: str, path: str) -> Download:
        """A file of the home of a worksheet's session, begun. Raises NoFile, NodeDown."""
        return Download(self.place(worksheet, server), worksheet, path)

    def place(self, worksheet: str, server: str) -> Node:
        """The node of a worksheet's session: `server` if it is one of ours, else a fixed choice."""
        if server in self._nodes:
            return self._nodes[server]
        addresses = sorted(self._nodes)
        return self._nodes[addresses[zlib.crc32(worksheet.encode()) % len(addresses)]]


class Watch:
    """A browser's view of its worksheet's sessions, and its way to them."""

    def __init__(self, browser: Browser, sessions: Sessions) -> None:
        self._browser = browser
        self._sessions = sessions
        self._node: Node | None = None
        self._channel = 0
        self._session = ""  # the browser has, or is being sent, this session ...
        self._after = 0  # ... up to this seq ...
        self._complete = False  # ... which is all of it
        self._death: State | None = None
        self._returning = BoundedSemaphore()

    def attach(self, session: str, after: int) -> bool:
        """Show everything behind seq `after` of `session`; whether the worksheet exists."""
        self.close()
        self._session, self._after, self._complete = session, after, False
        server = ""
        try:
            stored = self._sessions.stored(self._browser, session, after)
            if stored is None:
                return False
            self._browser.post_message(_worksheet(stored.sheet))
            self._send_stored(stored)
            server = stored.server
        except Unavailable as error:
            unknown = Worksheet(id=self._browser.worksheet, stored=False)
            self._browser.post_message(Message(worksheet=unknown))
            self._browser.post_message(Message(saving=Saving(delayed=True, reason=str(error))))
        self._node = self._sessions.place(self._browser.worksheet, server)
        self._channel = self._node.open(self)
        if self._node.is_up:
            self._join()
        else:
            self.node_lost(self._node.failure)
        return True

    def send(self, message: Message, about: str = "") -> None:
        """Pass a browser's message on to its session; if that fails, the browser is told."""
        try:
            if self._node is None:
                raise NodeDown("attach to a worksheet first")
            self._node.send(self._channel, message)
        except NodeDown as error:
            reason = f"{UNREACHED} ({error}); your code is safe, try again in a moment"
            self._browser.post_message(Message(refused=Refused(reason=reason, about=about)))

    def close(self) -> None:
        if self._node is None:
            return
        try:
            self._node.send(self._channel, Message(detach=Detach()))
        except NodeDown:
            pass  # its viewers are gone with the stream
        self._node.close(self._channel)
        self._node = None

    # -- Called by the node ----------------------------------------------------------

    def receive(self, received: Received) -> None:
        message = received.message
        kind = message.WhichOneof("body")
        if kind == "gone":
            gevent.spawn(self._return)
            return
        if kind == "state" and message.state.kind == State.NONE and self._death is not None:
            self._browser.post_message(Message(state=self._death))
            return
        if kind == "frame":
            self._session, self._after = message.frame.session, message.frame.seq
            self._complete, self._death = False, None
        self._browser.post(received.raw)

    def node_lost(self, reason: str) -> None:
        state = State(kind=State.STARTING, reason=f"{UNREACHED} ({reason})")
        self._browser.post_message(Message(state=state))

    def node_found(self) -> None:
        if self._session:
            self._join()
        else:  # a run that was under way may be all that is known of its session
            self._return()

    # -- Coming to the session -------------------------------------------------------

    def _return(self) -> None:
        """Ask the database for what it has got since it was asked, then the node again."""
        with self._returning:
            if self._node is None:
                return
            before = self._session
            try:
                stored = self._sessions.stored(self._browser, before, self._after)
                if stored is not None:
                    self._send_stored(stored)
            except Unavailable as error:
                log.warning("browser %s: %s", self._browser.id, error)
            # What the node said is gone now came from the database: not again.
            self._complete = self._complete or self._session == before != ""
            self._join()

    def _send_stored(self, stored: Stored) -> None:
        for part in stored.missing:
            self._sessions.send_stored(self._browser, part)
        self._session, self._after = stored.session, stored.after
        self._complete, self._death = stored.complete, stored.death

    def _join(self) -> None:
        """Have the node send what follows."""
        if self._node is None:
            return
        attach = Attach(
            worksheet=self._browser.worksheet,
            session=self._session,
            after=self._after,
            complete=self._complete,
            account=self._browser.account,
            kind=self._browser.kind,
        )
        try:
            self._node.send(self._channel, Message(attach=attach))
        except NodeDown as error:
            self.node_lost(str(error))


def _worksheet(sheet: Sheet) -> Message:
    cells = [
        Cell(id=cell.id, position=cell.position, code=cell.code, revision=cell.revision,
             run=cell.run or "")
        for cell in sheet.cells
    ]
    return Message(worksheet=Worksheet(id=sheet.id, title=sheet.title, cells=cells, stored=True))

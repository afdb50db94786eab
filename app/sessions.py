"""Which session serves a worksheet, where it runs, and how a browser watches it.

A browser that attaches gets, in this order: the worksheet as stored, what the database has
of its output, and from the sage server the rest and all that follows. What it says it has
already, it does not get again. With the database away it gets what the sage server keeps.
A sage server keeps a session until the database has all of it; if that happened between
the question to the one and to the other, it answers Gone, and the database is asked again.

A session stays where it began. Without one, a worksheet's viewers wait on the server where
the next one would begin: when servers come or go, a session ends elsewhere, or somebody begins
one elsewhere, they move there. What begins a session writes down where first (placements.py).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import gevent
from gevent.lock import BoundedSemaphore
from psycopg2.extensions import cursor as Cursor

from app import folders, permissions, worksheets
from app.browsers import Browser
from app.db import Database, Unavailable
from app.delivery import Delivery
from app.downloads import Download
from app.inquiry import Inquiry
from app.live_sessions import LiveSession
from app.nodes import Node, NodeDown
from app.placements import Placements
from app.wire.decoder import Received
from app.wire.messages_pb2 import (
    Attach,
    Cell,
    Detach,
    End,
    FilesChanged,
    Message,
    Refused,
    Saving,
    State,
    Worksheet,
)
from app.worksheets import Missing, Sheet

BEGIN_SESSIONS = ("execute", "complete", "inspect", "restart")  # messages, where there is none

log = logging.getLogger(__name__)
END_SECONDS = 10.0  # that a sage server may take to end a session
UNREACHED = "the Sage server can't be reached"
ABANDONED = "its Sage server can't be reached and is not one of this site's any more"


@dataclass(frozen=True)
class Stored:
    """What the database says to a browser that attaches."""

    sheet: Sheet
    missing: list[Missing]
    account: str  # whose worksheet it is, ...
    kind: str  # ... of such users
    session: str  # the database has the output of this session ...
    after: int  # ... up to this seq ...
    complete: bool  # ... which is all of it
    death: State | None  # of that session, if the browser has seen it alive
    server: str  # the sage server of the live session, if there is one
    has_files: bool = False  # in the worksheet's folder


class Sessions:
    def __init__(
        self, *, database: Database, delivery: Delivery, placements: Placements
    ) -> None:
        self._database = database
        self._nodes = delivery.nodes
        self.placements = placements

    def watch(self, browser: Browser) -> Watch:
        return Watch(browser, self)

    def stored(self, browser: Browser, session: str, after: int) -> Stored | None:
        """What `browser` lacks, None if it has no such worksheet. Raises Unavailable."""
        with self._database.reading() as cursor:
            permission = permissions.find(cursor, browser.account, browser.worksheet)
            if permission is None or permission.trashed:
                return None
            browser.owns = permission.owns
            owner = permission.account, permission.kind
            sheet = worksheets.load(cursor, browser.worksheet, permission.title)
            server = self.live_server(cursor, sheet.id)
            has_files = folders.has_files(cursor, sheet.id)
            if session and not worksheets.knows_session(cursor, sheet.id, session):
                return Stored(
                    sheet, [], *owner, session, after, False, None, server, has_files
                )
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
            return Stored(
                sheet, missing, *owner, latest.session, seen, latest.ended, death, server,
                has_files,
            )  # fmt: skip

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
        if not server and not self._nodes.addresses:
            raise NodeDown("this site has no Sage server")
        return Download(self.place(worksheet, server), worksheet, path)

    def change_files(self, worksheet: str) -> None:
        """Somebody has changed the folder of a worksheet: its session, if there is one, gets the
        same. Raises Unavailable."""
        with self._database.reading() as cursor:
            server = self.live_server(cursor, worksheet)
        if not self._nodes.addresses:
            return
        try:
            with Inquiry(self.place(worksheet, server)) as inquiry:
                inquiry.tell(Message(files_changed=FilesChanged(worksheet=worksheet)))
        except NodeDown as error:
            log.info("worksheet %s has other files now: %s", worksheet, error)

    def end(self, worksheet: str, reason: str) -> bool:
        """End the session of a worksheet, wherever it is; whether there was one. Its pages are
        told the reason. Raises Unavailable, NodeDown."""
        with self._database.reading() as cursor:
            server = self.live_server(cursor, worksheet)
            session = worksheets.recorded(cursor, worksheet).session
        if not server:
            return False
        node = self._nodes.at(server)
        attach = Attach(worksheet=worksheet, session=session, complete=True)
        with Inquiry(node) as inquiry:
            inquiry.ask(Message(attach=attach), END_SECONDS)
            inquiry.ask(Message(end=End(reason=reason)), END_SECONDS)
            inquiry.tell(Message(detach=Detach()))
        return True

    def end_session(self, session: LiveSession, reason: str) -> None:
        """End one that lives, wherever it is; its pages are told the reason.

        If its sage server can't be reached it is over for the rest of the site, and the server
        ends it when it is back. Raises Unavailable.
        """
        try:
            if self.end(session.worksheet, reason):
                return
        except NodeDown as error:
            log.warning("session %s is ended once its server is back: %s", session.id, error)
        with self._database.transaction() as cursor:
            cursor.execute(
                "UPDATE sessions SET ended = now(), reason = %s WHERE id = %s AND ended IS NULL",
                (reason, session.id),
            )

    def live_server(self, cursor: Cursor, worksheet: str) -> str:
        """host:port of the sage server that has the worksheet's live session, "" if none has."""
        return worksheets.live_server(cursor, worksheet, self._nodes.addresses)

    def uses(self, node: Node) -> bool:
        """Whether sessions may begin there."""
        return node.address in self._nodes.addresses

    def place(self, worksheet: str, server: str) -> Node:
        """The node of a worksheet's session: `server` has it; "": where the next one begins."""
        return self._nodes.at(server) if server else self.placements.node(worksheet)


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
        self._owner = browser.account, browser.kind
        self._is_proven = False  # the database has said that this is so
        self._has_files = True  # in its folder, as far as is known
        self._lives: bool | None = None  # whether the node has a session of it, once it said so
        self._returning = BoundedSemaphore()

    def attach(self, session: str, after: int) -> bool:
        """Show everything behind seq `after` of `session`; whether the worksheet exists."""
        self.close()
        with self._returning:
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
                server = self._sessions.placements.remembered(self._browser.worksheet)
            self._go_to(self._sessions.place(self._browser.worksheet, server))
        return True

    def send(self, message: Message, about: str = "") -> None:
        """Pass a browser's message on to its session; if that fails, the browser is told."""
        begins = not self._lives and message.WhichOneof("body") in BEGIN_SESSIONS
        if begins:
            self._settle()
        if (begins or self._lives is False) and self._is_misplaced:
            self._return()  # or a session would begin where none shall
        try:
            if self._node is None:
                raise NodeDown("attach to a worksheet first")
            if message.HasField("restart") and not self._sessions.uses(self._node):
                message = Message(end=End())  # the next run has its session elsewhere
            self._node.send(self._channel, message)
        except NodeDown as error:
            reason = f"{UNREACHED} ({error}); your code is safe, try again in a moment"
            self._browser.post_message(Message(refused=Refused(reason=reason, about=about)))

    def close(self) -> None:
        before, self._node = self._node, None
        if before is not None:
            _leave(before, self._channel)

    # -- Called by the node ----------------------------------------------------------

    def receive(self, received: Received) -> None:
        message = received.message
        kind = message.WhichOneof("body")
        if kind == "gone":
            gevent.spawn(self._return)
            return
        if kind == "state" and self._take_state(message.state):
            return
        if kind == "frame":
            self._session, self._after = message.frame.session, message.frame.seq
            self._complete, self._death = False, None
        self._browser.post(received.raw)

    def _take_state(self, state: State) -> bool:
        """Note what it says of the node; whether the browser has been told something better."""
        self._lives = state.kind not in (State.NONE, State.DEAD)
        if not self._lives and self._is_misplaced:
            gevent.spawn(self._return)
        if state.kind == State.DEAD:
            self._death = state
        elif state.kind == State.NONE and self._death is not None:
            self._browser.post_message(Message(state=self._death))
            return True
        return False

    def node_lost(self, reason: str) -> None:
        self._show_lost(reason)
        if self._node is not None and not self._sessions.uses(self._node):
            gevent.spawn(self._return)

    def node_found(self) -> None:
        if self._session:
            self._join()
        else:  # a run that was under way may be all that is known of its session
            self._return()

    def node_given_up(self) -> None:
        self._lives = None  # whatever it has said
        gevent.spawn(self._return)

    def servers_changed(self) -> None:
        if not self._lives and self._is_misplaced:
            gevent.spawn(self._return)

    # -- Coming to the session -------------------------------------------------------

    @property
    def _is_misplaced(self) -> bool:
        """Whether the next session of the worksheet will begin on another node."""
        return self._sessions.place(self._browser.worksheet, "") is not self._node

    def _settle(self) -> None:
        """Write down where the session begins that is about to."""
        over_at = self._node.address if self._node is not None and self._lives is False else ""
        self._sessions.placements.settle(self._browser.worksheet, over_at=over_at)

    def _return(self) -> None:
        """Ask the database for what it has got since it was asked, then the node again.

        If the session lives elsewhere by now, or the next one begins elsewhere, that node.
        """
        with self._returning:
            if self._node is None:
                return
            before, death, server = self._session, self._death, self._node.address
            try:
                stored = self._sessions.stored(self._browser, before, self._after)
                if stored is not None:
                    self._send_stored(stored)
                    self._death = self._death or death
                    server = stored.server
            except Unavailable as error:
                log.warning("browser %s: %s", self._browser.id, error)
            # What the node said is gone now came from the database: not again.
            self._complete = self._complete or self._session == before != ""
            if self._node is not None:  # else the browser has left meanwhile
                self._go_to(self._better_place(self._node, server))

    def _better_place(self, node: Node, server: str) -> Node:
        """Where to be, if we are at `node` and the database says that `server` has the session."""
        if self._lives:
            return node
        if self._lives is False and server == node.address:
            server = ""  # it knows better than the database, which lags behind
        found = self._sessions.place(self._browser.worksheet, server)
        if found is not node and not node.is_up and not self._death and self._session:
            self._death = State(kind=State.DEAD, session=self._session, reason=ABANDONED)
        return found

    def _go_to(self, node: Node) -> None:
        """Watch there from now on."""
        before, number = self._node, self._channel
        if node is not before:
            self._node, self._channel = node, node.open(self)
            if before is not None:
                _leave(before, number)
        self._lives = None
        if node.is_up:
            self._join()
        elif self._death is not None:
            self._browser.post_message(Message(state=self._death))
        else:
            self._show_lost(node.failure)

    def _show_lost(self, reason: str) -> None:
        state = State(kind=State.STARTING, reason=f"{UNREACHED} ({reason})")
        self._browser.post_message(Message(state=state))

    def _send_stored(self, stored: Stored) -> None:
        for part in stored.missing:
            self._sessions.send_stored(self._browser, part)
        self._session, self._after = stored.session, stored.after
        self._complete, self._death = stored.complete, stored.death
        self._has_files = stored.has_files
        self._owner, self._is_proven = (stored.account, stored.kind), True

    def _join(self) -> None:
        """Have the node send what follows."""
        if self._node is None:
            return
        attach = Attach(
            worksheet=self._browser.worksheet,
            session=self._session,
            after=self._after,
            complete=self._complete,
            account=self._owner[0],
            kind=self._owner[1],
            address=self._browser.address,
            has_files=self._has_files,
            unproven=not self._is_proven,
        )
        try:
            self._node.send(self._channel, Message(attach=attach))
        except NodeDown as error:
            self._show_lost(str(error))


def _leave(node: Node, channel: int) -> None:
    try:
        node.send(channel, Message(detach=Detach()))
    except NodeDown:
        pass  # its viewers are gone with the stream
    node.close(channel)


def _worksheet(sheet: Sheet) -> Message:
    """What a page shows of it; of deleted cells only that they are."""
    cells = [
        Cell(id=cell.id, deleted=True) if cell.content.deleted else as_message(cell)
        for cell in sheet.cells
    ]
    return Message(worksheet=Worksheet(id=sheet.id, title=sheet.title, cells=cells, stored=True))


def as_message(cell: worksheets.Cell) -> Cell:
    return Cell(
        id=cell.id,
        position=cell.content.position,
        code=cell.content.code,
        kind=cell.content.kind.upper(),
        deleted=cell.content.deleted,
        folded=cell.folded,
        output_folded=cell.output_folded,
        auto=cell.auto,
        revision=cell.revision,
        run=cell.run or "",
        text=cell.text,
    )

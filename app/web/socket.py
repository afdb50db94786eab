"""The browser's socket: what a page sends is checked here and passed on to where it belongs.

Each connection has the request's own greenlet, which receives, and another while there is
something to send. When the server stops, `leave` tells all pages to come back elsewhere.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import flask
import gevent
from greenlet import greenlet
from psycopg2.extensions import cursor as Cursor
from werkzeug.routing import Rule
from wsproto.frame_protocol import CloseReason

from app import attempts, documents, permissions, worksheets
from app.browsers import Browser
from app.changes import Content
from app.db import Database, Unavailable
from app.delivery import Delivery, ToWorksheet
from app.merging import Merger
from app.roles import may_send
from app.sessions import Sessions, Watch, as_message
from app.settings import Settings
from app.texts import BadUpdate
from app.web.origins import is_own_origin
from app.web.websocket import Closed, WebSocket
from app.wire.decoder import PROTOCOL_VERSION, Malformed, parse
from app.wire.messages_pb2 import (
    Attach,
    CellKind,
    CellSaved,
    End,
    Hello,
    Here,
    Message,
    Pong,
    Refused,
    SaveCell,
    Saving,
    Title,
)

SIGNED_OUT = 4403  # close code: the page may not stay open
PARTING = 1.0  # seconds in which a browser that was told to leave may do so itself
HERE_PAUSE = 0.05  # seconds between two messages of where somebody is
LARGEST_HERE = 1024  # bytes of such a message
TO_SESSION = frozenset(
    ("ack", "active", "execute", "update", "cancel", "interrupt", "restart", "end", "complete",
     "inspect", "input_reply")
)

KINDS = {number: name.lower() for name, number in CellKind.items()}
Done = TypeVar("Done")

log = logging.getLogger(__name__)


class Leaving(Exception):
    """The server stops; thrown into every connection's greenlet."""


class Handled(flask.Response):
    """An answer that was given on the socket itself: nothing is left for gunicorn to say."""

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        raise StopIteration


class Sockets:
    """Every open WebSocket of this process."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        sessions: Sessions,
        delivery: Delivery,
        merger: Merger,
    ) -> None:
        self._settings = settings
        self._merger = merger
        self._database = database
        self._sessions = sessions
        self._delivery = delivery
        self._greenlets: set[greenlet] = set()

    def register(self, app: flask.Flask) -> None:
        app.url_map.add(
            Rule("/socket/<uuid:worksheet>", endpoint="socket", websocket=True)
        )
        app.view_functions["socket"] = self.serve

    def serve(self, worksheet: uuid.UUID) -> Any:
        """One connection, from its upgrade to its end."""
        request = flask.request
        if not is_own_origin(request):
            flask.abort(403)
        browser = Browser(
            account=flask.g.account,
            kind=flask.g.kind,
            worksheet=str(worksheet),
            outbox=4 * self._settings.wire.window,
            sign_in=flask.g.person.sign_in,
            expires=flask.g.person.expires,
            name=flask.g.person.name,
            address=attempts.network(request.remote_addr or ""),
        )
        try:
            connection = WebSocket(
                request.environ,
                max_message=self._settings.app.max_code,
                silence=self._settings.app.silence,
            )
        except Closed as error:
            flask.abort(400, str(error))
        this = gevent.getcurrent()
        self._greenlets.add(this)
        try:
            self._converse(connection, browser)
        except Closed as error:
            log.debug("browser %s: %s", browser.id, error)
        except Leaving:
            connection.close(CloseReason.GOING_AWAY, "the server is being restarted")
        finally:
            self._greenlets.discard(this)
        return Handled()

    def leave(self) -> None:
        """Say goodbye to every page, so that it comes back at once, elsewhere."""
        for each in list(self._greenlets):
            gevent.kill(each, Leaving)

    def _converse(self, connection: WebSocket, browser: Browser) -> None:
        watch = self._sessions.watch(browser)
        self._delivery.browsers.add(browser)
        sender = Sender(connection, browser, gevent.getcurrent())
        conversation = Conversation(
            browser=browser,
            watch=watch,
            database=self._database,
            delivery=self._delivery,
            merger=self._merger,
        )
        try:
            self._delivery.directory.enter(browser)
            while True:
                conversation.take(connection.receive())
        finally:
            sender.stop()
            conversation.leave()
            self._delivery.browsers.remove(browser)
            self._delivery.directory.leave(browser)
            watch.close()


class Sender:
    """Empties a browser's outbox onto its socket.

    It has a greenlet only while there is something to send: each takes 16 KiB for its stack, so
    that an idle page is to have no more than the one that listens.
    """

    def __init__(self, connection: WebSocket, browser: Browser, receiver: greenlet) -> None:
        """`receiver` ends once we have said goodbye."""
        self._connection = connection
        self._browser = browser
        self._receiver = receiver
        self._greenlet: gevent.Greenlet[[], None] | None = None
        self._is_over = False
        browser.on_filled = self._wake
        self._wake()

    def stop(self) -> None:
        self._is_over = True
        if self._greenlet is not None:
            self._greenlet.kill()

    def _wake(self) -> None:
        if self._greenlet is None and not self._is_over:
            self._greenlet = gevent.spawn(self._run)

    def _run(self) -> None:
        try:
            if self._empty():
                self._greenlet = None
                return
        except Closed:
            return  # the receiving greenlet notices too
        self._part()

    def _empty(self) -> bool:
        """Send what there is; whether the connection goes on."""
        browser = self._browser
        while not (browser.overflowed or browser.dismissed):
            if payloads := browser.take(0):
                self._connection.send(payloads)
            else:
                return not browser.sent_away
        return False

    def _part(self) -> None:
        if self._browser.dismissed:
            self._connection.close(SIGNED_OUT, self._browser.dismissed)
            # Nothing that it says from now on is listened to
            gevent.kill(self._receiver, Closed(self._browser.dismissed))
            return
        self._connection.close(CloseReason.TRY_AGAIN_LATER, "come back for what you lack")
        gevent.sleep(PARTING)
        gevent.kill(self._receiver, Closed("it was told to leave"))


class Conversation:
    """What one browser says, done."""

    def __init__(
        self,
        *,
        browser: Browser,
        watch: Watch,
        database: Database,
        delivery: Delivery,
        merger: Merger,
    ) -> None:
        self._browser = browser
        self._watch = watch
        self._database = database
        self._delivery = delivery
        self._merger = merger
        self._delayed = False
        self._is_in = False  # the worksheet exists, and its person may read it
        self._told = 0.0  # when the others were told last where this one is

    def take(self, raw: bytes) -> None:
        """Do what a message asks; what can't be done is refused."""
        try:
            message = parse(raw)
        except Malformed as error:
            self._refuse(str(error))
            return
        kind = message.WhichOneof("body") or "nothing"
        if not may_send(self._browser.kind, kind):
            self._refuse(f"a page must not send {kind}")
        elif kind == "end":
            self._watch.send(Message(end=End()), about="")  # reasons are for the site's tools
        elif kind in TO_SESSION:
            self._watch.send(message, about=message.execute.run or message.update.interact)
        elif kind in ACTIONS:
            ACTIONS[kind](self, message)

    def _refuse(self, reason: str, about: str = "") -> None:
        self._browser.post_message(Message(refused=Refused(reason=reason, about=about)))

    def answer(self) -> None:
        """To a ping."""
        self._browser.post_message(Message(pong=Pong()))

    def greet(self, hello: Hello) -> None:
        if hello.version != PROTOCOL_VERSION:
            self._refuse("this page is older than the server; load it again")
        ours = Hello(version=PROTOCOL_VERSION, role="app", node=self._browser.id)
        self._browser.post_message(Message(hello=ours))

    def attach(self, order: Attach) -> None:
        self._is_in = self._watch.attach(order.session, order.after)
        if not self._is_in:
            self._write("", lambda cursor: None)  # which says why it can't be

    def save(self, order: SaveCell) -> None:
        """Store a cell and show it to the others who have the worksheet open."""
        content = Content(
            position=order.position,
            code=order.code,
            kind=KINDS.get(order.kind, "raw"),
            deleted=order.deleted,
        )
        cell = self._write(
            order.id,
            lambda cursor: worksheets.save_cell(
                cursor,
                self._browser.worksheet,
                self._browser.account,
                order.id,
                content,
                folded=order.folded,
                output_folded=order.output_folded,
                auto=order.auto,
                merge=self._merge_of(order),
            ),
        )
        if cell is not None:
            saved = CellSaved(id=cell.id, revision=cell.revision, text=cell.text)
            self._browser.post_message(Message(cell_saved=saved))
            self._tell_others(Message(cell=as_message(cell)))

    def _merge_of(self, order: SaveCell) -> worksheets.Merge | None:
        """How its edits are merged; None if it has none, but a code that shall be."""
        if not order.text:
            return None
        return lambda state, code: self._merger.merged(state, code, order.text)

    def leave(self) -> None:
        """Tell the others that this page's person has gone."""
        if self._is_in:
            here = Here(browser=self._browser.id, left=True)
            self._tell_others(Message(here=here))

    def show(self, here: Here) -> None:
        """Tell the others where this page's person is, not too often."""
        now = time.monotonic()
        is_soon = now - self._told < HERE_PAUSE
        if is_soon or not self._is_in or here.ByteSize() > LARGEST_HERE:
            return
        self._told = now
        here.browser, here.name = self._browser.id, self._browser.name
        self._tell_others(Message(here=here))

    def rename(self, order: Title) -> None:
        """Store another title and show it to everybody; to who sent it that confirms it."""
        title = self._write(
            "title",
            lambda cursor: documents.rename(cursor, self._browser.worksheet, order.title),
        )
        if title is not None:
            told = Message(title=Title(title=title))
            self._browser.post_message(told)
            self._tell_others(told)

    def _write(self, about: str, action: Callable[[Cursor], Done]) -> Done | None:
        """What `action` has done; None if it was refused, or has to wait for the database."""
        try:
            with self._database.transaction() as cursor:
                permission = permissions.find(
                    cursor, self._browser.account, self._browser.worksheet
                )
                if permission is not None and permission.trashed:
                    self._delay(permissions.TRASHED)
                    return None
                if permission is None or not permission.writes:
                    self._refuse("there is no such worksheet", about)
                    return None
                done = action(cursor)
        except Unavailable as error:
            self._delay(str(error))
            return None
        except (worksheets.BadCell, BadUpdate) as error:
            self._refuse(str(error), about)
            return None
        if self._delayed:
            self._delayed = False
            self._browser.post_message(Message(saving=Saving()))
        return done

    def _delay(self, reason: str) -> None:
        """Nothing can be stored for now; the page keeps it, and sends it again."""
        self._delayed = True
        self._browser.post_message(Message(saving=Saving(delayed=True, reason=reason)))

    def _tell_others(self, message: Message) -> None:
        address = ToWorksheet(self._browser.worksheet, without=self._browser.id)
        self._delivery.deliver(address, message)


# What is done with a message here, not on a sage server
ACTIONS: dict[str, Callable[[Conversation, Message], None]] = {
    "hello": lambda here, message: here.greet(message.hello),
    "ping": lambda here, message: here.answer(),
    "attach": lambda here, message: here.attach(message.attach),
    "save_cell": lambda here, message: here.save(message.save_cell),
    "title": lambda here, message: here.rename(message.title),
    "here": lambda here, message: here.show(message.here),
}

"""The browser's socket: what a page sends is checked here and passed on to where it belongs.

Each connection has two greenlets: the request's own, which receives, and one that empties
the browser's outbox. When the server stops, `leave` tells all pages to come back elsewhere.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable
from typing import Any

import flask
import gevent
from greenlet import greenlet
from werkzeug.routing import Rule
from wsproto.frame_protocol import CloseReason

from app import worksheets
from app.browsers import Browser
from app.db import Database, Unavailable
from app.delivery import Delivery, ToWorksheet
from app.roles import may_send
from app.sessions import Sessions, Watch
from app.settings import Settings
from app.web.origins import is_own_origin
from app.web.websocket import Closed, WebSocket
from app.wire.decoder import PROTOCOL_VERSION, Malformed, parse
from app.wire.messages_pb2 import (
    Cell,
    CellSaved,
    Hello,
    Message,
    Pong,
    Refused,
    Saving,
)

SIGNED_OUT = 4403  # close code: the page may not stay open
FLUSH = 60.0  # seconds the sending greenlet sleeps at most
TO_SESSION = frozenset(
    ("ack", "active", "execute", "update", "cancel", "interrupt", "restart", "end", "complete",
     "inspect", "input_reply")
)

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
    ) -> None:
        self._settings = settings
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
        sender = gevent.spawn(_send, connection, browser, gevent.getcurrent())
        conversation = Conversation(
            browser=browser,
            watch=watch,
            database=self._database,
            delivery=self._delivery,
        )
        try:
            while True:
                conversation.take(connection.receive())
        finally:
            sender.kill()
            self._delivery.browsers.remove(browser)
            watch.close()


def _send(connection: WebSocket, browser: Browser, receiver: greenlet) -> None:
    """Empty the outbox onto the socket."""
    try:
        while not (browser.overflowed or browser.dismissed):
            if payloads := browser.take(FLUSH):
                connection.send(payloads)
        if browser.dismissed:
            connection.close(SIGNED_OUT, browser.dismissed)
            # Nothing that it says from now on is listened to
            gevent.kill(receiver, Closed(browser.dismissed))
            return
        connection.close(CloseReason.TRY_AGAIN_LATER, "too slow; come back for the rest")
    except Closed:
        pass  # the receiving greenlet notices too


class Conversation:
    """What one browser says, done."""

    def __init__(
        self, *, browser: Browser, watch: Watch, database: Database, delivery: Delivery
    ) -> None:
        self._browser = browser
        self._watch = watch
        self._database = database
        self._delivery = delivery
        self._delayed = False

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
        elif kind in TO_SESSION:
            self._watch.send(message, about=message.execute.run or message.update.interact)
        elif kind == "hello":
            self._greet(message.hello)
        elif kind == "ping":
            self._browser.post_message(Message(pong=Pong()))
        elif kind == "attach":
            attach = message.attach
            if not self._watch.attach(attach.session, attach.after):
                self._refuse("there is no such worksheet")
        elif kind == "save_cell":
            self._save(message)

    def _refuse(self, reason: str, about: str = "") -> None:
        self._browser.post_message(Message(refused=Refused(reason=reason, about=about)))

    def _greet(self, hello: Hello) -> None:
        if hello.version != PROTOCOL_VERSION:
            self._refuse("this page is older than the server; load it again")
        ours = Hello(version=PROTOCOL_VERSION, role="app", node=self._browser.id)
        self._browser.post_message(Message(hello=ours))

    def _save(self, message: Message) -> None:
        """Store a cell and show it to the others who have the worksheet open."""
        order = message.save_cell
        try:
            with self._database.transaction() as cursor:
                if not worksheets.title(
                    cursor, self._browser.account, self._browser.worksheet
                ):
                    self._refuse("there is no such worksheet", order.id)
                    return
                revision = worksheets.save_cell(
                    cursor, self._browser.worksheet, order.id, order.position, order.code
                )
        except Unavailable as error:
            self._delayed = True
            self._browser.post_message(Message(saving=Saving(delayed=True, reason=str(error))))
            return
        except worksheets.BadCell as error:
            self._refuse(str(error), order.id)
            return
        if self._delayed:
            self._delayed = False
            self._browser.post_message(Message(saving=Saving()))
        self._browser.post_message(
            Message(cell_saved=CellSaved(id=order.id, revision=revision))
        )
        cell = Cell(id=order.id, position=order.position, code=order.code, revision=revision)
        self._delivery.deliver(
            ToWorksheet(self._browser.worksheet, without=self._browser.id), Message(cell=cell)
        )

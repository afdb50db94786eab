"""deliver(address, message): to whoever it is for, wherever they are connected.

Browsers of this app server are reached directly, others through the server they are connected
to. At most once: a browser that is not connected gets nothing, and asks for what it lacks when
it comes back. What one sender sends to one browser arrives in order. When a stream between two
servers has broken, messages may be lost without anybody knowing which: pages that have others
there at the same worksheet are told to come back, and ask.
"""

from __future__ import annotations

import itertools
import logging
from dataclasses import dataclass

import gevent
from gevent.event import AsyncResult

from app.browsers import Browser, Browsers
from app.db import Unavailable
from app.directory import Directory
from app.nodes import Nodes
from app.peers import PeerDown, Peers
from app.wire.messages_pb2 import Deliver, Message, Reached

PATIENCE = 5.0  # seconds for a server to take a message, and for its answer

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ToBrowser:
    id: str


@dataclass(frozen=True)
class ToAccount:
    """All pages of a person."""

    id: str


@dataclass(frozen=True)
class ToWorksheet:
    """Everybody who has the worksheet open, but for one."""

    id: str
    without: str = ""  # a browser


@dataclass(frozen=True)
class ToEveryone:
    """Every open page of the site."""


Address = ToBrowser | ToAccount | ToWorksheet | ToEveryone


class Undeliverable(Exception):
    """The one it was for has not got it, or it is not known whether; the text says why."""


class Delivery:
    def __init__(
        self, *, browsers: Browsers, nodes: Nodes, peers: Peers, directory: Directory
    ) -> None:
        self.browsers = browsers
        self.nodes = nodes
        self.directory = directory
        self._peers = peers
        self._numbers = itertools.count(1)
        self._questions: dict[int, AsyncResult[int]] = {}

    def start(self) -> None:
        """Listen for other app servers. Raises OSError."""
        self._peers.start(on_message=self.take, on_gap=self.mend)
        self.directory.start(self._peers.here)

    def stop(self) -> None:
        self.directory.stop()
        self._peers.stop()

    def deliver(
        self, address: Address, message: Message | None = None, *, hang_up: bool = False
    ) -> int:
        """Put `message` into the outboxes it is for; of how many browsers, as far as is known.

        `hang_up`: their connections end after it, and they come back if they may. Waits for
        other servers, but never for one on account of another. Raises Undeliverable if it was
        for one browser.
        """
        order = Deliver(message=message.SerializeToString() if message else b"", hang_up=hang_up)
        if isinstance(address, ToBrowser):
            order.browser = address.id
            return self._to_browser(order)
        if isinstance(address, ToWorksheet):
            order.worksheet, order.without = address.id, address.without
            reached = self._here(order)
            self._tell(order, self.directory.with_worksheet(address.id))
            return reached
        if isinstance(address, ToAccount):
            order.account = address.id
            others = self.directory.with_account(address.id)
        else:
            order.everyone = True
            others = self.directory.all_others()
        asking = [gevent.spawn(self._ask, order, server) for server in others]
        reached = self._here(order)
        gevent.joinall(asking)
        return reached + sum(one.value or 0 for one in asking)

    def hang_up_elsewhere(self, account: str) -> None:
        """End the connections of a person's pages to other servers: they come back if they may.

        Whatever the database knows of where they are: who was just deleted is nowhere any more.
        """
        order = Deliver(account=account, hang_up=True)
        self._tell(order, self.directory.all_others())

    def _to_browser(self, order: Deliver) -> int:
        """Where it is said to be; if it isn't, where the database says that it is."""
        if self._here(order):
            return 1
        before = ""
        for again in (False, True):
            try:
                server = self.directory.server_of(order.browser, again=again)
            except Unavailable as error:
                raise Undeliverable(f"it can't be looked up: {error}") from error
            if server in ("", before, self.directory.here):
                continue
            before = server
            if self._ask(order, server, is_for_one=True):
                return 1
        raise Undeliverable(f"browser {order.browser} is not connected")

    def _tell(self, order: Deliver, servers: tuple[str, ...]) -> None:
        """Send `order` to other servers without asking what comes of it.

        Waits for one that is slow, as the next message must not overtake this one.
        """
        payload = Message(deliver=order).SerializeToString()
        slow = [server for server in servers if not self._post(server, payload)]
        gevent.joinall([gevent.spawn(self._post, server, payload, PATIENCE) for server in slow])

    def _post(self, server: str, payload: bytes, seconds: float = 0.0) -> bool:
        try:
            self._peers.post(server, payload, seconds)
        except PeerDown as error:
            log.info("%s", error)
            return False
        return True

    def _ask(self, order: Deliver, server: str, *, is_for_one: bool = False) -> int:
        """How many browsers of another server it has reached; 0 if that is not known.

        Raises Undeliverable if `is_for_one` and nobody knows.
        """
        asked = Deliver()
        asked.CopyFrom(order)
        asked.number = next(self._numbers)
        answer = self._questions[asked.number] = AsyncResult()
        try:
            self._peers.post(server, Message(deliver=asked).SerializeToString(), PATIENCE)
            return answer.get(timeout=PATIENCE) or 0
        except (PeerDown, gevent.Timeout) as error:
            log.info("app server %s: %s", server, error)
            if is_for_one and isinstance(error, gevent.Timeout):
                raise Undeliverable(f"app server {server} does not answer") from None
            return 0
        finally:
            del self._questions[asked.number]

    # -- Called by other servers' streams, and must not wait ------------------------------

    def take(self, server: str, message: Message) -> None:
        """What another app server says."""
        if message.HasField("deliver"):
            reached = self._here(message.deliver)
            if message.deliver.number:
                answer = Reached(number=message.deliver.number, browsers=reached)
                self._post(server, Message(reached=answer).SerializeToString())
        elif message.HasField("reached"):
            question = self._questions.get(message.reached.number)
            if question is not None:
                question.set(message.reached.browsers)
        else:
            log.warning("%s sent %s", server, message.WhichOneof("body"))

    def mend(self, server: str) -> None:
        """Messages to or from a server may have been lost: who shares a worksheet, come back."""
        try:
            shared = self.directory.shared_with(server)
        except Unavailable:
            shared = tuple({browser.worksheet for browser in self.browsers})
        for worksheet in shared:
            for browser in self.browsers.watching(worksheet):
                browser.send_away()

    def _here(self, order: Deliver) -> int:
        """Deliver to the browsers of this server; to how many."""
        reached = self._addressed(order)
        for browser in reached:
            if order.message:
                browser.post(order.message)
            if order.hang_up:
                browser.send_away()
        return len(reached)

    def _addressed(self, order: Deliver) -> list[Browser]:
        kind = order.WhichOneof("address")
        if kind == "browser":
            browser = self.browsers.find(order.browser)
            found = [browser] if browser else []
        elif kind == "worksheet":
            found = self.browsers.watching(order.worksheet)
        elif kind == "account":
            found = self.browsers.of_account(order.account)
        else:
            found = list(self.browsers) if order.everyone else []
        return [browser for browser in found if browser.id != order.without]

"""Streams between the app servers of a site: one for each two of them, opened on demand.

A message is put into the bounded outbox of the server it is for; a greenlet for each server
empties it, opens the stream when there is something to send, again with growing pauses when
that fails, and closes it when nothing has been said for a while. So one that is slow, frozen or
gone stops nobody but those who have something to say to it. What is under way when a stream
breaks is lost: at most once. Both ends are then told of the gap, once there is a stream again.

Two servers may call each other at the same time. The call of the one whose address is the
smaller is then taken, the other is refused. A stream ends in order when both have said Bye:
what was sent before has arrived, and nothing overtakes it on the next stream.
"""

from __future__ import annotations

import logging
import random
import time
from collections import deque
from collections.abc import Callable, Iterable

import gevent
from gevent.event import Event

from app.layout import asked_at
from app.listener import Listener
from app.settings import Wire
from app.token import Tokens
from app.wire.connection import connect
from app.wire.decoder import PROTOCOL_VERSION, Malformed, ProtocolError
from app.wire.messages_pb2 import Bye, Hello, Message
from app.wire.stream import Stream
from app.wire.tls import Context

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds between tries to reach a server
PARTING = 1.0  # seconds that an old stream may take to hand over its last messages
CROSSED = "both are calling: the other call is taken"

log = logging.getLogger(__name__)


class PeerDown(Exception):
    """The app server takes nothing now; the text says why."""


class Link:
    """A stream in use, from both hellos to its end."""

    def __init__(self, stream: Stream, *, is_ours: bool) -> None:
        """`is_ours`: we have called."""
        self.stream = stream
        self.is_ours = is_ours
        self.since = self.used = time.monotonic()
        self.heard_bye = False
        self.ended = Event()  # nothing more is read from it ...
        self.over = Event()  # ... and nothing is sent


class Peer:
    """Another app server, as this one reaches it."""

    def __init__(
        self,
        address: str,
        *,
        here: str,
        call: Callable[[str], Stream],
        wire: Wire,
        on_message: Callable[[str, Message], None],
        on_gap: Callable[[str], None],
    ) -> None:
        self.address = address
        self.failure = "not yet reached"
        self._has_precedence = here < address
        self._call = call
        self._wire = wire
        self._on_message = on_message
        self._on_gap = on_gap
        self._payloads: deque[bytes] = deque()
        self._size = 0
        self._wake = Event()  # there is something to do
        self._emptied = Event()
        self._linked = Event()
        self._link: Link | None = None
        self._is_calling = False
        self._has_gap = False  # something may have been lost since the last stream
        self._greenlet = gevent.spawn(self._run)

    @property
    def is_up(self) -> bool:
        return self._link is not None

    def stop(self) -> None:
        self._greenlet.kill()
        if self._link is not None:
            self._link.stream.close()

    def post(self, payload: bytes, seconds: float) -> None:
        """Have an encoded message sent; wait at most `seconds` while the outbox is full.

        Raises PeerDown if it stays so. A stream that takes nothing for so long ends.
        """
        limit = self._wire.window
        deadline = time.monotonic() + seconds
        while self._size > limit and (left := deadline - time.monotonic()) > 0:
            self._emptied.clear()
            self._emptied.wait(left)
        if self._size > limit:
            if seconds:
                self._give_up()
            raise PeerDown(f"{self.address} takes nothing ({self.failure or 'it is too slow'})")
        self._payloads.append(payload)
        self._size += len(payload)
        self._wake.set()

    def _give_up(self) -> None:
        """Drop what waits, which nobody needs late, and the stream with it."""
        self._take()
        self._has_gap = True
        if self._link is not None:
            self._link.stream.close()

    def _take(self) -> list[bytes]:
        payloads = list(self._payloads)
        self._payloads.clear()
        self._size = 0
        self._emptied.set()
        return payloads

    # -- A stream ----------------------------------------------------------------------

    def welcome(self, stream: Stream, ours: Hello) -> None:
        """Use a stream that the other has opened, until its end. Raises ProtocolError."""
        link = self._link
        recent = link and link.is_ours and _age(link.since) < self._wire.hello_seconds
        if self._has_precedence and (self._is_calling or recent):
            raise ProtocolError(CROSSED)
        if link is not None:  # the other has lost it, or is not the same process any more
            link.ended.wait(PARTING)
            self._lose(link, "there is another stream")
        stream.send(Message(hello=ours))
        self._use(link := Link(stream, is_ours=False))
        self._read(link)
        link.over.wait(self._wire.hello_seconds)

    def _use(self, link: Link) -> None:
        self._link, self.failure = link, ""
        self._linked.set()
        self._wake.set()
        if self._has_gap:
            self._has_gap = False
            gevent.spawn(self._on_gap, self.address)

    def _read(self, link: Link) -> None:
        """Hand over what comes, until nothing does."""
        reason = "it hung up"
        try:
            while message := self._next(link):
                link.used = time.monotonic()
                if message.HasField("bye"):
                    link.heard_bye = True
                    return
                self._on_message(self.address, message)
        except (OSError, ProtocolError) as error:
            reason = str(error)
        finally:
            link.ended.set()
            if not link.heard_bye:
                self._lose(link, reason)
            self._wake.set()

    def _next(self, link: Link) -> Message | None:
        while True:
            try:
                received = link.stream.receive()
            except Malformed as error:
                log.warning("%s: %s", self.address, error)
                continue
            return received.message if received else None

    def _lose(self, link: Link, reason: str) -> None:
        """A stream has ended out of order."""
        if self._end(link):
            self.failure, self._has_gap = reason, True
            log.info("lost the stream to app server %s: %s", self.address, reason)

    def _end(self, link: Link) -> bool:
        """Close a stream; whether it was still in use."""
        was_used = self._link is link
        if was_used:
            self._link = None
        link.over.set()
        link.stream.close()
        return was_used

    # -- The greenlet --------------------------------------------------------------------

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while True:
            if self._link is not None:
                self._serve(self._link)
                pause = FIRST_PAUSE
            elif self._payloads or self._has_gap:
                if not self._open():
                    gevent.sleep(pause * random.uniform(0.5, 1.0))
                    pause = min(2 * pause, LONGEST_PAUSE)
            else:
                self._wake.wait()
                self._wake.clear()

    def _open(self) -> bool:
        """Call the other; whether there is a stream, whoever has called."""
        self._linked.clear()
        self._is_calling = True
        try:
            stream = self._call(self.address)
        except (OSError, ProtocolError) as error:
            if CROSSED in str(error) and self._linked.wait(self._wire.hello_seconds):
                return True
            if str(error) != self.failure:
                log.info("app server %s: %s", self.address, error)
            self.failure = str(error)
            return self._link is not None
        finally:
            self._is_calling = False
        if self._link is not None:
            stream.close()
            return True
        link = Link(stream, is_ours=True)
        self._use(link)
        gevent.spawn(self._read, link)
        return True

    def _serve(self, link: Link) -> None:
        """Send what is to be sent, until the stream ends or is not needed any more."""
        try:
            while self._link is link and not link.heard_bye:
                if payloads := self._take():
                    link.used = time.monotonic()
                    link.stream.send_raw(*payloads)
                    continue
                left = self._wire.idle_seconds - _age(link.used)
                if left <= 0:
                    break
                self._wake.clear()
                self._wake.wait(left)
            if self._link is link:
                self._part(link)
        except OSError as error:
            self._lose(link, str(error))

    def _part(self, link: Link) -> None:
        """End a stream in order. Raises OSError."""
        link.stream.send(Message(bye=Bye()))
        link.ended.wait(self._wire.hello_seconds)
        if link.heard_bye:
            self._end(link)
        else:
            self._lose(link, "it did not say goodbye")


class Peers:
    """All other app servers that this one has to do with."""

    def __init__(
        self,
        *,
        host: str,
        ports: Iterable[int],
        tokens: Tokens,
        context: Context,
        served: Context,
        wire: Wire,
    ) -> None:
        """`host`: where to listen, at the first of `ports` that is free; `context`: a client's,
        `served`: a server's."""
        self._host = host
        self._ports = tuple(ports)
        self._tokens = tokens
        self._context = context
        self._served = served
        self._wire = wire
        self._peers: dict[str, Peer] = {}
        self._listener: Listener | None = None
        self._on_message: Callable[[str, Message], None] = lambda address, message: None
        self._on_gap: Callable[[str], None] = lambda address: None
        self.here = ""  # where we are reached (host:port), once started

    def start(
        self,
        *,
        on_message: Callable[[str, Message], None],
        on_gap: Callable[[str], None],
    ) -> None:
        """Listen. `on_message(address, message)` must not wait; `on_gap(address)` is called
        when messages to or from a server may have been lost, once it is reached again.

        Raises OSError if no port is free.
        """
        self._on_message, self._on_gap = on_message, on_gap
        for port in self._ports:
            listener = Listener(
                host=self._host,
                port=port,
                tokens=self._tokens,
                context=self._served,
                wire=self._wire,
                serve=self._welcome,
            )
            try:
                listener.start()
            except OSError:
                if port == self._ports[-1]:
                    raise
                continue
            self._listener = listener
            break
        assert self._listener is not None
        self.here = f"{asked_at(self._host)}:{self._listener.port}"

    def stop(self) -> None:
        if self._listener is not None:
            self._listener.stop()
        for peer in self._peers.values():
            peer.stop()

    def post(self, address: str, payload: bytes, seconds: float = 0.0) -> None:
        """As `Peer.post`, to the app server at `address`."""
        self._peer(address).post(payload, seconds)

    def keep_only(self, addresses: Iterable[str]) -> None:
        """These are alive: forget the others, but for those that are still connected."""
        alive = set(addresses)
        for address, peer in list(self._peers.items()):
            if address not in alive and not peer.is_up:
                peer.stop()
                del self._peers[address]

    def _peer(self, address: str) -> Peer:
        if address not in self._peers:
            self._peers[address] = Peer(
                address,
                here=self.here,
                call=self._call,
                wire=self._wire,
                on_message=self._on_message,
                on_gap=self._on_gap,
            )
        return self._peers[address]

    def _hello(self) -> Hello:
        return Hello(version=PROTOCOL_VERSION, node=self.here, role="app")

    def _call(self, address: str) -> Stream:
        try:
            stream, hello = connect(
                address,
                self._hello(),
                token=self._tokens.current,
                context=self._context,
                max_message=self._wire.max_message,
                silence=self._wire.silence,
                seconds=self._wire.hello_seconds,
            )
        except ProtocolError:
            self._tokens.look_again()  # it may be that there is a newer one
            raise
        if hello.node != address:
            stream.close()
            raise ProtocolError(f"there is {hello.node} now")
        return stream

    def _welcome(self, stream: Stream, hello: Hello) -> None:
        if hello.role != "app" or hello.node == self.here:
            raise ProtocolError("this is an app server, for other app servers alone")
        self._peer(hello.node).welcome(stream, self._hello())


def _age(moment: float) -> float:
    return time.monotonic() - moment

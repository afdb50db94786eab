"""Streams to the sage servers of the site: one each, kept up, shared by all viewers.

A stream is reopened, with growing pauses, when it is lost. Each viewer has a channel of it;
the greenlet that reads the stream hands messages over and never waits for a viewer.

The servers in use may change at any time. One that is dropped gets no new sessions, and its
stream goes on for as long as somebody has a channel of it.
"""

from __future__ import annotations

import itertools
import logging
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

import gevent

from app.balance import Load, able, best_sage_server
from app.loop import Loop
from app.settings import Wire
from app.token import Tokens
from app.wire.connection import connect
from app.wire.decoder import PROTOCOL_VERSION, Malformed, ProtocolError, Received
from app.wire.messages_pb2 import Hello, Message
from app.wire.stream import Stream
from app.wire.tls import Context

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds between tries to reach a server

log = logging.getLogger(__name__)


class NodeDown(Exception):
    """The server can't be reached now; the text says why."""


class Channel(Protocol):
    """What a viewer is to its node. Nothing here may wait."""

    def receive(self, received: Received) -> None: ...
    def node_lost(self, reason: str) -> None: ...
    def node_found(self) -> None: ...
    def servers_changed(self) -> None: ...
    def node_given_up(self) -> None: ...


class Node(Loop):
    def __init__(
        self,
        address: str,
        *,
        name: str,
        tokens: Tokens,
        context: Context,
        wire: Wire,
        on_unused: Callable[[Node], None] = lambda node: None,
        on_draining: Callable[[], None] = lambda: None,
    ) -> None:
        """`address`: host:port of the server; `name`: what this app server calls itself;
        `on_unused`: called when the last channel is closed; `on_draining` when the server
        says that no session shall begin there, or comes back and says so no more.
        """
        self.address = address
        self._on_unused = on_unused
        self._on_draining = on_draining
        self.is_draining = False
        self._name = name
        self._tokens = tokens
        self._context = context
        self._wire = wire
        self._numbers = itertools.count(1)
        self._channels: dict[int, Channel] = {}
        self._stream: Stream | None = None
        self.failure = "not yet reached"
        self.protections: dict[str, str] = {}  # of its sessions: "on", or why not
        self.language = ""  # of its sessions

    @property
    def is_up(self) -> bool:
        return self._stream is not None

    def stop(self) -> None:
        super().stop()
        if self._stream is not None:
            self._stream.close()

    def open(self, channel: Channel) -> int:
        """A channel's number, for `send`."""
        number = next(self._numbers)
        self._channels[number] = channel
        return number

    def close(self, number: int) -> None:
        self._channels.pop(number, None)
        if not self._channels:
            self._on_unused(self)

    @property
    def channels(self) -> tuple[Channel, ...]:
        return tuple(self._channels.values())

    def send(self, number: int, message: Message) -> None:
        """Send on a channel. Raises NodeDown."""
        if self._stream is None:
            raise NodeDown(self.failure)
        message.channel = number
        try:
            self._stream.send(message)
        except OSError as error:
            raise NodeDown(str(error)) from error

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                stream = self._connect()
            except (OSError, ProtocolError) as error:
                self._say_lost(f"{self.address}: {error}")
                self._tokens.look_again()  # it may be that there is a newer one
                gevent.sleep(pause * random.uniform(0.5, 1.0))
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            pause = FIRST_PAUSE
            self._stream, self.failure = stream, ""
            self._drain(False)
            log.info("connected with the sage server %s", self.address)
            for channel in self.channels:
                gevent.spawn(channel.node_found)
            reason = self._read(stream)
            self._stream = None
            stream.close()
            self._say_lost(f"{self.address}: {reason}")

    def _say_lost(self, reason: str) -> None:
        if reason != self.failure:
            log.warning("no stream to the sage server: %s", reason)
        self.failure = reason
        for channel in self.channels:
            channel.node_lost(reason)

    def _connect(self) -> Stream:
        stream, hello = connect(
            self.address,
            Hello(version=PROTOCOL_VERSION, node=self._name, role="app"),
            token=self._tokens.current,
            context=self._context,
            max_message=self._wire.max_message,
            silence=self._wire.silence,
            seconds=self._wire.hello_seconds,
        )
        self.protections = dict(hello.protections)
        self.language = hello.language
        return stream

    def _read(self, stream: Stream) -> str:
        """Hand over what comes until the stream ends; why it did."""
        while True:
            try:
                received = stream.receive()
            except Malformed as error:
                log.warning("%s: %s", self.address, error)
                continue
            except (OSError, ProtocolError) as error:
                return str(error)
            if received is None:
                return "the server closed the connection"
            if received.message.HasField("draining"):
                self._drain(True)
                continue
            channel = self._channels.get(received.message.channel)
            if channel is not None:
                channel.receive(received)

    def _drain(self, is_draining: bool) -> None:
        before, self.is_draining = self.is_draining, is_draining
        if before != is_draining:
            self._on_draining()


class Nodes:
    """The sage servers in use, and those that were dropped and are still needed."""

    def __init__(self, *, name: str, tokens: Tokens, context: Context, wire: Wire) -> None:
        """As for `Node`."""
        self._name = name
        self._tokens = tokens
        self._context = context
        self._wire = wire
        self._nodes: dict[str, Node] = {}
        self._in_use: tuple[str, ...] = ()  # sorted
        self._lost: frozenset[str] = frozenset()
        self.loads: Mapping[str, Load] = {}  # by address, as far as they are known

    def __iter__(self) -> Iterator[Node]:
        return iter(list(self._nodes.values()))

    def use(self, addresses: Iterable[str]) -> None:
        """From now on these, at least one, have the sessions that begin."""
        before, self._in_use = self._in_use, tuple(sorted(set(addresses)))
        if before == self._in_use:
            return
        for address in self._in_use:
            self.at(address)
        for node in self:
            self._end_if_unused(node)
        self.say_changed()

    @property
    def addresses(self) -> tuple[str, ...]:
        """Of the servers where sessions may begin, sorted: those in use, unless they are
        draining or lost and others are not."""
        unfit = self._lost.union(node.address for node in self if node.is_draining)
        return tuple(each for each in self._in_use if each not in unfit) or self._in_use

    def stop(self) -> None:
        for node in self:
            node.stop()

    def at(self, address: str) -> Node:
        """The node of a server, in use or not. One that isn't ends with its last channel."""
        if address not in self._nodes:
            self._nodes[address] = Node(
                address,
                name=self._name,
                tokens=self._tokens,
                context=self._context,
                wire=self._wire,
                on_unused=self._end_if_unused,
                on_draining=self.say_changed,
            )
            self._nodes[address].start()
        return self._nodes[address]

    def choice(self, worksheet: str) -> Node:
        """Where a session of this worksheet begins, by loads as they are now."""
        return self.at(best_sage_server(worksheet, self._reachable(), self.loads))

    def able(self) -> tuple[Node, ...]:
        """Those that are best asked now; none if none can be reached."""
        found = [self.at(address) for address in able(self._reachable(), self.loads)]
        return tuple(node for node in found if node.is_up)

    def _reachable(self) -> tuple[str, ...]:
        """Where sessions may begin: servers with a stream, or all if there is none."""
        up = {node.address for node in self if node.is_up}
        return tuple(each for each in self.addresses if each in up) or self.addresses

    def give_up(self, lost: Iterable[str]) -> None:
        """From now on these (host:port) and no others are lost: no session shall begin there,
        and what they ran is over, unless we hear from them ourselves."""
        before, self._lost = self._lost, frozenset(lost)
        for node in self:
            if node.address in self._lost - before and not node.is_up:
                for channel in node.channels:
                    channel.node_given_up()
        if before != self._lost:
            self.say_changed()

    def say_changed(self) -> None:
        """Where sessions begin has changed for somebody."""
        for node in self:
            for channel in node.channels:
                channel.servers_changed()

    def _end_if_unused(self, node: Node) -> None:
        if node.address not in self._in_use and not node.channels:
            self._nodes.pop(node.address, None)
            node.stop()

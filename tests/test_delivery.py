"""Messages to browsers, wherever they are connected: between app servers in one process."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest

from app import directory as directories
from app.browsers import Browser, Browsers
from app.cache import Cache
from app.db import Database
from app.delivery import (
    Address,
    Delivery,
    ToAccount,
    ToBrowser,
    ToEveryone,
    ToWorksheet,
    Undeliverable,
)
from app.directory import Directory
from app.nodes import Nodes
from app.peers import PeerDown, Peers
from app.settings import Wire
from app.token import Tokens
from app.wire.connection import connect
from app.wire.decoder import PROTOCOL_VERSION, ProtocolError
from app.wire.messages_pb2 import Deliver, Hello, Message, Notice
from app.wire.tls import Identity, client_context, server_context
from supervisor import certs

PATIENCE = 60.0
ACCOUNT = str(uuid.uuid4())
WORKSHEET = str(uuid.uuid4())


def wait_until(holds: Callable[[], object]) -> None:
    with gevent.Timeout(PATIENCE):
        while not holds():
            gevent.sleep(0.01)


class Server:
    """The part of an app server that delivers."""

    def __init__(self, folder: Path, database: Database, cache: Cache, wire: Wire) -> None:
        made = certs.ensure(folder, ["127.0.0.1"])
        self.identity = Identity(ca=made.ca, certificate=made.certificate, key=made.key)
        self.tokens = Tokens(data_dir=folder, database=database)
        self.wire = wire
        self.browsers = Browsers()
        self.peers = Peers(
            host="127.0.0.1",
            ports=(0,),
            tokens=self.tokens,
            context=client_context(self.identity),
            served=server_context(self.identity),
            wire=wire,
        )
        self.directory = Directory(
            database=database,
            cache=cache,
            browsers=self.browsers,
            on_others=self.peers.keep_only,
        )
        nodes = Nodes(
            name="127.0.0.1:1",
            tokens=self.tokens,
            context=client_context(self.identity),
            wire=wire,
        )
        self.delivery = Delivery(
            browsers=self.browsers, nodes=nodes, peers=self.peers, directory=self.directory
        )
        self.delivery.start()

    def browser(self, *, account: str = ACCOUNT, worksheet: str = WORKSHEET) -> Browser:
        """One that connects here."""
        made = Browser(account=account, kind="owner", worksheet=worksheet, outbox=1 << 24)
        self.browsers.add(made)
        self.directory.enter(made)
        return made

    def leave(self, browser: Browser) -> None:
        self.browsers.remove(browser)
        self.directory.leave(browser)

    def link(self, other: Server) -> object:
        peer = self.peers._peers.get(other.directory.here)
        return peer and peer._link


@pytest.fixture
def servers(
    database: Database, memcached: Cache, tmp_path: Path
) -> Iterator[Callable[..., list[Server]]]:
    made: list[Server] = []

    def make(count: int, **wire: float) -> list[Server]:
        chosen = Wire(**{"hello_seconds": 5.0, **wire})  # type: ignore[arg-type]
        made.extend(Server(tmp_path, database, memcached, chosen) for _ in range(count))
        for each in made:
            with gevent.Timeout(PATIENCE):
                while len(each.directory.all_others()) < count - 1:
                    gevent.sleep(0.01)
            each.directory.step()
        return made

    yield make
    for each in made:
        each.delivery.stop()


def notice(text: str) -> Message:
    return Message(notice=Notice(text=text))


def texts(browser: Browser, count: int) -> list[str]:
    """The next `count` notices that it gets, and those behind them."""
    found: list[str] = []
    with gevent.Timeout(PATIENCE):
        while len(found) < count:
            found += [Message.FromString(raw).notice.text for raw in browser.take(0.05)]
    return found


def test_every_kind_of_address_reaches_whom_it_names(
    servers: Callable[..., list[Server]],
) -> None:
    a, b, c = servers(3)
    here, there = a.browser(), b.browser()
    other_sheet = c.browser(worksheet=str(uuid.uuid4()))
    stranger = c.browser(account=str(uuid.uuid4()), worksheet=str(uuid.uuid4()))
    wanted: list[tuple[Address, list[Browser]]] = [
        (ToBrowser(here.id), [here]),
        (ToBrowser(there.id), [there]),
        (ToBrowser(stranger.id), [stranger]),
        (ToAccount(ACCOUNT), [here, there, other_sheet]),
        (ToEveryone(), [here, there, other_sheet, stranger]),
    ]
    for number, (address, reached) in enumerate(wanted):
        assert a.delivery.deliver(address, notice(str(number))) == len(reached)
        for browser in reached:
            assert texts(browser, 1) == [str(number)]
    a.delivery.deliver(ToWorksheet(WORKSHEET, without=here.id), notice("edit"))
    assert texts(there, 1) == ["edit"]
    for browser in (here, there, other_sheet, stranger):
        assert browser.take(0) == []


def test_one_stream_for_both_ways_however_many_browsers(
    servers: Callable[..., list[Server]],
) -> None:
    a, b = servers(2)
    ones, others = [a.browser() for _ in range(20)], [b.browser() for _ in range(20)]
    sending = [
        gevent.spawn(server.delivery.deliver, ToBrowser(browser.id), notice(browser.id))
        for server, browsers in ((a, others), (b, ones))
        for browser in browsers
    ]
    gevent.joinall(sending, raise_error=True)
    for browser in ones + others:
        assert texts(browser, 1) == [browser.id]
    assert a.link(b)
    assert b.link(a)
    assert len(_streams(a)) + len(_streams(b)) == 2  # its two ends


def _streams(server: Server) -> set[int]:
    """Connections that stand, at either end, as the kernel has them."""
    port = server.directory.here.rpartition(":")[2]
    lines = Path("/proc/self/net/tcp").read_text().splitlines()[1:]
    local = f"0100007F:{int(port):04X}"
    return {
        number
        for number, line in enumerate(lines)
        if line.split()[3] == "01" and local in line.split()[1:3]
    }


def test_what_one_sender_sends_arrives_in_order(servers: Callable[..., list[Server]]) -> None:
    a, b = servers(2, window=1 << 16)
    there = b.browser()
    wanted = [f"{number} {'x' * (number % 5000)}" for number in range(500)]

    def send() -> None:
        for text in wanted:
            a.delivery.deliver(ToWorksheet(WORKSHEET), notice(text))

    sending = gevent.spawn(send)
    assert texts(there, len(wanted)) == wanted
    sending.get()


def test_a_wrong_address_is_asked_once_more(servers: Callable[..., list[Server]]) -> None:
    a, b, c = servers(3)
    browser = b.browser()
    a.delivery.deliver(ToBrowser(browser.id), notice("first"))
    b.browsers.remove(browser)  # it moves on, and memcached does not know
    c.browsers.add(browser)
    b.directory.leave(browser)
    wait_until(lambda: not c.directory.server_of(browser.id, again=True))
    c.directory.enter(browser)
    assert a.directory.server_of(browser.id) == b.directory.here
    a.delivery.deliver(ToBrowser(browser.id), notice("second"))
    assert texts(browser, 2) == ["first", "second"]


@pytest.mark.parametrize("id", [str(uuid.uuid4()), "nonsense", "'; --"])
def test_what_can_not_be_delivered_is_told(
    servers: Callable[..., list[Server]], id: str
) -> None:
    a, _ = servers(2)
    with pytest.raises(Undeliverable, match="is not connected"):
        a.delivery.deliver(ToBrowser(id), notice("x"))
    assert a.delivery.deliver(ToAccount(id), notice("x")) == 0
    assert a.delivery.deliver(ToWorksheet(id), notice("x")) == 0


def test_one_that_has_left_is_told_as_such(servers: Callable[..., list[Server]]) -> None:
    a, b = servers(2)
    browser = b.browser()
    a.delivery.deliver(ToBrowser(browser.id), notice("x"))
    b.leave(browser)
    with pytest.raises(Undeliverable, match="is not connected"):
        a.delivery.deliver(ToBrowser(browser.id), notice("y"))


def test_idle_streams_close_in_order_and_reopen(servers: Callable[..., list[Server]]) -> None:
    a, b = servers(2, idle_seconds=0.2)
    here, there = a.browser(), b.browser()
    for number in range(3):
        a.delivery.deliver(ToBrowser(there.id), notice(str(number)))
        b.delivery.deliver(ToBrowser(here.id), notice(str(number)))
        wait_until(lambda: not a.link(b) and not b.link(a))
    assert texts(here, 3) == texts(there, 3) == ["0", "1", "2"]
    assert not here.sent_away  # nothing was lost, so nobody has to ask
    assert not there.sent_away


def test_a_broken_stream_comes_back_and_who_may_lack_something_asks(
    servers: Callable[..., list[Server]],
) -> None:
    a, b = servers(2)
    here, there, alone = a.browser(), b.browser(), b.browser(worksheet=str(uuid.uuid4()))
    a.delivery.deliver(ToBrowser(there.id), notice("x"))
    link = a.link(b)
    link.stream._socket.shutdown(socket.SHUT_RDWR)  # type: ignore[attr-defined]
    wait_until(lambda: here.sent_away and there.sent_away)
    assert not alone.sent_away
    a.delivery.deliver(ToBrowser(alone.id), notice("y"))
    assert texts(alone, 1) == ["y"]


def test_a_peer_that_takes_nothing_stalls_nobody_else(
    servers: Callable[..., list[Server]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is connected and reads nothing: its stream ends, with what waited for it."""
    monkeypatch.setattr("app.delivery.PATIENCE", 0.5)
    a, b = servers(2, window=1 << 16)
    there = b.browser()
    with Frozen(b) as frozen:
        a.peers.post(frozen.address, b"", 0)
        wait_until(lambda: a.peers._peers[frozen.address].is_up)
        big = Message(deliver=Deliver(message=b"x" * 50_000)).SerializeToString()
        refused = 0
        for number in range(200):
            with gevent.Timeout(PATIENCE):
                try:
                    a.peers.post(frozen.address, big)
                except PeerDown:
                    refused += 1
            if number % 50 == 0:
                a.delivery.deliver(ToBrowser(there.id), notice(str(number)))
        assert texts(there, 4) == ["0", "50", "100", "150"]
        assert refused  # the outbox is bounded
        with pytest.raises(PeerDown):
            for _ in range(200):
                a.peers.post(frozen.address, big, 0.2)
        wait_until(lambda: not a.peers._peers[frozen.address].is_up)


class Frozen:
    """An app server that greets and then does nothing, as one that is stopped."""

    def __init__(self, like: Server) -> None:
        self._like = like
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._held: list[object] = []

    def __enter__(self) -> Frozen:
        self._greenlet = gevent.spawn(self._greet)
        return self

    def __exit__(self, *_: object) -> None:
        self._greenlet.kill()
        self._listener.close()

    def _greet(self) -> None:
        from app.wire.connection import admit
        from app.wire.stream import Stream

        raw, _ = self._listener.accept()
        context = server_context(self._like.identity).current()
        stream = Stream(
            context.wrap_socket(raw, server_side=True), max_message=1 << 20, silence=PATIENCE
        )
        admit(stream, has_token=self._like.tokens.are_proved_by, seconds=PATIENCE)
        ours = Hello(version=PROTOCOL_VERSION, node=self.address, role="app")
        stream.send(Message(hello=ours))
        self._held.append(stream)
        gevent.sleep(PATIENCE)


def test_a_dead_server_is_forgotten_and_one_taken_for_dead_comes_back(
    servers: Callable[..., list[Server]], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = servers(2)
    there = b.browser()
    b.directory._greenlet.kill()  # type: ignore[union-attr]
    monkeypatch.setattr(directories, "SILENCE", 0.1)
    gevent.sleep(0.2)
    a.directory.step()
    assert a.directory.others == ()
    assert a.directory.server_of(there.id, again=True) == ""
    monkeypatch.undo()
    b.directory.step()  # it was only slow
    assert a.directory.server_of(there.id, again=True) == b.directory.here
    assert a.directory.with_account(ACCOUNT) == (b.directory.here,)


def test_rows_left_behind_at_our_address_are_removed(
    servers: Callable[..., list[Server]], database: Database
) -> None:
    (a,) = servers(1)
    before = Browser(account=ACCOUNT, kind="owner", worksheet=WORKSHEET, outbox=1)
    a.directory.enter(before)  # never among those connected
    kept = a.browser()
    a.directory._differs = True
    a.directory.step()
    assert a.directory.server_of(before.id, again=True) == ""
    assert a.directory.server_of(kept.id, again=True) == a.directory.here


# --- Who may speak --------------------------------------------------------------


def call(server: Server, name: str, role: str = "app") -> object:
    return connect(
        server.directory.here,
        Hello(version=PROTOCOL_VERSION, node=name, role=role),
        token=server.tokens.current,
        context=client_context(server.identity),
        max_message=1 << 20,
        silence=PATIENCE,
        seconds=PATIENCE,
    )[0]


@pytest.mark.parametrize(
    ("name", "role"),
    [("10.0.0.1:8000", "app"), ("127.0.0.1:1", "sage"), ("127.0.0.1:1", "console")],
)
def test_only_app_servers_of_their_own_name_are_taken(
    servers: Callable[..., list[Server]], name: str, role: str
) -> None:
    (a,) = servers(1)
    with pytest.raises(ProtocolError, match="refused"):
        call(a, name, role)
    with pytest.raises(ProtocolError, match="refused"):
        call(a, a.directory.here)  # nor is one that says it is this one


def test_a_peer_may_say_nonsense_and_others_do_not_notice(
    servers: Callable[..., list[Server]],
) -> None:
    a, b = servers(2)
    here = a.browser()
    stream = call(a, "127.0.0.1:1")
    stream.send_raw(b"nonsense")  # type: ignore[attr-defined]
    stream.send(notice("not for a server"))  # type: ignore[attr-defined]
    stream.send(Message(deliver=Deliver(message=b"to nobody")))  # type: ignore[attr-defined]
    b.delivery.deliver(ToBrowser(here.id), notice("x"))
    assert texts(here, 1) == ["x"]

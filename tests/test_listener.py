"""Who may open a stream to a node: nobody without the site's certificate, its token and an
own name; and the token can be changed while everything runs."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest
import requests

from app.db import Database, Unavailable
from app.listener import Listener, require_own_name
from app.settings import Wire
from app.token import Tokens, keep, rotate, site_token
from app.wire.connection import connect, proof
from app.wire.decoder import LENGTH, PROTOCOL_VERSION, ProtocolError, encode
from app.wire.messages_pb2 import Challenge, Hello, Message, Ping
from app.wire.stream import Stream
from app.wire.tls import Identity, client_context, server_context
from supervisor import certs
from tests.page_client import Page, SignedIn
from tests.running_site import RunningSite, kill_all

NAME = "127.0.0.1:8000"
WIRE = Wire(hello_seconds=5.0, silence=5.0, max_message=1 << 16)
PATIENCE = 60.0


def identity(folder: Path) -> Identity:
    made = certs.ensure(folder, ["127.0.0.1"])
    return Identity(ca=made.ca, certificate=made.certificate, key=made.key)


class Served:
    """A listener that greets whoever it admits and sends back what they say."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.tokens = Tokens(data_dir=folder, database=database)
        self.identity = identity(folder)
        self.admitted: list[Hello] = []
        self.listener = Listener(
            host="127.0.0.1",
            port=0,
            tokens=self.tokens,
            context=server_context(self.identity),
            wire=WIRE,
            serve=self.serve,
        )
        self.listener.start()
        self.address = f"127.0.0.1:{self.listener.port}"

    def serve(self, stream: Stream, hello: Hello) -> None:
        self.admitted.append(hello)
        stream.send(Message(hello=Hello(version=PROTOCOL_VERSION, node="it", role="app")))
        while received := stream.receive():
            stream.send(received.message)

    def call(self, token: str = "", name: str = NAME) -> Stream:
        return connect(
            self.address,
            Hello(version=PROTOCOL_VERSION, node=name, role="app"),
            token=token or self.tokens.current,
            context=client_context(self.identity),
            max_message=1 << 16,
            silence=PATIENCE,
            seconds=PATIENCE,
        )[0]

    def stream(self) -> Stream:
        """A connection with a good certificate, before the hello."""
        raw = socket.create_connection(("127.0.0.1", self.listener.port), timeout=PATIENCE)
        context = client_context(self.identity).current()
        secured = context.wrap_socket(raw, server_hostname="127.0.0.1")
        return Stream(secured, max_message=1 << 16, silence=PATIENCE)

    def is_alive(self) -> bool:
        """Whether it still takes those who may come."""
        stream = self.call()
        stream.send(Message(challenge=Challenge(question=b"x")))
        received = stream.receive()
        stream.close()
        return received is not None and received.message.challenge.question == b"x"


@pytest.fixture
def served(tmp_path: Path, database: Database) -> Iterator[Served]:
    made = Served(tmp_path / "here", database)
    yield made
    made.listener.stop()


def refusal(stream: Stream) -> str:
    """Why a stream that has just been greeted is not taken."""
    with pytest.raises(ProtocolError) as told:
        stream.expect("hello", PATIENCE)
    return str(told.value)


# --- Certificates -------------------------------------------------------------


def test_without_a_certificate_nobody_comes_in(served: Served) -> None:
    context = ssl.create_default_context(cafile=str(served.identity.ca))
    raw = socket.create_connection(("127.0.0.1", served.listener.port), timeout=PATIENCE)
    with (
        pytest.raises(OSError, match="certificate required"),
        context.wrap_socket(raw, server_hostname="127.0.0.1") as secured,
    ):
        secured.recv(1)  # where TLS 1.3 tells a client
    assert served.admitted == []
    assert served.is_alive()


@pytest.mark.parametrize("checks", [True, False], ids=["honest", "checks nothing"])
def test_with_another_site_s_certificate_nobody_comes_in(
    served: Served, tmp_path: Path, checks: bool
) -> None:
    other = identity(tmp_path / "other")
    context = client_context(other).current()
    if not checks:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    raw = socket.create_connection(("127.0.0.1", served.listener.port), timeout=PATIENCE)
    with (
        pytest.raises(OSError, match=r"certificate verify failed|unknown ca"),
        context.wrap_socket(raw, server_hostname="127.0.0.1") as secured,
    ):
        secured.recv(1)
    assert served.admitted == []
    assert served.is_alive()


def test_plain_bytes_and_silence_harm_nobody(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.listener.port)) as silent:
        with socket.create_connection(("127.0.0.1", served.listener.port)) as plain:
            plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert served.is_alive()
        assert silent.fileno() >= 0
    assert [hello.node for hello in served.admitted] == [NAME]


# --- The token ----------------------------------------------------------------


def test_without_the_token_nobody_comes_in(served: Served) -> None:
    with pytest.raises(ProtocolError, match="refused: not the token of this site"):
        served.call("guessed")
    assert served.admitted == []
    assert served.is_alive()


@pytest.mark.parametrize("given", [b"", b"x" * 32, "the token"])
def test_a_made_up_proof_is_refused(served: Served, given: bytes | str) -> None:
    stream = served.stream()
    stream.expect("challenge", PATIENCE)
    answer = served.tokens.current.encode() if isinstance(given, str) else given
    hello = Hello(version=PROTOCOL_VERSION, node=NAME, role="app", proof=answer)
    stream.send(Message(hello=hello))
    assert "not the token" in refusal(stream)


def test_a_replayed_hello_is_refused(served: Served) -> None:
    first = served.stream()
    question = first.expect("challenge", PATIENCE).challenge.question
    recorded = Hello(version=PROTOCOL_VERSION, node=NAME, role="app")
    recorded.proof = proof(served.tokens.current, question, recorded)
    first.send(Message(hello=recorded))
    assert first.expect("hello", PATIENCE).hello.node == "it"
    second = served.stream()
    assert second.expect("challenge", PATIENCE).challenge.question != question
    second.send(Message(hello=recorded))
    assert "not the token" in refusal(second)
    first.close()


@pytest.mark.parametrize(("node", "role"), [("127.0.0.1:8001", "app"), (NAME, "sage")])
def test_a_proof_is_good_for_one_name_and_role(served: Served, node: str, role: str) -> None:
    stream = served.stream()
    question = stream.expect("challenge", PATIENCE).challenge.question
    answer = proof(served.tokens.current, question, Hello(node=NAME, role="app"))
    stream.send(Message(hello=Hello(version=PROTOCOL_VERSION, node=node, role=role, proof=answer)))
    assert "not the token" in refusal(stream)


def test_after_rotation_the_new_token_is_good_at_once(
    served: Served, database: Database, tmp_path: Path
) -> None:
    served.tokens.look()
    caller = Tokens(data_dir=tmp_path / "here", database=database)
    with database.transaction() as cursor:
        made = rotate(cursor, 3600)
    served.call(caller.current).close()  # the one before is good for an hour
    caller.look()
    assert caller.current == made
    assert served.tokens.current != made  # it has not looked since: the database is asked
    served.call(caller.current).close()
    assert served.tokens.current == made
    assert site_token(tmp_path / "here") == made


def test_without_grace_the_old_token_ends_when_the_server_hears_of_it(
    served: Served, database: Database
) -> None:
    served.tokens.look()
    old = served.tokens.current
    with database.transaction() as cursor:
        rotate(cursor, 0)
    served.tokens.look()
    with pytest.raises(ProtocolError, match="not the token of this site"):
        served.call(old)
    assert not served.tokens.accepts(old)
    assert served.is_alive()


def test_hosts_agree_on_one_token(database: Database, tmp_path: Path) -> None:
    hosts = [Tokens(data_dir=tmp_path / name, database=database) for name in "abc"]
    assert len({each.current for each in hosts}) == 3
    gevent.joinall([gevent.spawn(each.look) for each in hosts], raise_error=True)
    for each in hosts:
        each.look()
    assert len({each.current for each in hosts}) == 1
    assert {site_token(tmp_path / name) for name in "abc"} == {hosts[0].current}


def test_without_the_database_a_host_goes_by_its_file(tmp_path: Path) -> None:
    away = Database(
        url="postgresql://salvus@127.0.0.1:1/x", connections=1, wait_seconds=1, statement_seconds=1
    )
    keep_in = tmp_path / "here"
    first = site_token(keep_in)
    tokens = Tokens(data_dir=keep_in, database=away)
    assert tokens.accepts(first)
    assert not tokens.accepts("")
    assert tokens.are_proved_by(Hello(proof=proof(first, b"q", Hello())), b"q")
    assert not tokens.are_proved_by(Hello(proof=proof("other", b"q", Hello())), b"q")
    with pytest.raises(Unavailable):
        tokens.look()
    keep(keep_in, "another")
    assert Tokens(data_dir=keep_in, database=away).current == "another"
    assert (keep_in / "token").stat().st_mode & 0o777 == 0o600


# --- What they say ------------------------------------------------------------


def test_an_oversized_frame_ends_the_stream_and_nothing_else(served: Served) -> None:
    before, other = served.call(), served.call()
    before._socket.sendall(LENGTH.pack(WIRE.max_message + 1))
    with pytest.raises(ProtocolError, match=r"refused: .*65537 bytes; 65536 are allowed"):
        before.expect("hello", PATIENCE)
    other.send(Message(challenge=Challenge(question=b"still here")))
    received = other.receive()
    assert received is not None
    assert received.message.challenge.question == b"still here"
    other.close()


def test_whoever_says_something_else_first_is_refused(served: Served) -> None:
    stream = served.stream()
    stream.expect("challenge", PATIENCE)
    stream._socket.sendall(encode(Message(ping=Ping())) + encode(Message(challenge=Challenge())))
    assert "no hello" in refusal(stream)


@pytest.mark.parametrize(
    ("node", "names", "address", "own"),
    [
        ("10.0.0.2:8000", ("10.0.0.2", "127.0.0.1"), "10.0.0.2", True),
        ("b.example:8000", ("b.example",), "10.0.0.2", True),
        ("127.0.0.1:8001", ("10.0.0.2", "127.0.0.1"), "127.0.0.1", True),
        ("[::1]:8000", ("::1",), "::1", True),
        ("127.0.0.1:8000", ("127.0.0.1",), "::ffff:127.0.0.1", True),
        ("10.0.0.1:8000", ("10.0.0.2", "127.0.0.1"), "10.0.0.2", False),
        ("127.0.0.1:8000", ("10.0.0.2", "127.0.0.1"), "10.0.0.2", False),
        ("localhost:8000", ("10.0.0.2", "localhost"), "10.0.0.2", False),
        ("", ("10.0.0.2",), "10.0.0.2", False),
    ],
)  # fmt: skip
def test_a_node_s_name_is_of_its_own_host(
    node: str, names: tuple[str, ...], address: str, own: bool
) -> None:
    hello = Hello(node=node)
    if own:
        require_own_name(hello, names, address)
    else:
        with pytest.raises(ProtocolError, match="certificate is not for a node called"):
            require_own_name(hello, names, address)


def test_another_host_s_name_is_refused(served: Served) -> None:
    with pytest.raises(ProtocolError, match="refused: its certificate is not for a node called"):
        served.call(name="10.0.0.1:8000")
    assert served.admitted == []


def test_a_running_site_gets_another_token_and_nothing_stops(site: RunningSite, page: Page) -> None:
    page.run("a = 1")
    before = site_token(site.data_dir)
    assert "new token" in site.run("token", "rotate", "--grace", "0")
    assert site_token(site.data_dir) != before
    assert "sessions" in site.run("status")  # a tool comes with the new one
    page.run("a + 1")
    assert page.results() == ["2"]
    kill_all(site.processes("gunicorn"))  # the next app server has to be let in again
    with gevent.Timeout(PATIENCE):
        while not _answers(site):
            gevent.sleep(0.1)
    again = SignedIn(site.new_address())
    other = Page(again, again.new_worksheet())
    other.run("2 + 3")
    assert other.results() == ["5"]
    other.close()


def _answers(site: RunningSite) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{site.port}/alive", timeout=PATIENCE).ok
    except requests.ConnectionError:
        return False

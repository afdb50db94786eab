"""The framing, as tables: whatever way bytes come, the same messages or a clear error."""

from __future__ import annotations

import socket

import pytest

from app.wire.decoder import (
    Decoder,
    Malformed,
    ProtocolError,
    encode,
    frame,
    on_channel,
    parse,
)
from app.wire.messages_pb2 import Execute, Hello, Interrupt, Message, Ping
from app.wire.stream import Stream

MESSAGES = (
    Message(hello=Hello(version=1, node="n", role="app")),
    Message(ping=Ping()),
    Message(channel=300, execute=Execute(run="r", cell="c", code="π = 1\n" * 100)),
)
BYTES = b"".join(encode(message) for message in MESSAGES)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 64, 1000, len(BYTES)])
def test_any_split_gives_the_same_messages(size: int) -> None:
    decoder = Decoder(1 << 16)
    found = [
        parse(payload)
        for start in range(0, len(BYTES), size)
        for payload in decoder.feed(BYTES[start : start + size])
    ]
    assert tuple(found) == MESSAGES
    assert decoder.pending == 0


@pytest.mark.parametrize("cut", [1, 3, 4, 5, len(BYTES) - 1])
def test_a_truncated_message_stays_pending(cut: int) -> None:
    decoder = Decoder(1 << 16)
    whole = list(decoder.feed(BYTES[:cut]))
    assert decoder.pending == cut - sum(len(payload) + 4 for payload in whole)


def test_an_oversized_message_is_refused_before_it_is_read() -> None:
    decoder = Decoder(100)
    with pytest.raises(ProtocolError, match="101 bytes; 100 are allowed"):
        list(decoder.feed((101).to_bytes(4, "big")))


@pytest.mark.parametrize(
    "raw",
    [b"\xff\xff\xff", b"not protobuf", b"", b"\xc2\x3e\x00", b"\x08\x01"],
    ids=["truncated varint", "text", "empty", "unknown kind", "no body"],
)
def test_garbage_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        parse(raw)


def test_a_channel_is_put_in_front_without_encoding_again() -> None:
    stored = Message(interrupt=Interrupt(run="r")).SerializeToString()
    assert on_channel(7, stored).endswith(stored)
    assert parse(on_channel(7, stored)) == Message(channel=7, interrupt=Interrupt(run="r"))


def pair(silence: float = 0.2) -> tuple[Stream, socket.socket]:
    ours, theirs = socket.socketpair()
    theirs.settimeout(10)
    return Stream(ours, max_message=1000, silence=silence), theirs


def test_a_stream_survives_garbage_and_goes_on() -> None:
    stream, peer = pair()
    peer.sendall(frame(b"garbage") + encode(MESSAGES[0]))
    with pytest.raises(Malformed):
        stream.receive()
    received = stream.receive()
    assert received is not None
    assert received.message == MESSAGES[0]


def test_a_stream_that_ends_in_mid_message_says_so() -> None:
    stream, peer = pair()
    peer.sendall(BYTES[:6])
    peer.close()
    with pytest.raises(ProtocolError, match="middle of a message"):
        stream.receive()


def test_a_silent_peer_is_pinged_once_and_then_given_up() -> None:
    stream, peer = pair(silence=0.05)
    with pytest.raises(ProtocolError, match="silent"):
        stream.receive()
    assert peer.recv(100) == encode(Message(ping=Ping()))


def test_a_peer_that_does_not_greet_is_refused() -> None:
    stream, peer = pair()
    peer.sendall(encode(Message(ping=Ping())) + encode(Message(interrupt=Interrupt())))
    with pytest.raises(ProtocolError, match="no hello"):
        stream.expect_hello(5)

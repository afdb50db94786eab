"""Messages to bytes and back, without I/O: the framing of every stream.

A message travels as its length (4 bytes, big-endian) and then itself, encoded by
protobuf. Standard library and protobuf only, as Sage's interpreter uses this too.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from google.protobuf.message import DecodeError

from app.wire.messages_pb2 import Message

PROTOCOL_VERSION = 1
LENGTH = struct.Struct(">I")


class ProtocolError(Exception):
    """The peer's mistake: the stream can't go on."""


class Malformed(ProtocolError):
    """A well-framed payload that is no message: only it is lost, the stream goes on."""


class Received(NamedTuple):
    message: Message
    raw: bytes  # as it came, without the length: what a relay passes on


def parse(raw: bytes) -> Message:
    """The message in `raw`. Raises Malformed if there is none, or of a kind unknown here."""
    message = Message()
    try:
        message.ParseFromString(raw)
    except DecodeError:
        raise Malformed(f"{len(raw)} bytes that are no message") from None
    if message.WhichOneof("body") is None:
        raise Malformed("a message of a kind that is unknown here")
    return message


def frame(*payloads: bytes) -> bytes:
    """Encoded messages, each behind its length, as one piece."""
    parts: list[bytes] = []
    for payload in payloads:
        parts.append(LENGTH.pack(len(payload)))
        parts.append(payload)
    return b"".join(parts)


def encode(message: Message) -> bytes:
    """One message as it stands on a stream."""
    payload = message.SerializeToString()
    return LENGTH.pack(len(payload)) + payload


def on_channel(channel: int, payload: bytes) -> bytes:
    """An encoded message that has no channel yet, addressed to `channel`.

    Protobuf reads fields in any order, so a stored frame need not be encoded again.
    """
    return Message(channel=channel).SerializeToString() + payload


class Decoder:
    """Bytes in, payloads out, however the bytes were split or merged on the way."""

    def __init__(self, max_message: int) -> None:
        """`max_message`: bytes that one payload may have."""
        self._max = max_message
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The payloads that `data` completes. Raises ProtocolError at an oversized one."""
        self._buffer += data
        start = 0
        try:
            while len(self._buffer) - start >= LENGTH.size:
                (length,) = LENGTH.unpack_from(self._buffer, start)
                if length > self._max:
                    raise ProtocolError(
                        f"a message of {length} bytes; {self._max} are allowed (wire.max_message)"
                    )
                end = start + LENGTH.size + length
                if len(self._buffer) < end:
                    return
                payload = bytes(memoryview(self._buffer)[start + LENGTH.size : end])
                start = end
                yield payload
        finally:
            del self._buffer[:start]

    @property
    def pending(self) -> int:
        """Bytes of a message that isn't whole yet; at a stream's end: what was cut off."""
        return len(self._buffer)


def received(payloads: Iterable[bytes]) -> Iterator[Received]:
    """Payloads with the messages in them. Raises Malformed."""
    for raw in payloads:
        yield Received(parse(raw), raw)

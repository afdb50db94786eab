"""The caller's side of a stream between nodes: TCP, TLS, and a Hello each way."""

from __future__ import annotations

import socket
import ssl

from app.wire.messages_pb2 import Hello, Message
from app.wire.stream import Stream
from app.wire.tls import Context


def connect(
    address: str,
    hello: Hello,
    *,
    context: Context,
    max_message: int,
    silence: float,
    seconds: float,
) -> tuple[Stream, Hello]:
    """A stream to the server at `address` (host:port), and what it says of itself.

    `seconds`: it has for each step of that. Raises OSError, ProtocolError.
    """
    host, _, port = address.rpartition(":")
    host = host.strip("[]")  # of an IPv6 address
    raw = socket.create_connection((host, int(port)), timeout=seconds)
    try:
        secured = context.current().wrap_socket(raw, server_hostname=host)
    except (OSError, ssl.CertificateError):
        raw.close()
        raise
    stream = Stream(secured, max_message=max_message, silence=silence)
    try:
        stream.send(Message(hello=hello))
        return stream, stream.expect_hello(seconds)
    except BaseException:
        stream.close()
        raise

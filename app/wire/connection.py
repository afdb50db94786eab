"""How a stream between nodes begins: TLS, then proof that the caller has the site's token.

Whoever is called asks a random question (Challenge). The caller's Hello answers it with an
HMAC under the token, over its name and role, too: so the token never travels, and a Hello that
was overheard is worth nothing.
"""

from __future__ import annotations

import hmac
import secrets
import socket
import ssl
from collections.abc import Callable

from app.wire.decoder import PROTOCOL_VERSION, ProtocolError
from app.wire.messages_pb2 import Challenge, Hello, Message
from app.wire.stream import Stream
from app.wire.tls import Context

QUESTION = 32  # bytes


def connect(
    address: str,
    hello: Hello,
    *,
    token: str,
    context: Context,
    max_message: int,
    silence: float,
    seconds: float,
) -> tuple[Stream, Hello]:
    """A stream to the server at `address` (host:port), and what it says of itself.

    `token`: the site's, which is proved and not sent; `seconds`: it has for each step.
    Raises OSError, ProtocolError.
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
        question = stream.expect("challenge", seconds).challenge.question
        answer = Message(hello=hello)
        answer.hello.proof = proof(token, question, hello)
        stream.send(answer)
        return stream, stream.expect_hello(seconds)
    except BaseException:
        stream.close()
        raise


def admit(
    stream: Stream, *, has_token: Callable[[Hello, bytes], bool], seconds: float
) -> Hello:
    """The hello of a caller that has the site's token, as `has_token(hello, question)` says.

    Raises ProtocolError, OSError.
    """
    question = secrets.token_bytes(QUESTION)
    stream.send(Message(challenge=Challenge(question=question)))
    hello = stream.expect_hello(seconds)
    if hello.version != PROTOCOL_VERSION:
        raise ProtocolError(
            f"protocol version {hello.version}; this server speaks {PROTOCOL_VERSION}"
        )
    if not has_token(hello, question):
        raise ProtocolError("not the token of this site")
    return hello


def proves(hello: Hello, question: bytes, token: str) -> bool:
    """Whether only somebody who has `token` could answer `question` so."""
    return hmac.compare_digest(hello.proof, proof(token, question, hello))


def proof(token: str, question: bytes, hello: Hello) -> bytes:
    """The answer to `question`, for the node and in the role that `hello` claims."""
    text = b"\0".join((question, hello.node.encode(), hello.role.encode()))
    return hmac.digest(token.encode(), text, "sha256")

"""TLS between the site's nodes: version 1.3, both sides show a certificate of the site's CA.

Certificates are renewed while servers run for months, so a context is asked for at each
connection and made anew when its files have changed. Connections that are open stay so.
"""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Identity:
    """What a node proves itself with: paths of PEM files."""

    ca: Path
    certificate: Path
    key: Path

    def version(self) -> tuple[int, ...]:
        """It changes when a file is replaced."""
        found = [file.stat() for file in (self.ca, self.certificate, self.key)]
        return tuple(number for one in found for number in (one.st_ino, one.st_mtime_ns))


class Context:
    """One side's TLS context, as its files are now."""

    def __init__(self, protocol: int, identity: Identity) -> None:
        """Raises OSError, of which ssl.SSLError is one, if the files are no good."""
        self._protocol = protocol
        self._identity = identity
        self._version = identity.version()
        self._context = _context(protocol, identity)

    def current(self) -> ssl.SSLContext:
        """While files can't be used, as in the middle of a renewal, what they held before."""
        try:
            version = self._identity.version()
            if version != self._version:
                self._context = _context(self._protocol, self._identity)
                self._version = version
        except OSError as error:
            log.warning("%s: still using the certificate before: %s", self._identity.ca, error)
        return self._context


def names_of(secured: ssl.SSLSocket) -> tuple[str, ...]:
    """The host names and addresses that the peer's certificate is for."""
    certificate: dict[str, Any] = dict(secured.getpeercert() or {})
    return tuple(str(value) for _, value in certificate.get("subjectAltName", ()))


def server_context(identity: Identity) -> Context:
    return Context(ssl.PROTOCOL_TLS_SERVER, identity)


def client_context(identity: Identity) -> Context:
    return Context(ssl.PROTOCOL_TLS_CLIENT, identity)


def _context(protocol: int, identity: Identity) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(identity.ca)
    context.load_cert_chain(identity.certificate, identity.key)
    return context

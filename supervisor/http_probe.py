"""HTTP over any stream, for probes: through TLS, a unix socket, behind the PROXY protocol."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
from pathlib import Path

TIMEOUT = 3.0  # seconds

# Whether it is there is asked, not who it is: its name and its CA are the browsers' affair.
_ANY_CERTIFICATE = ssl.create_default_context()
_ANY_CERTIFICATE.check_hostname = False
_ANY_CERTIFICATE.verify_mode = ssl.CERT_NONE


class _Opened(http.client.HTTPConnection):
    """A connection that somebody else has opened."""

    def __init__(self, opened: socket.socket) -> None:
        super().__init__("localhost", timeout=TIMEOUT)
        self.sock = opened


def over_tls(host: str, port: int, path: str, *statuses: int) -> str | None:
    """Whether GET `path` over TLS is answered with one of `statuses`; else why not."""
    where = f"https://{host}:{port}{path}"
    try:
        with socket.create_connection((host, port), timeout=TIMEOUT) as raw:
            return _asked(_ANY_CERTIFICATE.wrap_socket(raw), path, statuses, where)
    except (OSError, http.client.HTTPException) as error:
        return f"{where}: {error}"


def over_unix(file: Path, path: str, *statuses: int, before: bytes = b"") -> str | None:
    """The same through the unix socket `file`, on which `before` is said first."""
    where = f"{file} {path}"
    try:
        with socket.socket(socket.AF_UNIX) as opened:
            opened.settimeout(TIMEOUT)
            opened.connect(str(file))
            opened.sendall(before)
            return _asked(opened, path, statuses, where)
    except (OSError, http.client.HTTPException) as error:
        return f"{where}: {error}"


def _asked(opened: socket.socket, path: str, statuses: tuple[int, ...], where: str) -> str | None:
    with contextlib.closing(_Opened(opened)) as connection:
        connection.request("GET", path)
        status = connection.getresponse().status
    return None if status in statuses else f"{where} answered {status}"

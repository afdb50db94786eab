"""Who a browser is, where a proxy stands in front: as the proxy says, and nobody else.

A proxy of ours replaces what browsers send in these headers. Of others they are taken away,
so that no code behind can believe them by mistake.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HEADERS = ("HTTP_FORWARDED", "HTTP_X_REAL_IP")
PREFIX = "HTTP_X_FORWARDED_"
MAPPED = "::ffff:"  # before an IPv4 address on a socket of IPv6


class Forwarded:
    """Wraps a WSGI application; `proxies` are the addresses that are believed."""

    def __init__(self, application: WSGIApplication, proxies: Collection[str]) -> None:
        self._application = application
        self._proxies = frozenset(proxies)

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        said = {
            name: environ.pop(name)
            for name in list(environ)
            if name in HEADERS or name.startswith(PREFIX)
        }
        peer = environ.get("REMOTE_ADDR", "").removeprefix(MAPPED)
        if peer in self._proxies:
            client = said.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
            if client:
                environ["REMOTE_ADDR"] = client
            if said.get("HTTP_X_FORWARDED_PROTO") == "https":
                environ["wsgi.url_scheme"] = "https"
        return self._application(environ, start_response)

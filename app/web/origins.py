"""Where a request comes from and where a browser may be sent: this site's own pages alone."""

from __future__ import annotations

from urllib.parse import urlsplit

import flask

from app.settings import Settings

SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))  # they change nothing


def is_same_origin(request: flask.Request) -> bool:
    """Whether a page of this site sent the request; a browser says so itself."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    return is_own_origin(request)


def is_own_origin(request: flask.Request) -> bool:
    """Whether the Origin header is this site's. Without TLS anybody on the way can write pages,
    so behind TLS only a page that came over it counts."""
    origin = urlsplit(request.headers.get("Origin", ""))
    return origin.netloc == request.host and (
        origin.scheme == "https" or not request.is_secure
    )


def of_site(settings: Settings) -> str:
    """What addresses of this site begin with, for who is elsewhere: as the operator says, else as
    the browser asks."""
    return settings.app.address or flask.request.host_url.rstrip("/")


def is_own_path(address: str) -> bool:
    """Whether a browser that is sent to `address` stays on this site.

    Browsers take \\ for / and drop control characters, so neither may be in it.
    """
    return (
        address.startswith("/")
        and not address.startswith("//")
        and "\\" not in address
        and address.isprintable()
        and " " not in address
    )

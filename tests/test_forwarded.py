"""Whom the app believes who a browser is."""

from __future__ import annotations

from typing import Any

import pytest

from app.web.forwarded import Forwarded

CLAIMS = {"HTTP_X_FORWARDED_FOR": "9.9.9.9", "HTTP_X_FORWARDED_PROTO": "https"}


@pytest.mark.parametrize(
    ("peer", "claims", "address", "scheme"),
    [
        ("10.0.0.1", CLAIMS, "9.9.9.9", "https"),
        ("::ffff:10.0.0.1", CLAIMS, "9.9.9.9", "https"),
        ("10.0.0.2", CLAIMS, "10.0.0.2", "http"),
        ("", CLAIMS, "", "http"),
        ("10.0.0.1", {}, "10.0.0.1", "http"),
        ("10.0.0.1", {"HTTP_X_FORWARDED_FOR": "6.6.6.6, 9.9.9.9"}, "9.9.9.9", "http"),
        ("10.0.0.1", {"HTTP_X_FORWARDED_FOR": " "}, "10.0.0.1", "http"),
        ("10.0.0.1", {"HTTP_X_FORWARDED_PROTO": "ftp"}, "10.0.0.1", "http"),
        ("10.0.0.1", {"HTTP_X_REAL_IP": "9.9.9.9"}, "10.0.0.1", "http"),
    ],
)
def test_proxies_alone_are_believed(
    peer: str, claims: dict[str, str], address: str, scheme: str
) -> None:
    seen: dict[str, Any] = {}

    def application(environ: dict[str, Any], start: Any) -> list[bytes]:
        seen.update(environ)
        return []

    environ = {"REMOTE_ADDR": peer, "wsgi.url_scheme": "http", "HTTP_HOST": "a", **claims}
    Forwarded(application, ["10.0.0.1"])(environ, lambda *said: None)  # type: ignore[arg-type]
    assert seen == {"REMOTE_ADDR": address, "wsgi.url_scheme": scheme, "HTTP_HOST": "a"}

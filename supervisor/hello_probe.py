"""Whether a server of the site's own answers a hello, as its peers would have it."""

from __future__ import annotations

import ssl

from app.settings import Settings
from app.token import site_token
from app.wire.connection import connect
from app.wire.decoder import PROTOCOL_VERSION, ProtocolError
from app.wire.messages_pb2 import Hello
from app.wire.tls import Context, client_context
from supervisor import certs
from supervisor.http_probe import TIMEOUT
from supervisor.service import CannotStart


class HelloProbe:
    """Asks the server at `address` (host:port) each time it is called: None, or why not."""

    def __init__(self, settings: Settings, address: str) -> None:
        self._settings = settings
        self._address = address
        self._context: Context | None = None

    def __call__(self) -> str | None:
        try:
            if self._context is None:
                self._context = client_context(certs.identity(self._settings))
            stream, _ = connect(
                self._address,
                Hello(version=PROTOCOL_VERSION, role="probe"),
                token=site_token(self._settings.data_dir),
                context=self._context,
                max_message=self._settings.wire.max_message,
                silence=TIMEOUT,
                seconds=TIMEOUT,
            )
        except (OSError, ssl.CertificateError, ProtocolError, CannotStart) as error:
            return f"{self._address}: {error}"
        stream.close()
        return None

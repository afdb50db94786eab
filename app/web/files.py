"""Files that a worksheet's session has written, for download.

They are a user's, and never shown as pages of the site: always an attachment, of no type
that a browser would run.
"""

from __future__ import annotations

import uuid
from urllib.parse import quote

import flask
import flask.typing

from app import permissions
from app.db import Database
from app.downloads import NoFile
from app.nodes import NodeDown
from app.sessions import Sessions


def register(app: flask.Flask, *, database: Database, sessions: Sessions) -> None:
    """Add the downloads to `app`. `flask.g.account` is set before they are asked."""

    @app.get("/w/<uuid:worksheet>/files/<path:path>")
    def file(worksheet: uuid.UUID, path: str) -> flask.typing.ResponseReturnValue:
        with database.reading() as cursor:
            if permissions.find(cursor, flask.g.account, str(worksheet)) is None:
                flask.abort(404)
            server = sessions.live_server(cursor, str(worksheet))
        try:
            download = sessions.download(str(worksheet), server, path)
        except NoFile as error:
            flask.abort(404, str(error))
        except NodeDown as error:
            flask.abort(502, f"The Sage server can't be reached ({error}).")
        response = flask.Response(download.pieces(), mimetype="application/octet-stream")
        response.content_length = download.size
        response.headers["Content-Disposition"] = attachment(path.rpartition("/")[2])
        response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
        response.headers["Cache-Control"] = "no-store"
        return response


def attachment(name: str) -> str:
    """The header that has a browser save a file as `name`, which a user has chosen: whatever it
    is, what is sent is ASCII (RFC 6266)."""
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}"

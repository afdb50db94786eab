"""The folder of a worksheet: its files are listed, uploaded, fetched, renamed and deleted here.

They are a user's, and never shown as pages of the site: always an attachment, of no type
that a browser would run. A session's own copy is the newest: what a run has just written is
fetched from there.

Uploads come piece by piece, so that one that was cut off goes on where it was, also on another
app server or after the page was loaded again: `POST /w/ID/uploads` with `path`, `size` (bytes)
and `mark` (what tells this file of the browser from others) says how much is here already.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import quote

import flask
from flask.typing import ResponseReturnValue
from psycopg2.extensions import cursor as Cursor

from app import folders, limits, permissions
from app.db import Database
from app.downloads import NoFile
from app.folders import FolderError, Upload
from app.nodes import NodeDown
from app.permissions import Permission
from app.sessions import Sessions
from app.settings import Settings
from app.web.languages import _, said


class Files:
    def __init__(self, *, database: Database, sessions: Sessions, settings: Settings) -> None:
        self._database = database
        self._sessions = sessions
        self._settings = settings

    def register(self, app: flask.Flask) -> None:
        """Add them to `app`. `flask.g.account` and `flask.g.kind` are set before they are asked."""
        for path, method, view in (
            ("/w/<uuid:worksheet>/files", "GET", self.files),
            ("/w/<uuid:worksheet>/files/<path:path>", "GET", self.file),
            ("/w/<uuid:worksheet>/uploads", "POST", self.begin_upload),
            ("/w/<uuid:worksheet>/uploads/<uuid:upload>", "POST", self.upload_piece),
            ("/w/<uuid:worksheet>/uploads/<uuid:upload>/cancel", "POST", self.cancel_upload),
            ("/w/<uuid:worksheet>/folder/rename", "POST", self.rename_file),
            ("/w/<uuid:worksheet>/folder/delete", "POST", self.delete_file),
        ):
            app.add_url_rule(path, view.__name__, view, methods=[method])

    # --- Reading ---

    def files(self, worksheet: uuid.UUID) -> ResponseReturnValue:
        """{"files": [{"path", "size", "changed"}], "used", "limit"}; sizes in bytes."""
        with self._database.reading() as cursor:
            permission = _permission(cursor, worksheet)
            found = folders.listing(cursor, str(worksheet))
            used = folders.used(cursor, str(worksheet))
            limit = self._limit(cursor, permission)
        listed = [
            {"path": file.path, "size": file.size, "changed": file.changed.isoformat()}
            for file in found
        ]
        return {"files": listed, "used": used, "limit": limit}

    def file(self, worksheet: uuid.UUID, path: str) -> ResponseReturnValue:
        with self._database.reading() as cursor:
            _permission(cursor, worksheet)
        try:
            pieces, size = self.content(str(worksheet), path)
        except NoFile as error:
            flask.abort(404, said(error))
        except NodeDown as error:
            flask.abort(502, _("The Sage server can't be reached (%(why)s).", why=error))
        return _attached(path, pieces, size)

    def content(self, worksheet: str, path: str) -> tuple[Iterator[bytes], int]:
        """A file as it is now, and its size in bytes. Raises NoFile, NodeDown, also while it is
        read."""
        with self._database.reading() as cursor:
            server = self._sessions.live_server(cursor, worksheet)
            kept = folders.find(cursor, worksheet, path)
        try:
            download = self._sessions.download(worksheet, server, path)
            return download.pieces(), download.size
        except (NoFile, NodeDown):
            if kept is None:
                raise
        return folders.pieces(partial(self._piece, kept.id)), kept.size

    def _piece(self, file: str, start: int) -> bytes:
        with self._database.reading() as cursor:
            return folders.piece(cursor, file, start)

    # --- Changing ---

    def begin_upload(self, worksheet: uuid.UUID) -> ResponseReturnValue:
        """Answers as each piece does: {"id", "received", "complete"}."""
        form = flask.request.form
        path, mark = form.get("path", ""), form.get("mark", "")[:200]
        size = form.get("size", type=int)
        if size is None or size < 0:
            flask.abort(400, "size: expected a number of bytes")

        def begin(cursor: Cursor) -> Upload:
            limit = self._limit(cursor, _permission(cursor, worksheet))
            found = folders.begin(cursor, str(worksheet), path, size, limit=limit, mark=mark)
            return folders.add(cursor, str(worksheet), found.id, found.received, b"")

        return self._receive(worksheet, begin)

    def upload_piece(self, worksheet: uuid.UUID, upload: uuid.UUID) -> ResponseReturnValue:
        """The body is what follows the first `start` bytes of the file."""
        flask.request.max_content_length = folders.PIECE
        start = flask.request.args.get("start", -1, type=int)
        data = flask.request.get_data()
        return self._receive(
            worksheet,
            lambda cursor: folders.add(cursor, str(worksheet), str(upload), start, data),
        )

    def cancel_upload(self, worksheet: uuid.UUID, upload: uuid.UUID) -> ResponseReturnValue:
        self._change(
            worksheet, lambda cursor: folders.give_up(cursor, str(worksheet), str(upload))
        )
        return "", 204

    def rename_file(self, worksheet: uuid.UUID) -> ResponseReturnValue:
        form = flask.request.form
        path, new = form.get("path", ""), form.get("to", "").strip()
        self._change(
            worksheet, lambda cursor: folders.rename(cursor, str(worksheet), path, new)
        )
        self._sessions.change_files(str(worksheet))
        return "", 204

    def delete_file(self, worksheet: uuid.UUID) -> ResponseReturnValue:
        path = flask.request.form.get("path", "")
        self._change(worksheet, lambda cursor: folders.remove(cursor, str(worksheet), path))
        self._sessions.change_files(str(worksheet))
        return "", 204

    def _receive(
        self, worksheet: uuid.UUID, take: Callable[[Cursor], Upload]
    ) -> ResponseReturnValue:
        def action(cursor: Cursor) -> tuple[Upload, bool]:
            upload = take(cursor)
            return upload, folders.finish(cursor, str(worksheet), upload)

        upload, complete = self._change(worksheet, action)
        if complete:
            self._sessions.change_files(str(worksheet))
        return {"id": upload.id, "received": upload.received, "complete": complete}

    def _change(self, worksheet: uuid.UUID, action: Callable[[Cursor], Any]) -> Any:
        """What `action` has done, in a transaction of who may."""
        try:
            with self._database.transaction() as cursor:
                if not _permission(cursor, worksheet).writes:
                    flask.abort(403, _("This worksheet can only be read."))
                return action(cursor)
        except FolderError as error:
            flask.abort(409, said(error))

    def limit(self, permission: Permission) -> int:
        """Bytes that a folder of the worksheet's owner may have."""
        with self._database.reading() as cursor:
            return self._limit(cursor, permission)

    def _limit(self, cursor: Cursor, permission: Permission) -> int:
        usual = self._settings.limits_of(permission.kind)
        return limits.of_person(cursor, usual, permission.account).folder


def _permission(cursor: Cursor, worksheet: uuid.UUID) -> Permission:
    found = permissions.find(cursor, flask.g.account, str(worksheet))
    if found is None:
        flask.abort(404)
    return found


def _attached(path: str, pieces: Iterator[bytes], size: int) -> flask.Response:
    response = flask.Response(pieces, mimetype="application/octet-stream")
    response.content_length = size
    response.headers["Content-Disposition"] = attachment(path.rpartition("/")[2])
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["Cache-Control"] = "no-store"
    return response


def attachment(name: str) -> str:
    """The header that has a browser save a file as `name`, which a user has chosen: whatever it
    is, what is sent is ASCII (RFC 6266)."""
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}"

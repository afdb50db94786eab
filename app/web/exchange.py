"""Worksheets in and out: exported as files, and made of files."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import PurePath
from urllib.parse import quote

import flask
import flask.typing
from werkzeug import Response

from app import exchange, markdown, notebooks, permissions, sagews, scripts, standalone
from app.db import Database
from app.manuscript import Manuscript, NoManuscript
from app.web.languages import _, said
from app.worksheets import BadCell

LARGEST = 64 << 20  # bytes of a file
READERS: dict[str, Callable[[str, str], Manuscript]] = {
    ".ipynb": notebooks.read, ".sagews": sagews.read, ".sage": scripts.read, ".py": scripts.read,
    ".md": markdown.read,
}  # fmt: skip
WRITERS: dict[str, tuple[Callable[[Manuscript], str], str]] = {
    "ipynb": (notebooks.write, "application/x-ipynb+json"),
    "html": (standalone.write, "text/html"),
    "md": (markdown.write, "text/markdown"),
    "sage": (scripts.write, "text/x-python"),
    "py": (scripts.write, "text/x-python"),
}


def register(app: flask.Flask, *, database: Database) -> None:
    """Add them to `app`. `flask.g.account` is set before they are asked."""

    @app.get("/w/<uuid:worksheet>/export.<kind>")
    def export_worksheet(worksheet: uuid.UUID, kind: str) -> flask.typing.ResponseReturnValue:
        if kind not in WRITERS:
            flask.abort(404)
        with database.reading() as cursor:
            permission = permissions.find(cursor, flask.g.account, str(worksheet))
            if permission is None:
                flask.abort(404)
            manuscript = exchange.export(cursor, str(worksheet), permission.title)
        write, media = WRITERS[kind]
        name = quote(f"{permission.title.replace('/', '-')}.{kind}", safe="")
        headers = {
            "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
            "X-Content-Type-Options": "nosniff",
        }
        return flask.Response(write(manuscript), mimetype=media, headers=headers)

    @app.post("/worksheets/import")
    def import_worksheet() -> Response:
        flask.request.max_content_length = LARGEST  # else that of all other forms
        if (flask.request.content_length or 0) > LARGEST:
            flask.abort(413, _("The file is larger than %(most)d MiB.", most=LARGEST >> 20))
        try:
            manuscript = _given()
            with database.transaction() as cursor:
                made = exchange.bring_in(cursor, flask.g.account, manuscript)
        except (NoManuscript, BadCell) as error:
            flask.abort(400, said(error))
        return flask.redirect(flask.url_for("worksheet", worksheet=made), 303)


def _given() -> Manuscript:
    """What the form's `file` is. Raises NoManuscript."""
    file = flask.request.files.get("file")
    if file is None or not file.filename:
        raise NoManuscript(_("Choose a file first."))
    return manuscript_of(file.filename, file.read())


def manuscript_of(name: str, data: bytes) -> Manuscript:
    """What a file is, by its name. Raises NoManuscript."""
    path = PurePath(name)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        known = ", ".join(READERS)
        words = _("%(name)s: only %(kinds)s can be imported.", name=path.name, kinds=known)
        raise NoManuscript(words)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NoManuscript(_("%(name)s is no text in UTF-8.", name=path.name)) from None
    return reader(text, path.stem)

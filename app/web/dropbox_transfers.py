"""Worksheets and files to a person's Dropbox, and from it.

`POST /w/ID/dropbox` saves: the worksheet as a notebook or, with `path`, a file of its folder. Who
accepts `application/x-ndjson` gets a line of JSON for each step, {"sent": bytes, "size": bytes or
null}, and as the last one {"said": …} or {"problem": …, "connect": whether that helps}.
"""

from __future__ import annotations

import json
import logging
import re
import uuid
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import flask
from flask.typing import ResponseReturnValue

from app import documents, dropbox_accounts, exchange, folders, notebooks, permissions
from app.db import Database, Unavailable
from app.downloads import NoFile
from app.dropbox import Content, Entry, Trouble
from app.folders import FolderError
from app.manuscript import NoManuscript
from app.nodes import NodeDown
from app.permissions import Permission
from app.sessions import Sessions
from app.takeout import file_name
from app.web import languages
from app.web.cookies import redirect
from app.web.dropbox import DropboxPages
from app.web.dropbox_access import Connections, lets_in, status, words
from app.web.exchange import LARGEST, manuscript_of
from app.web.files import Files
from app.web.languages import _
from app.worksheets import BadCell

log = logging.getLogger(__name__)
STREAM = "application/x-ndjson"
REFUSED = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|]')  # by Dropbox, in names


@dataclass(frozen=True)
class Sending:
    """What is saved: its steps, and where it shall go."""

    wanted: str  # the path there
    target: str  # which was had the last time
    rev: str  # empty: it was not saved before
    size: int | None  # bytes
    steps: Generator[int, None, Entry]


class DropboxTransfers:
    def __init__(
        self, *, database: Database, sessions: Sessions, connections: Connections,
        pages: DropboxPages, files: Files,
    ) -> None:  # fmt: skip
        self._database = database
        self._sessions = sessions
        self._connections = connections
        self._pages = pages
        self._files = files

    def register(self, app: flask.Flask) -> None:
        """Add them to `app`. `flask.g.account` and `flask.g.kind` are set before they are asked."""
        for path, name, view in (
            ("/dropbox/open", "open_from_dropbox", self.open),
            ("/dropbox/fetch", "fetch_from_dropbox", self.fetch),
            ("/w/<uuid:worksheet>/dropbox", "save_to_dropbox", self.save),
        ):
            app.add_url_rule(path, name, view, methods=["POST"])

    # --- From there ---

    def open(self) -> ResponseReturnValue:
        """Make a worksheet of the file `path`."""
        self._connections.check_there_is_one()
        try:
            content = self._connections.box().download(flask.request.form.get("path", ""))
            manuscript = manuscript_of(content.entry.name, _whole(content))
            with self._database.transaction() as cursor:
                made = exchange.bring_in(cursor, flask.g.account, manuscript)
                if content.entry.name.lower().endswith(".ipynb"):  # as it will be saved
                    dropbox_accounts.note_saved(
                        cursor, flask.g.account, made, "", entry=content.entry,
                        wanted=_notebook_path(documents.proper_title(manuscript.title)),
                    )  # fmt: skip
        except (Trouble, NoManuscript, BadCell) as error:
            return self._problem(error)
        return redirect(flask.url_for("worksheet", worksheet=made))

    def fetch(self) -> ResponseReturnValue:
        """Put the file `path` into the folder of `worksheet`."""
        self._connections.check_there_is_one()
        try:
            worksheet = str(uuid.UUID(flask.request.form.get("worksheet", "")))
        except ValueError:
            flask.abort(400, _("Choose a worksheet first."))
        permission = self._permission(worksheet)
        if not permission.writes:
            flask.abort(403, _("This worksheet can only be read."))
        try:
            content = self._connections.box().download(flask.request.form.get("path", ""))
            name = self._take(worksheet, content, self._files.limit(permission))
        except (Trouble, FolderError) as error:
            return self._problem(error)
        self._sessions.change_files(worksheet)
        said = _("%(name)s is in the folder of “%(title)s”.", name=name, title=permission.title)
        return self._pages.shown(self._connections.connected(), said=said)

    def _take(self, worksheet: str, content: Content, limit: int) -> str:
        """Write a file into the folder, which may have `limit` bytes, under a name that is free;
        that. Raises FolderError."""
        size, mark = content.entry.size, str(uuid.uuid4())
        with self._database.transaction() as cursor:
            name = _free_name(content.entry.name, folders.listing(cursor, worksheet))
            upload = folders.begin(cursor, worksheet, name, size, limit=limit, mark=mark)
        try:
            for piece in content.pieces:
                with self._database.transaction() as cursor:
                    upload = folders.add(cursor, worksheet, upload.id, upload.received, piece)
            with self._database.transaction() as cursor:
                if not folders.finish(cursor, worksheet, upload):
                    raise Trouble("unreachable", "the file was cut off")
        except (Trouble, FolderError):
            with self._database.transaction() as cursor:
                folders.give_up(cursor, worksheet, upload.id)
            raise
        return name

    def _problem(self, error: Exception) -> flask.Response:
        """The page, with what was wrong."""
        if isinstance(error, Trouble):
            connected = self._connections.connected() if lets_in(error) else None
            return self._pages.shown(connected, problem=words(error), code=status(error))
        problem = languages.said(error)
        return self._pages.shown(self._connections.connected(), problem=problem, code=409)

    # --- To there ---

    def save(self, worksheet: uuid.UUID) -> ResponseReturnValue:
        self._connections.check_there_is_one()
        path = flask.request.form.get("path", "")
        permission = self._permission(str(worksheet))
        lines = self._told(str(worksheet), path, permission)
        if flask.request.accept_mimetypes.best_match(("text/html", STREAM)) == STREAM:
            streamed = flask.stream_with_context(json.dumps(line) + "\n" for line in lines)
            response = flask.Response(streamed, mimetype=STREAM)
            response.headers["Cache-Control"] = "no-store"
            return response
        *_steps, last = lines
        connected = None if last.get("connect") else self._connections.connected()
        problem = last.get("problem", "")
        return self._pages.shown(
            connected, problem=problem, said=last.get("said", ""), code=409 if problem else 200
        )

    def _told(
        self, worksheet: str, path: str, permission: Permission
    ) -> Iterator[dict[str, Any]]:
        """Save, and say how far it is and what came of it."""
        try:
            sending = self._sending(worksheet, path, permission)
            while True:
                try:
                    yield {"sent": next(sending.steps), "size": sending.size}
                except StopIteration as end:
                    entry: Entry = end.value
                    break
            self._remember(worksheet, path, sending, entry)
            yield {"said": _outcome(sending, entry)}
        except Trouble as trouble:
            yield {"problem": words(trouble), "connect": not lets_in(trouble)}
        except (NoFile, NodeDown):
            yield {"problem": _("The file can't be read now. Try again later."), "connect": False}
        except Unavailable:
            problem = _("The database can't be reached, so nothing was saved. Try again later.")
            yield {"problem": problem, "connect": False}

    def _remember(self, worksheet: str, path: str, sending: Sending, entry: Entry) -> None:
        """If the database is away just now, it is saved beside itself the next time."""
        try:
            with self._database.transaction() as cursor:
                dropbox_accounts.note_saved(
                    cursor, flask.g.account, worksheet, path, wanted=sending.wanted, entry=entry
                )
        except Unavailable as error:
            log.warning("what was saved to a Dropbox can't be noted: %s", error)

    def _sending(self, worksheet: str, path: str, permission: Permission) -> Sending:
        """Raises Trouble, NoFile, NodeDown."""
        box = self._connections.box()
        pieces: Iterator[bytes]
        size: int | None
        if path:
            pieces, size = self._files.content(worksheet, path)
            wanted = f"/{file_name(permission.title)}/{_proper(path)}"
        else:
            with self._database.reading() as cursor:
                manuscript = exchange.export(cursor, worksheet, permission.title)
            notebook = notebooks.write(manuscript).encode()
            pieces, size, wanted = iter([notebook]), len(notebook), _notebook_path(permission.title)
        with self._database.reading() as cursor:
            before = dropbox_accounts.saved(cursor, flask.g.account, worksheet, path)
        again = before is not None and before.wanted == wanted
        target, rev = (before.saved_as, before.rev) if before and again else (wanted, "")
        return Sending(wanted, target, rev, size, box.upload(target, pieces, rev=rev))

    def _permission(self, worksheet: str) -> Permission:
        with self._database.reading() as cursor:
            found = permissions.find(cursor, flask.g.account, worksheet)
        if found is None:
            flask.abort(404)
        return found


def _whole(content: Content) -> bytes:
    """Raises Trouble, NoManuscript."""
    held = bytearray()
    for piece in content.pieces:
        held += piece
        if len(held) > LARGEST:
            raise NoManuscript(_("The file is larger than %(size)s MiB.", size=LARGEST >> 20))
    return bytes(held)


def _outcome(sending: Sending, entry: Entry) -> str:
    """How it is called there, and why."""
    if entry.path.lower() == sending.target.lower():
        return _("Saved to your Dropbox as %(path)s.", path=entry.path)
    if sending.rev:
        return _(
            "%(path)s has been changed in your Dropbox since it was saved there. That is kept, and"
            " this is saved beside it as %(name)s.",
            path=sending.target, name=entry.name,
        )  # fmt: skip
    return _(
        "Saved to your Dropbox as %(path)s, as it has another %(name)s.",
        path=entry.path, name=sending.target.rpartition("/")[2],
    )  # fmt: skip


def _notebook_path(title: str) -> str:
    return f"/{file_name(title)}.ipynb"


def _proper(path: str) -> str:
    """A path of a folder as Dropbox takes it."""
    parts = (REFUSED.sub("-", part).strip() or "-" for part in path.split("/"))
    return "/".join(parts)


def _free_name(name: str, listed: list[folders.File]) -> str:
    """`name`, or with a number if the folder has that already."""
    taken = {file.path for file in listed}
    path, number, found = PurePosixPath(name), 1, name
    while found in taken:
        number += 1
        found = f"{path.stem} ({number}){path.suffix}"
    return found

"""A worksheet's history: a slider over its moments, and the way back to each."""

from __future__ import annotations

import uuid
from dataclasses import replace

import flask
from psycopg2.extensions import cursor as Cursor
from werkzeug import Response

from app import changes, permissions, worksheets
from app.changes import Moment
from app.db import Database
from app.delivery import Delivery, ToWorksheet
from app.permissions import Permission
from app.sessions import as_message
from app.web.languages import _
from app.wire.messages_pb2 import Message


def register(app: flask.Flask, *, database: Database, delivery: Delivery) -> None:
    """Add the history to `app`. `flask.g.account` is set before it is asked."""

    @app.get("/w/<uuid:worksheet>/history")
    def worksheet_history(worksheet: uuid.UUID) -> str:
        """The worksheet at the moment `at` (counted from 1); without it, the latest."""
        with database.reading() as cursor:
            permission = _permission(cursor, worksheet)
            moments = changes.moments(cursor, str(worksheet))
            at = _place(flask.request.args.get("at", type=int), moments)
            id = moments[at - 1].id if moments else 0
            before = moments[at - 2].id if at > 1 else 0
            versions = changes.versions(cursor, str(worksheet), id, before)
        return flask.render_template(
            "history.html",
            worksheet=str(worksheet),
            title=permission.title,
            writes=permission.writes,
            moments=moments,
            at=at,
            versions=[each for each in versions if each.fresh or not each.content.deleted],
        )

    @app.post("/w/<uuid:worksheet>/history/<int:change>")
    def restore_version(worksheet: uuid.UUID, change: int) -> Response:
        """Make the worksheet what it was at that change; what it is now stays in the history."""
        with database.transaction() as cursor:
            if not _permission(cursor, worksheet).writes:
                flask.abort(403, _("You may read this worksheet, but not change it."))
            restored = restore(cursor, str(worksheet), flask.g.account, change)
        for cell in restored:
            delivery.deliver(ToWorksheet(str(worksheet)), Message(cell=as_message(cell)))
        return flask.redirect(flask.url_for("worksheet", worksheet=worksheet), 303)


def _permission(cursor: Cursor, worksheet: uuid.UUID) -> Permission:
    permission = permissions.find(cursor, flask.g.account, str(worksheet))
    if permission is None:
        flask.abort(404)
    return permission


def _place(asked: int | None, moments: list[Moment]) -> int:
    """The number of the moment to show, from 1; 0 if there are none."""
    last = len(moments)
    return last if asked is None else min(max(asked, 1), last)


def restore(
    cursor: Cursor, worksheet: str, account: str, change: int
) -> list[worksheets.Cell]:
    """Make a worksheet's cells what they were at `change`; those that differed."""
    now = {cell.id: cell for cell in worksheets.load(cursor, worksheet, "").cells}
    then = {each.id: each.content for each in changes.versions(cursor, worksheet, change, 0)}
    restored = []
    for cell in now.values():
        wanted = then.get(cell.id, replace(cell.content, deleted=True))
        if cell.content == wanted or (cell.content.deleted and wanted.deleted):
            continue
        saved = worksheets.save_cell(
            cursor,
            worksheet,
            account,
            cell.id,
            wanted,
            folded=cell.folded,
            output_folded=cell.output_folded,
            auto=cell.auto,
            typed=False,
        )
        restored.append(saved)
    return restored

"""`POST /status/sessions/WORKSHEET/end`: from the status page, end somebody's session."""

from __future__ import annotations

import uuid

import flask
from flask.typing import ResponseReturnValue
from psycopg2.extensions import cursor as Cursor

from app import roles
from app.db import Database
from app.nodes import NodeDown
from app.sessions import Sessions
from app.web import audit_log
from app.web.cookies import redirect
from app.web.languages import _


def register(app: flask.Flask, *, database: Database, sessions: Sessions) -> None:
    """Add it to `app`. `flask.g.account` and `flask.g.kind` are set before it is asked."""

    @app.post("/status/sessions/<uuid:worksheet>/end")
    def end_suspect(worksheet: uuid.UUID) -> ResponseReturnValue:
        with database.transaction() as cursor:
            account, kind = _owner(cursor, worksheet)
            if not roles.may_govern(flask.g.kind, kind):
                flask.abort(403, _("You may end sessions only of people whom you govern."))
            audit_log.note(
                cursor, "ended a session of", subject=account, detail=str(worksheet)
            )
        try:
            sessions.end(
                str(worksheet), _("an administrator ended it: it computed for hours without pause")
            )
        except NodeDown as error:
            flask.abort(503, str(error))
        return redirect("/status#mining")


def _owner(cursor: Cursor, worksheet: uuid.UUID) -> tuple[str, str]:
    """The account that has a worksheet, and its kind."""
    cursor.execute(
        "SELECT accounts.id::text, role FROM worksheets JOIN accounts ON accounts.id = account"
        " WHERE worksheets.id = %s",
        (str(worksheet),),
    )
    row = cursor.fetchone()
    if row is None:
        flask.abort(404, _("There is no such worksheet."))
    return row[0], row[1]

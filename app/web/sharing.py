"""Sharing a worksheet by links, and the pages that these show.

A published page is plain HTML that works without a program, for whoever has its link. What is
in it is somebody's output: it may run and load nothing (`app/standalone.py`).
"""

from __future__ import annotations

import uuid

import flask
import flask.typing
from markupsafe import Markup
from psycopg2.extensions import cursor as Cursor
from werkzeug import Response

from app import exchange, permissions, roles, shares, standalone
from app.db import Database
from app.permissions import Permission
from app.shares import Published, TooMany
from app.web.languages import _, current, day, said
from app.worksheets import BadCell

POLICY = (
    f"{standalone.POLICY}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
DAYS = {"": None, "1": 1.0, "7": 7.0, "30": 30.0, "365": 365.0}  # that a link may be good for
FOOT = Markup(
    '<footer dir="{direction}"><p><small>{says}</small></p>'
    '<form method="post" action="/p/{key}/copy"><button>{copy}</button></form></footer>'
)


def register(app: flask.Flask, *, database: Database, title: str) -> None:
    """Add it to `app`; `title`: of the site. `flask.g.account` is set before it is asked."""

    @app.get("/w/<uuid:worksheet>/share")
    def share_worksheet(worksheet: uuid.UUID) -> str:
        with database.reading() as cursor:
            permission = _owned(cursor, worksheet)
            found = shares.listed(cursor, str(worksheet))
        return flask.render_template(
            "share.html", worksheet=str(worksheet), title=permission.title, shares=found
        )

    @app.post("/w/<uuid:worksheet>/share")
    def new_share(worksheet: uuid.UUID) -> Response:
        form = flask.request.form
        if form.get("days", "") not in DAYS:
            flask.abort(400, "days: expected one of those on the page")
        try:
            with database.transaction() as cursor:
                permission = _owned(cursor, worksheet)
                shares.create(
                    cursor, str(worksheet), flask.g.account, permission.title,
                    live=form.get("shows") == "live", days=DAYS[form.get("days", "")],
                )  # fmt: skip
        except TooMany as error:
            flask.abort(409, said(error))
        return flask.redirect(flask.url_for("share_worksheet", worksheet=worksheet), 303)

    @app.post("/w/<uuid:worksheet>/share/<key>/revoke")
    def revoke_share(worksheet: uuid.UUID, key: str) -> Response:
        with database.transaction() as cursor:
            _owned(cursor, worksheet)
            shares.revoke(cursor, str(worksheet), key)
        return flask.redirect(flask.url_for("share_worksheet", worksheet=worksheet), 303)

    @app.get("/p/<key>")
    def published(key: str) -> flask.Response:
        with database.reading() as cursor:
            found = _published(cursor, key)
        foot = FOOT.format(
            direction=current().direction, says=_origin(found, title), key=key,
            copy=_("Open a copy"),
        )  # fmt: skip
        page = standalone.write(
            found.manuscript, foot=foot, language=current().tag, output=_("Output")
        )
        response = flask.Response(page)
        response.headers["Content-Security-Policy"] = POLICY
        # The address is the secret. Without any referrer the form's own origin would be hidden, too
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["X-Robots-Tag"] = "noindex"
        return response

    @app.post("/p/<key>/copy")
    def copy_published(key: str) -> flask.typing.ResponseReturnValue:
        """Make a worksheet of it; who is not signed in is asked to be, and comes back to it."""
        if flask.g.kind == roles.STRANGER:
            here = flask.url_for("published", key=key)
            return flask.redirect(flask.url_for("sign_in", next=here), 303)
        try:
            with database.transaction() as cursor:
                found = _published(cursor, key)
                made = exchange.bring_in(cursor, flask.g.account, found.manuscript)
        except BadCell as error:
            flask.abort(400, said(error))
        return flask.redirect(flask.url_for("worksheet", worksheet=made), 303)


def _owned(cursor: Cursor, worksheet: uuid.UUID) -> Permission:
    permission = permissions.find(cursor, flask.g.account, str(worksheet))
    if permission is None or permission.trashed:
        flask.abort(404)
    if not permission.owns:
        flask.abort(403, _("Only its owner may share a worksheet."))
    return permission


def _origin(found: Published, site: str) -> str:
    """Whose it is, and of when if that says something."""
    if found.live:
        return _("Shared by %(name)s, from %(site)s.", name=found.by, site=site)
    when = day(found.created)
    return _("Shared by %(name)s as of %(day)s, from %(site)s.", name=found.by, day=when, site=site)


def _published(cursor: Cursor, key: str) -> Published:
    found = shares.published(cursor, key)
    if found is None:
        flask.abort(404, _("This link is not good, or not any more: ask who gave it to you."))
    return found

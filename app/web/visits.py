"""A single cell in a page of its own: what a permalink keeps, or what another site's page shows.

The code and the values of its controls are in the part of the address that browsers keep to
themselves (`static/js/permalink.js`), so nothing is stored here before somebody runs it. Whoever
is signed in then gets a worksheet of their own. In other sites' pages, and for strangers, it is a
visit: a guest's account with one worksheet, for so many minutes. Its secret, the ticket, is in the
addresses that the cell asks for, as browsers send no cookies out of other sites' pages.
"""

from __future__ import annotations

import flask
from flask.typing import ResponseReturnValue
from psycopg2.extensions import cursor as Cursor

from app import accounts, assets, attempts, documents, roles
from app.db import Database
from app.nodes import NodeDown
from app.sessions import Sessions
from app.settings import Embed
from app.web.cookies import origin
from app.web.languages import _, ngettext
from app.web.pages import PAGE_POLICY
from app.words import N_

TITLE = N_("From a link")
LOADER = assets.FOLDER / "js" / "embed.js"
LOADER_LIFETIME = "public, max-age=3600"


class Visits:
    def __init__(self, *, database: Database, sessions: Sessions, settings: Embed) -> None:
        self._database = database
        self._sessions = sessions
        self._settings = settings

    def register(self, app: flask.Flask) -> None:
        """Add them to `app`. `flask.g.account` and `flask.g.kind` are set before they are asked."""
        for path, method, view in (
            ("/cell", "GET", self.cell),
            ("/cell/visit", "POST", self.visit),
            ("/embed", "GET", self.embedded),
            ("/embed.js", "GET", self.embed_script),
            ("/embed/visit", "POST", self.embedded_visit),
            ("/embed/leave", "POST", self.leave_visit),
        ):
            app.add_url_rule(path, view.__name__, view, methods=[method])

    def cell(self) -> str:
        """A permalink."""
        start = "/embed/visit" if self._settings.origins else ""
        if flask.g.kind != roles.STRANGER:
            start = "/cell/visit"
        return flask.render_template("cell.html", start=start, is_embedded=False)

    def visit(self) -> flask.Response:
        """A worksheet of who is signed in."""
        with self._database.transaction() as cursor:
            made = documents.create(cursor, flask.g.account, _(TITLE))
        return flask.jsonify({"worksheet": made, "ticket": ""})

    def embedded(self) -> flask.Response:
        """What `embed.js` frames in pages of the sites that the operator names."""
        self._check_allowed()
        page = flask.render_template("cell.html", start="/embed/visit", is_embedded=True)
        response = flask.make_response(page)
        ancestors = " ".join(("'self'", *self._settings.origins))
        response.headers["Content-Security-Policy"] = PAGE_POLICY.replace(
            "frame-ancestors 'none'", f"frame-ancestors {ancestors}"
        )
        return response

    def embed_script(self) -> flask.Response:
        """The script that other sites' pages load; its address stays, whatever the release."""
        response = flask.send_file(LOADER, mimetype="text/javascript")
        response.headers["Cache-Control"] = LOADER_LIFETIME
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return response

    def embedded_visit(self) -> ResponseReturnValue:
        """A guest's, whoever is signed in: the frame's page may be anybody's."""
        self._check_allowed()
        with self._database.transaction() as cursor:
            wait = _count(cursor, self._settings.visits_per_address)
            if wait:
                minutes = round(wait / 60) + 1
                words = ngettext(
                    "Too many from your network: try again in %(num)d minute.",
                    "Too many from your network: try again in %(num)d minutes.",
                    minutes,
                )
                return flask.jsonify({"error": words}), 429, {"Retry-After": str(round(wait))}
            account = accounts.create(cursor, name=_("Visitor"), role="guest")
            days = self._settings.minutes / 1440
            ticket = accounts.admit(cursor, account, days, origin("embedded cell"))
            made = documents.create(cursor, account, _(TITLE))
        return flask.jsonify({"worksheet": made, "ticket": ticket})

    def leave_visit(self) -> ResponseReturnValue:
        """The page of a visit was closed, as it says itself: its session ends."""
        with self._database.transaction() as cursor:
            account = accounts.signed_in(cursor, flask.request.form.get("ticket", ""))
            if account is None or account.kind != "guest":
                flask.abort(404)
            accounts.end_sign_in(cursor, account.id, account.sign_in)
            worksheet = documents.latest(cursor, account.id)
        if worksheet:
            try:
                self._sessions.end(worksheet, "its page was closed")
            except NodeDown as error:
                flask.abort(503, str(error))  # then it ends as idle
        return "", 204

    def _check_allowed(self) -> None:
        if not self._settings.origins:
            flask.abort(403, _("This site lets no other show its cells ([embed] origins)."))


def _count(cursor: Cursor, limit: int) -> float:
    """Count a visit of this address; seconds to wait if it has had as many as it may."""
    subject = f"visits {attempts.network(flask.request.remote_addr or '')}"
    return attempts.wait_seconds(cursor, {subject: limit})

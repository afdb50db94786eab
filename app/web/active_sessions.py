"""The sessions that run now, for administrators: whose, where, what they use; and their end.

The page renders its table again and again (`static/js/live_page.js`); without JavaScript, when it
is loaded.
"""

from __future__ import annotations

import flask
from flask.typing import ResponseReturnValue

from app import live_sessions, roles
from app.db import Database
from app.live_sessions import LiveSession
from app.sessions import Sessions
from app.web import audit_log
from app.web.cookies import redirect
from app.web.languages import _
from app.web.origins import is_own_path

LONGEST_REASON = 500  # characters


class ActiveSessions:
    def __init__(self, *, database: Database, sessions: Sessions) -> None:
        self._database = database
        self._sessions = sessions

    def register(self, app: flask.Flask) -> None:
        path = "/administration/sessions"
        app.add_url_rule(path, view_func=self.active_sessions)
        app.add_url_rule(f"{path}/end", view_func=self.end_active_session, methods=["POST"])

    def active_sessions(self) -> str:
        return self._page()

    def end_active_session(self) -> ResponseReturnValue:
        """Its person is told the reason, in the page and in the output of what ran."""
        form = flask.request.form
        reason = " ".join(form.get("reason", "").split())
        if not 0 < len(reason) <= LONGEST_REASON:
            words = _("Say why, in at most %(most)d characters: the person is told.",
                      most=LONGEST_REASON)  # fmt: skip
            return self._page(error=words), 400
        with self._database.transaction() as cursor:
            id = form.get("session", "")
            found = live_sessions.listed(cursor, id=id) if len(id) == 36 else []
            if not found:
                return self._page(error=_("That session has ended already.")), 404
            if not governs(found[0]):
                flask.abort(403, _("Only who is above somebody may do that to them."))
            audit_log.note(
                cursor, "ended a session of", subject=found[0].account, detail=reason
            )
        self._sessions.end_session(
            found[0], _("an administrator ended it: %(reason)s", reason=reason)
        )
        back = form.get("next", "")
        return redirect(back if is_own_path(back) else "/administration/sessions")

    def _page(self, error: str = "") -> str:
        with self._database.reading() as cursor:
            found = live_sessions.listed(cursor)
        return flask.render_template(
            "active_sessions.html",
            sessions=found,
            governs=governs,
            error=error,
            reason=flask.request.form.get("reason", ""),
        )


def governs(session: LiveSession) -> bool:
    """Whether who asks may end it. Those of the site's tools are the owner's."""
    return (
        session.account == flask.g.account
        or roles.may_govern(flask.g.kind, session.role)
        or (not session.account and flask.g.kind == "owner")
    )

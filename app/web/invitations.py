"""Links and codes by which people come in: made, listed and revoked by administrators."""

from __future__ import annotations

from collections.abc import Callable

import flask
from flask.typing import ResponseReturnValue

from app import accounts, join_codes, roles
from app.db import Database
from app.settings import Settings
from app.web import audit_log, origins
from app.web.administration import grantable
from app.web.cookies import redirect
from app.web.languages import _

PATH = "/administration/invitations"
MOST_SEATS, MOST_DAYS, LONGEST_TITLE = 10_000, 365, 200


class Invitations:
    def __init__(self, *, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database

    def register(self, app: flask.Flask) -> None:
        app.add_url_rule(PATH, view_func=self.invitations)
        acts: dict[str, Callable[..., ResponseReturnValue]] = {
            "link": self.make_invitation,
            "link/<hash>/revoke": self.revoke_invitation,
            "code": self.make_join_code,
            "code/<code>/revoke": self.revoke_join_code,
        }
        for path, act in acts.items():
            app.add_url_rule(f"{PATH}/{path}", view_func=act, methods=["POST"])

    def invitations(self) -> str:
        return self._page()

    def make_invitation(self) -> ResponseReturnValue:
        """A link that one person joins by; it is shown now and never again."""
        role = _wanted(grantable())
        with self._database.transaction() as cursor:
            hours = self._settings.sign_in.invitation_hours
            token = accounts.invite(cursor, None, hours, purpose="join", role=role)
            audit_log.note(cursor, "invited", detail=role)
        site = origins.of_site(self._settings)
        return self._page(link=site + flask.url_for("join", token=token))

    def revoke_invitation(self, hash: str) -> ResponseReturnValue:
        with self._database.transaction() as cursor:
            found = next(
                (one for one in accounts.invitations(cursor) if one.hash.hex() == hash), None
            )
            if found is None:
                flask.abort(404, _("It has been used, revoked, or is over."))
            if not roles.may_govern(flask.g.kind, found.role):
                flask.abort(403, _("Nobody gives a role that is not below their own."))
            accounts.revoke_invitation(cursor, found.hash)
            audit_log.note(cursor, "revoked an invitation", detail=found.role)
        return redirect(PATH)

    def make_join_code(self) -> ResponseReturnValue:
        """A code that so many people join by."""
        form, role = flask.request.form, _wanted(_by_code())
        seats, days = form.get("seats", 0, type=int), form.get("days", 0.0, type=float)
        title = " ".join(form.get("title", "").replace("\0", "").split())[:LONGEST_TITLE]
        if not (0 < seats <= MOST_SEATS and 0 < days <= MOST_DAYS):
            words = _("A code is good for 1 to %(seats)d people and at most %(days)d days.",
                      seats=MOST_SEATS, days=MOST_DAYS)  # fmt: skip
            return self._page(error=words), 400
        with self._database.transaction() as cursor:
            made = join_codes.create(cursor, seats=seats, days=days, role=role, title=title)
            detail = f"{role}, {seats} seats {title}".strip()
            audit_log.note(cursor, "made a join code", detail=detail)
        return self._page(made=made.code)

    def revoke_join_code(self, code: str) -> ResponseReturnValue:
        with self._database.transaction() as cursor:
            found = next((one for one in join_codes.listed(cursor) if one.code == code), None)
            if found is None:
                flask.abort(404, _("It has been used, revoked, or is over."))
            if not roles.may_govern(flask.g.kind, found.role):
                flask.abort(403, _("Nobody gives a role that is not below their own."))
            join_codes.revoke(cursor, code)
            audit_log.note(cursor, "revoked a join code", detail=found.title)
        return redirect(PATH)

    def _page(self, link: str = "", made: str = "", error: str = "") -> str:
        with self._database.reading() as cursor:
            return flask.render_template(
                "invitations.html",
                invitations=accounts.invitations(cursor),
                codes=join_codes.listed(cursor),
                by_link=grantable(),
                by_code=_by_code(),
                link=link,
                made=made,
                error=error,
                may_revoke=lambda role: roles.may_govern(flask.g.kind, role),
                most_seats=MOST_SEATS,
                most_days=MOST_DAYS,
            )


def _by_code() -> list[str]:
    """Roles that who asks may give by a code, which is short and passed on."""
    return [role for role in grantable() if role in ("teacher", "member")]


def _wanted(allowed: list[str]) -> str:
    role = flask.request.form.get("role", "")
    if role not in allowed:
        flask.abort(403, _("Nobody gives a role that is not below their own."))
    return role

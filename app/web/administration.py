"""People as administrators see them: who there is, what each of them has and uses.

What is done to somebody is a form on their page, open to whom `roles.may_govern` lets.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable
from urllib.parse import urlencode

import flask
from flask.typing import ResponseReturnValue
from psycopg2.extensions import cursor as Cursor

from app import (
    accounts,
    audit,
    dropbox_accounts,
    identities,
    limits,
    live_sessions,
    people,
    roles,
    takeout,
)
from app.db import Database
from app.limits import BadRaise
from app.people import Person
from app.settings import Settings
from app.web import audit_log, origins
from app.web.active_sessions import LONGEST_REASON, governs
from app.web.cookies import redirect
from app.web.languages import _
from app.words import N_

PAGE = 50  # people
STATES = {
    "disabled": N_("disabled"),
    "signed in": N_("signed in"),
    "computing": N_("computing"),
}
LATELY = 20  # lines of the audit log on a person's page


class Administration:
    def __init__(
        self, *, settings: Settings, database: Database, check_pages: Callable[[str], None]
    ) -> None:
        """`check_pages`: cut off the open pages of an account whose sign-in is over."""
        self._settings = settings
        self._database = database
        self._check_pages = check_pages
        self._dropbox = settings.providers.get("dropbox")

    def register(self, app: flask.Flask) -> None:
        one = "/administration/people/<uuid:account>"
        app.add_url_rule("/administration", view_func=self.administration)
        app.add_url_rule(one, view_func=self.person)
        app.add_url_rule(f"{one}/export", view_func=self.export_person)
        acts: dict[str, Callable[..., ResponseReturnValue]] = {
            "role": self.change_role,
            "disable": self.disable_person,
            "enable": self.enable_person,
            "sign-out": self.sign_out_person,
            "password-link": self.make_password_link,
            "delete": self.delete_person,
            "limits": self.raise_limit,
            "limits/<name>/take-back": self.take_back_limit,
        }
        for path, act in acts.items():
            app.add_url_rule(f"{one}/{path}", view_func=act, methods=["POST"])

    def administration(self) -> str:
        return self._people()

    def _people(self, said: str = "") -> str:
        """People, a page at a time, below what was `said`."""
        asked = flask.request.args
        page = max(0, asked.get("page", 0, type=int))
        wanted = {name: asked.get(name, "") for name in ("words", "role", "state")}
        with self._database.reading() as cursor:
            found = people.everybody(cursor, limit=PAGE + 1, skip=PAGE * page, **wanted)
            found, more = found[:PAGE], len(found) > PAGE
            usage = people.usage(cursor, [one.id for one in found])

        def address(page: int) -> str:
            return "/administration?" + urlencode(wanted | {"page": page})

        return flask.render_template(
            "people.html",
            people=found,
            usage=usage,
            wanted=wanted,
            roles=roles.ROLES,
            states=STATES,
            said=said,
            earlier=address(page - 1) if page else "",
            later=address(page + 1) if more else "",
        )

    def person(self, account: uuid.UUID) -> ResponseReturnValue:
        return self._page(account)

    def export_person(self, account: uuid.UUID) -> ResponseReturnValue:
        """All that the site has of somebody, as a zip."""
        target = tempfile.TemporaryFile()
        with self._database.transaction() as cursor:
            person = self._governed(cursor, account)
            takeout.write(cursor, person.id, target)
            audit_log.note(cursor, "exported the account", subject=person.id)
        target.seek(0)
        name = f"{takeout.file_name(person.name)}.zip"
        return flask.send_file(target, "application/zip", as_attachment=True, download_name=name)

    def change_role(self, account: uuid.UUID) -> ResponseReturnValue:
        role = flask.request.form.get("role", "")
        with self._database.transaction() as cursor:
            person = self._governed(cursor, account)
            if role not in grantable():
                flask.abort(403, _("Nobody gives a role that is not below their own."))
            people.set_role(cursor, person.id, role, actor=flask.g.account)
        self._check_pages(person.id)
        return _back(person)

    def disable_person(self, account: uuid.UUID) -> ResponseReturnValue:
        """Nothing is deleted. Pages go at once; sessions when their servers hear of it."""
        because = " ".join(flask.request.form.get("because", "").split())
        if len(because) > LONGEST_REASON:
            words = _("Say why in at most %(most)d characters.", most=LONGEST_REASON)
            return self._page(account, error=words), 400
        with self._database.transaction() as cursor:
            person = self._governed(cursor, account)
            people.disable(cursor, person.id, because, actor=flask.g.account)
        self._check_pages(person.id)
        return _back(person)

    def enable_person(self, account: uuid.UUID) -> ResponseReturnValue:
        with self._database.transaction() as cursor:
            person = self._governed(cursor, account)
            people.enable(cursor, person.id, actor=flask.g.account)
        return _back(person)

    def sign_out_person(self, account: uuid.UUID) -> ResponseReturnValue:
        """Everywhere; they may sign in again."""
        with self._database.transaction() as cursor:
            person = self._governed(cursor, account)
            ended = accounts.end_sign_ins(cursor, person.id)
            audit_log.note(
                cursor, "signed out everywhere", subject=person.id, detail=f"{ended} browsers"
            )
        self._check_pages(person.id)
        return _back(person)

    def make_password_link(self, account: uuid.UUID) -> ResponseReturnValue:
        """Shown once, to be handed to the person."""
        with self._database.transaction() as cursor:
            person = self._governed(cursor, account)
            if person.role == "guest":
                flask.abort(403, _("Guests have no password."))
            hours = self._settings.sign_in.reset_hours
            token = accounts.invite(cursor, person.id, hours, purpose="password")
            audit_log.note(cursor, "made a password link", subject=person.id)
        site = origins.of_site(self._settings)
        return self._page(account, link=site + flask.url_for("new_password", token=token))

    def raise_limit(self, account: uuid.UUID) -> ResponseReturnValue:
        """For a time, as they are shown on their page "Account"."""
        asked = {name: flask.request.form.get(name, "")
                 for name in ("limit", "value", "lasting", "reason")}  # fmt: skip
        try:
            with self._database.transaction() as cursor:
                person = self._governed(cursor, account)
                limits.raise_limit(
                    cursor, person.id, asked["limit"], asked["value"], lasting=asked["lasting"],
                    reason=asked["reason"], actor=flask.g.account,
                    usual=self._settings.limits_of(person.role),
                )  # fmt: skip
        except BadRaise as error:
            return self._page(account, error=str(error), asked=asked), 400
        return _back(person)

    def take_back_limit(self, account: uuid.UUID, name: str) -> ResponseReturnValue:
        with self._database.transaction() as cursor:
            person = self._governed(cursor, account)
            if not limits.take_back(cursor, person.id, name, actor=flask.g.account):
                flask.abort(404, _("That limit is not raised any more."))
        return _back(person)

    def delete_person(self, account: uuid.UUID) -> ResponseReturnValue:
        """With all their data, for ever; sessions end when their servers hear of it."""
        typed = " ".join(flask.request.form.get("name", "").split())
        with self._database.transaction() as cursor:
            person = self._governed(cursor, account)
            is_meant = typed == " ".join(person.name.split())
            if is_meant:
                tokens = dropbox_accounts.held(cursor, person.id, self._dropbox)
                people.delete(cursor, person.id, actor=flask.g.account)
        if not is_meant:
            words = _("Nothing was deleted: the name that was typed is not %(name)s.",
                      name=person.name)  # fmt: skip
            return self._page(account, error=words), 400
        self._check_pages(person.id)
        if self._dropbox and tokens and not dropbox_accounts.give_back(self._dropbox, tokens):
            return self._people(said=_(
                "%(name)s is deleted, but Dropbox could not be told so: they may remove this site"
                " there, among their connected apps.", name=person.name,
            ))  # fmt: skip
        return redirect("/administration")

    def _page(
        self, account: uuid.UUID, error: str = "", link: str = "",
        asked: dict[str, str] | None = None,
    ) -> str:  # fmt: skip
        """`asked`: for a raise of a limit that can't be."""
        with self._database.reading() as cursor:
            person = _person(cursor, account)
            usual = self._settings.limits_of(person.role)
            return flask.render_template(
                "person.html",
                person=person,
                usage=people.usage(cursor, [person.id])[person.id],
                sign_ins=accounts.sign_ins(cursor, person.id),
                linked=identities.of(cursor, person.id),
                entries=audit.entries(cursor, account=person.id, limit=LATELY),
                limits=limits.lines_of(usual, limits.raised(cursor, person.id)),
                usual=usual,
                runs=limits.runs_within_an_hour(cursor, person.id),
                asked=asked or {},
                sessions=live_sessions.listed(cursor, account=person.id),
                governs=roles.may_govern(flask.g.kind, person.role),
                may_end=governs,
                grantable=grantable(),
                error=error,
                link=link,
                link_hours=self._settings.sign_in.reset_hours,
            )

    def _governed(self, cursor: Cursor, account: uuid.UUID) -> Person:
        """The person, if whoever asks may do something to them."""
        person = _person(cursor, account)
        if not roles.may_govern(flask.g.kind, person.role):
            flask.abort(403, _("Only who is above somebody may do that to them."))
        return person


def grantable() -> list[str]:
    """The roles that who asks may give: those below their own."""
    return [role for role in roles.LASTING if roles.may_govern(flask.g.kind, role)]


def _back(person: Person) -> flask.Response:
    return redirect(f"/administration/people/{person.id}")


def _person(cursor: Cursor, account: uuid.UUID) -> Person:
    found = people.person(cursor, str(account))
    if found is None:
        flask.abort(404, _("There is no such person, or not any more."))
    return found

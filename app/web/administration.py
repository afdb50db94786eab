"""People as administrators see them: who there is, what each of them has and uses.

What is done to somebody is a form on their page, open to whom `roles.may_govern` lets.
"""

from __future__ import annotations

import tempfile
import uuid
from urllib.parse import urlencode

import flask
from flask.typing import ResponseReturnValue
from psycopg2.extensions import cursor as Cursor

from app import accounts, audit, identities, people, roles, takeout
from app.db import Database
from app.people import Person
from app.settings import Settings
from app.web.languages import _
from app.words import N_

PAGE = 50  # people
ROLES = {
    "owner": N_("owner"),
    "administrator": N_("administrator"),
    "teacher": N_("teacher"),
    "member": N_("member"),
    "guest": N_("guest"),
}
STATES = {
    "disabled": N_("disabled"),
    "signed in": N_("signed in"),
    "computing": N_("computing"),
}
LATELY = 20  # lines of the audit log on a person's page


class Administration:
    def __init__(self, *, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database

    def register(self, app: flask.Flask) -> None:
        app.jinja_env.filters["role_name"] = role_name
        one = "/administration/people/<uuid:account>"
        app.add_url_rule("/administration", view_func=self.administration)
        app.add_url_rule(one, view_func=self.person)
        app.add_url_rule(f"{one}/export", view_func=self.export_person)

    def administration(self) -> str:
        """People, a page at a time."""
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
            roles=ROLES,
            states=STATES,
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
            self._note(cursor, "exported the account", person)
        target.seek(0)
        name = f"{takeout.file_name(person.name)}.zip"
        return flask.send_file(target, "application/zip", as_attachment=True, download_name=name)

    def _page(self, account: uuid.UUID) -> str:
        with self._database.reading() as cursor:
            person = _person(cursor, account)
            return flask.render_template(
                "person.html",
                person=person,
                usage=people.usage(cursor, [person.id])[person.id],
                sign_ins=accounts.sign_ins(cursor, person.id),
                linked=identities.of(cursor, person.id),
                entries=audit.entries(cursor, account=person.id, limit=LATELY),
                governs=roles.may_govern(flask.g.kind, person.role),
            )

    def _governed(self, cursor: Cursor, account: uuid.UUID) -> Person:
        """The person, if whoever asks may do something to them."""
        person = _person(cursor, account)
        if not roles.may_govern(flask.g.kind, person.role):
            flask.abort(403, _("Only who is above somebody may do that to them."))
        return person

    def _note(self, cursor: Cursor, action: str, person: Person, detail: str = "") -> None:
        audit.note(
            cursor, actor=flask.g.account, action=action, subject=person.id, detail=detail,
            address=flask.request.remote_addr or "",
        )  # fmt: skip


def role_name(role: str) -> str:
    """As people read it."""
    return _(ROLES[role])


def _person(cursor: Cursor, account: uuid.UUID) -> Person:
    found = people.person(cursor, str(account))
    if found is None:
        flask.abort(404, _("There is no such person, or not any more."))
    return found

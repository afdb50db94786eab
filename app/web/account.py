"""One's own account: who one is here, where one is signed in, one's password."""

from __future__ import annotations

import tempfile
from collections.abc import Callable

import flask
from flask.typing import ResponseReturnValue

from app import accounts, attempts, identities, limits, passwords, takeout
from app.accounts import LoginTaken
from app.db import Database
from app.passwords import BadChoice, Passwords
from app.settings import Settings
from app.web import audit_log
from app.web.cookies import redirect
from app.web.languages import _, said
from app.words import N_

WRONG = N_("That is not your present password.")


class AccountPage:
    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        passwords: Passwords,
        check_pages: Callable[[str], None],
    ) -> None:
        """`check_pages`: cut off the open pages of an account whose sign-in is over."""
        self._settings = settings
        self._database = database
        self._passwords = passwords
        self._check_pages = check_pages

    def register(self, app: flask.Flask) -> None:
        app.add_url_rule("/account", view_func=self.account)
        app.add_url_rule("/account/export", view_func=self.export_account)
        app.add_url_rule("/account/sign-ins/<hash>", view_func=self.end_sign_in, methods=["POST"])
        app.add_url_rule("/account/password", view_func=self.change_password, methods=["POST"])

    def account(self) -> ResponseReturnValue:
        return self._page()

    def export_account(self) -> ResponseReturnValue:
        """All that the site has of who asks, as a zip."""
        target = tempfile.TemporaryFile()
        with self._database.transaction() as cursor:
            takeout.write(cursor, flask.g.account, target)
            audit_log.note(cursor, "exported the account")
        target.seek(0)
        name = f"{takeout.file_name(flask.g.person.name)}.zip"
        return flask.send_file(target, "application/zip", as_attachment=True, download_name=name)

    def end_sign_in(self, hash: str) -> ResponseReturnValue:
        """Sign one of one's browsers out."""
        with self._database.transaction() as cursor:
            try:
                ended = accounts.end_sign_in(cursor, flask.g.account, bytes.fromhex(hash))
            except ValueError:
                ended = False
            if not ended:
                flask.abort(404, _("That browser is not signed in any more."))
            audit_log.note(cursor, "signed a browser out")
        self._check_pages(flask.g.account)
        return redirect("/account")

    def change_password(self) -> ResponseReturnValue:
        """Also the first one, of who has come in otherwise. Other browsers are signed out."""
        person, form = flask.g.person, flask.request.form
        login, password = form.get("login", "").strip(), form.get("password", "")
        with self._database.transaction() as cursor:
            hash = accounts.login_of(cursor, person.id)[1]
            limit = {f"account {person.id}": self._settings.sign_in.attempts_per_account}
            wait = attempts.wait_seconds(cursor, limit)
        if wait:
            return self._page(error=_("Too many tries. Wait a quarter of an hour.")), 429
        if hash and not self._passwords.verify(hash, form.get("present", "")):
            return self._page(error=_(WRONG)), 403
        try:
            passwords.check(login, password)
            fresh = self._passwords.hash(password)
            with self._database.transaction() as cursor:
                accounts.set_password(cursor, person.id, login, fresh)
                accounts.end_sign_ins(cursor, person.id, but=person.sign_in)
                attempts.forget(cursor, f"account {person.id}")
                audit_log.note(cursor, "set a password")
        except (BadChoice, LoginTaken) as error:
            return self._page(error=said(error)), 400
        self._check_pages(flask.g.account)
        return redirect("/account")

    def _page(self, error: str = "") -> str:
        person = flask.g.person
        with self._database.reading() as cursor:
            login, password = accounts.login_of(cursor, person.id)
            linked = identities.of(cursor, person.id)
            signed_in = accounts.sign_ins(cursor, person.id)
            raised = limits.raised(cursor, person.id)
            runs = limits.runs_within_an_hour(cursor, person.id)
        usual = self._settings.limits_of(person.kind)
        return flask.render_template(
            "account.html",
            person=person,
            login=login,
            has_password=bool(password),
            sign_ins=signed_in,
            linked=linked,
            limits=limits.lines_of(usual, raised),
            runs=runs,
            usual=usual,
            error=error,
        )

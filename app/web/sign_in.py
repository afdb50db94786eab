"""Coming in: with a password, by an invitation, as a guest. Going out: here or everywhere."""

from __future__ import annotations

from collections.abc import Callable

import flask
from flask.typing import ResponseReturnValue

from app import accounts, attempts, classes, join_codes, passwords, roles
from app.accounts import LoginTaken
from app.classes import NoClass
from app.db import Database
from app.passwords import BadChoice, Passwords
from app.rounds import Rounds
from app.settings import Settings
from app.web import audit_log
from app.web.cookies import Cookies, origin, redirect
from app.web.invited import Codes, NotInvited
from app.web.languages import _, said
from app.web.origins import is_own_path
from app.words import N_

WRONG = N_("No account has this name and this password.")
NO_CODE = N_("No such code is good, or it has no seat left. Ask who gave it to you.")
LONGEST_CODE = 20  # characters that somebody types; invitations are longer
USED_UP = N_(
    "This link is not good any more: it works once, and not for ever. Ask for another one."
)


class SignIn:
    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        cookies: Cookies,
        passwords: Passwords,
        codes: Codes,
        rounds: Rounds,
        check_pages: Callable[[str], None],
    ) -> None:
        """`check_pages`: cut off the open pages of an account whose sign-in is over."""
        self._rounds = rounds
        self._settings = settings.sign_in
        self._codes = codes
        self._database = database
        self._cookies = cookies
        self._passwords = passwords
        self._check_pages = check_pages

    def register(self, app: flask.Flask) -> None:
        for path, method, view in (
            ("/sign-in", "GET", self.sign_in),
            ("/sign-in", "POST", self.sign_in_with_password),
            ("/sign-in/guest", "POST", self.enter_as_guest),
            ("/join", "GET", self.join_by_code),
            ("/join/<token>", "GET", self.join),
            ("/join/<token>", "POST", self.join_as),
            ("/password/<token>", "GET", self.new_password),
            ("/password/<token>", "POST", self.set_password),
            ("/sign-out", "POST", self.sign_out),
            ("/sign-out/everywhere", "POST", self.sign_out_everywhere),
        ):
            app.add_url_rule(path, view.__name__, view, methods=[method])

    # --- In ---

    def ask(self) -> ResponseReturnValue:
        """What a stranger gets instead of a page: the way in, and then to that page."""
        request = flask.request
        if not request.accept_mimetypes.accept_html:
            flask.abort(403)
        wanted = request.full_path.rstrip("?") if request.method == "GET" else "/"
        return self._page(wanted if "token=" not in wanted else "/", status=403)

    def sign_in(self) -> ResponseReturnValue:
        if flask.g.account:
            return redirect("/")
        return self._page(flask.request.args.get("next", "/"))

    def sign_in_with_password(self) -> ResponseReturnValue:
        form = flask.request.form
        login, password = form.get("login", "").strip(), form.get("password", "")
        with self._database.transaction() as cursor:
            wait = attempts.wait_seconds(cursor, self._limits(login))
            found = accounts.credentials(cursor, login) if not wait else None
        if wait:
            return self._page(_next(), error=_later(wait), login=login, status=429)
        right = self._passwords.verify(found[1] if found else None, password)
        where = origin("password")
        with self._database.transaction() as cursor:
            if found is None or not right:
                whose = found[0] if found else ""
                audit_log.note(cursor, "gave a wrong password", actor=whose, detail=login[:100])
                return self._page(_next(), error=_(WRONG), login=login, status=403)
            because = accounts.disabled_because(cursor, found[0])
            if because is not None:
                words = _("This account is disabled. %(why)s", why=because).strip()
                return self._page(_next(), error=words, login=login, status=403)
            attempts.forget(cursor, _subject(login))
            secret = accounts.admit(cursor, found[0], self._cookies.days, where)
            audit_log.note(cursor, "signed in", actor=found[0], detail=where.how)
        return self._cookies.give(redirect(_next()), secret)

    def enter_as_guest(self) -> ResponseReturnValue:
        """A new account that ends with its sign-in."""
        if not self._settings.guests:
            flask.abort(403, _("This site has no guests. Ask its operator for an invitation."))
        where = origin("guest")
        subject = f"guests {attempts.network(where.address)}"
        with self._database.transaction() as cursor:
            wait = attempts.wait_seconds(cursor, {subject: self._settings.guests_per_address})
            if wait:
                return self._page(_next(), error=_later(wait), status=429)
            account = accounts.create(cursor, name=_("Guest"), role="guest")
            secret = accounts.admit(cursor, account, self._settings.guest_hours / 24, where)
            audit_log.note(cursor, "signed in", actor=account, detail=where.how)
        return self._cookies.give(redirect(_next()), secret)

    def join_by_code(self) -> ResponseReturnValue:
        """Where the code of a class is typed."""
        code = join_codes.plain(flask.request.args.get("code", ""))
        if code:
            return redirect(flask.url_for("join", token=code))
        return flask.render_template("join_code.html")

    def join(self, token: str) -> ResponseReturnValue:
        """The form of who was invited, or has the code of a class."""
        wait = self._codes.wait_seconds(token)
        if wait:
            return flask.render_template("join_code.html", error=_later(wait)), 429
        with self._database.transaction() as cursor:
            invited = accounts.link(cursor, token, "join") is not None
            code = None if invited else self._codes.find(cursor, token)
        if not invited and code is None:
            if len(token) > LONGEST_CODE:
                flask.abort(404, _(USED_UP))
            return flask.render_template("join_code.html", error=_(NO_CODE), code=token), 404
        if code is not None and code.class_ and flask.g.kind in roles.MEMBERS:
            return flask.render_template("join_class.html", code=code, person=flask.g.person)
        return flask.render_template("join.html", token=token, code=code)

    def join_as(self, token: str) -> ResponseReturnValue:
        form = flask.request.form
        name, login = form.get("name", "").strip(), form.get("login", "").strip()
        where = origin("invitation")
        wait = self._codes.wait_seconds(token)
        if wait:
            flask.abort(429, _later(wait))
        try:
            passwords.check(login, form.get("password", ""))
            hash = self._passwords.hash(form.get("password", ""))
            with self._database.transaction() as cursor:
                invited = self._codes.take(cursor, token)
                account = accounts.create(
                    cursor, name=name or login, role=invited.role, login=login, password=hash
                )
                secret = accounts.admit(cursor, account, self._cookies.days, where)
                audit_log.note(cursor, "joined", actor=account, detail=invited.role)
                if invited.class_:
                    classes.join(cursor, invited.class_, account)
        except (BadChoice, LoginTaken) as error:
            page = flask.render_template(
                "join.html", token=token, error=said(error), name=name, login=login
            )
            return page, 400
        except (NotInvited, NoClass):
            flask.abort(404, _(USED_UP))
        if not invited.class_:
            return self._cookies.give(redirect("/"), secret)
        self._rounds.give_at_once()
        return self._cookies.give(redirect(f"/classes/{invited.class_}"), secret)

    def new_password(self, token: str) -> ResponseReturnValue:
        """The form of who was given a link to choose another password."""
        with self._database.reading() as cursor:
            link = accounts.link(cursor, token, "password")
        if link is None:
            flask.abort(404, _(USED_UP))
        return flask.render_template("password.html", login=link.login, name=link.name)

    def set_password(self, token: str) -> ResponseReturnValue:
        """Take the new password; it signs out whoever was in with the old one."""
        form = flask.request.form
        login = form.get("login", "").strip()
        where = origin("password link")
        try:
            passwords.check(login, form.get("password", ""))
            hash = self._passwords.hash(form.get("password", ""))
            with self._database.transaction() as cursor:
                link = accounts.link(cursor, token, "password")
                if link is None or not accounts.use(cursor, token, "password"):
                    flask.abort(404, _(USED_UP))
                if accounts.disabled_because(cursor, link.account) is not None:
                    flask.abort(403, _("This account is disabled."))
                accounts.set_password(cursor, link.account, login, hash)
                accounts.end_sign_ins(cursor, link.account)
                attempts.forget(cursor, _subject(login))
                secret = accounts.admit(cursor, link.account, self._cookies.days, where)
                audit_log.note(
                    cursor, "set a password", actor=link.account, detail=where.how
                )
        except (BadChoice, LoginTaken) as error:
            return flask.render_template("password.html", error=said(error), login=login), 400
        self._check_pages(link.account)
        return self._cookies.give(redirect("/"), secret)

    # --- Out ---

    def sign_out(self) -> ResponseReturnValue:
        """This browser."""
        person = flask.g.person
        with self._database.transaction() as cursor:
            accounts.end_sign_in(cursor, person.id, person.sign_in)
            audit_log.note(cursor, "signed out")
        self._check_pages(person.id)
        return self._cookies.take(redirect("/sign-in"))

    def sign_out_everywhere(self) -> ResponseReturnValue:
        person = flask.g.person
        with self._database.transaction() as cursor:
            ended = accounts.end_sign_ins(cursor, person.id)
            audit_log.note(cursor, "signed out everywhere", detail=f"{ended} browsers")
        self._check_pages(person.id)
        return self._cookies.take(redirect("/sign-in"))

    # --- What they share ---

    def _page(
        self, next: str, *, error: str = "", login: str = "", status: int = 200
    ) -> ResponseReturnValue:
        page = flask.render_template(
            "sign_in.html",
            next=next if is_own_path(next) else "/",
            error=error,
            login=login,
            guests=self._settings.guests,
        )
        return page, status

    def _limits(self, login: str) -> dict[str, int]:
        """How often an account's password may be tried, by all and from one address."""
        address = f"address {attempts.network(_address())}"
        return {
            _subject(login): self._settings.attempts_per_account,
            address: self._settings.attempts_per_address,
        }


def _subject(login: str) -> str:
    return f"account {login.lower()[:100]}"


def _address() -> str:
    return flask.request.remote_addr or ""


def _next() -> str:
    """Where the form says to go on."""
    wanted = flask.request.form.get("next", "/")
    return wanted if is_own_path(wanted) else "/"


def _later(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    return _("Too many tries. Wait %(minutes)d min, then try again.", minutes=minutes)

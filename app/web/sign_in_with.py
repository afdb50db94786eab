"""Sign-in with an account elsewhere, with Authlib: OAuth 2 and OpenID Connect.

Authlib makes state, nonce and PKCE's challenge and checks what comes back. What it has to
remember is kept in the database, for one return of the browser that left, whichever app server
it comes back to. A person who is signed in may link; nobody is linked by their e-mail.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass
from typing import Any

import flask
import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.flask_client import FlaskIntegration, FlaskOAuth2App
from flask.typing import ResponseReturnValue
from joserfc.errors import JoseError
from psycopg2.extensions import cursor as Cursor

from app import accounts, classes, identities
from app.classes import NoClass
from app.db import Database
from app.identities import Flow, Identity, Taken
from app.rounds import Rounds
from app.settings import Provider, Settings
from app.web import audit_log, languages, origins, providers
from app.web.cookies import Cookies, origin, redirect
from app.web.invited import Codes, Invited, NotInvited
from app.web.languages import _
from app.web.providers import CONFIGURATION, Known, NoIdentity
from app.words import N_

log = logging.getLogger(__name__)
TIMEOUT = 15.0  # seconds that a provider may take for an answer
STRAY = N_("That sign-in was not begun in this browser, or too long ago. Begin again.")
TAKEN = N_(
    "That account is linked with somebody here already, or you have another one linked."
)
CLOSED = N_(
    "Nobody here has that account. If you have one here, sign in as before and link the other on"
    " your page “Account”; else ask whoever runs this site for an invitation."
)

SILENT = N_("%(provider)s does not answer now. Try again later.")


class Refusal(Exception):
    """Nobody is signed in; the text says why, for the person."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Way:
    """A provider as its button shows it."""

    name: str
    title: str


class Remembered(FlaskIntegration):  # type: ignore[misc]
    """Where Authlib keeps a browser's state: in the database. `flask.g.flow` is what is ours."""

    def __init__(self, name: str, database: Database, cookie: str) -> None:
        super().__init__(name)
        self._database = database
        self._cookie = cookie

    def set_state_data(self, session: object, state: str, data: dict[str, Any]) -> None:
        with self._database.transaction() as cursor:
            identities.begin(
                cursor, state=state, browser=flask.g.flow_secret, provider=self.name,
                data=data, flow=flask.g.flow,
            )  # fmt: skip

    def get_state_data(self, session: object, state: str | None) -> dict[str, Any] | None:
        with self._database.transaction() as cursor:
            found = identities.end(
                cursor, state=state or "", browser=flask.request.cookies.get(self._cookie, ""),
                provider=self.name,
            )  # fmt: skip
        if found is None:
            raise Refusal(_(STRAY), 400)
        data, flask.g.flow = found
        return data

    def clear_state_data(self, session: object, state: str | None) -> None:
        """It is gone since it was read."""


class SignInWith:
    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        cookies: Cookies,
        codes: Codes,
        rounds: Rounds,
    ) -> None:
        self._rounds = rounds
        self._settings = settings
        self._codes = codes
        self._database = database
        self._cookies = cookies
        self._cookie = f"salvus-{settings.site.name}-flow"
        self._known = {name: providers.known(name, one) for name, one in settings.providers.items()}
        self._clients = {
            name: self._client(name, one, self._known[name])
            for name, one in settings.providers.items()
        }

    @property
    def ways(self) -> list[Way]:
        return [Way(name, known.title) for name, known in self._known.items()]

    def title(self, name: str) -> str:
        """A provider that may not be in the settings any more, by its name for people."""
        return self._known[name].title if name in self._known else name

    def register(self, app: flask.Flask) -> None:
        app.jinja_env.globals["ways"] = self.ways
        app.jinja_env.filters["provider_title"] = self.title
        for path, method, view in (
            ("/sign-in/with/<provider>", "POST", self.leave),
            ("/sign-in/with/<provider>/back", "GET", self.come_back),
            ("/account/link/<provider>", "POST", self.link),
            ("/account/unlink/<provider>", "POST", self.unlink),
        ):
            app.add_url_rule(path, f"provider_{view.__name__}", view, methods=[method])

    def leave(self, provider: str) -> ResponseReturnValue:
        """To the provider, to sign in; by an invitation, to join."""
        form = flask.request.form
        wanted = form.get("next", "/")
        wait = self._codes.wait_seconds(form["invitation"]) if "invitation" in form else 0.0
        if wait:
            flask.abort(429, _("Too many tries of codes. Wait a quarter of an hour."))
        flow = Flow(
            next=wanted if origins.is_own_path(wanted) else "/",
            invitation=form.get("invitation", ""),
        )
        return self._leave(provider, flow)

    def link(self, provider: str) -> ResponseReturnValue:
        """To the provider, so that the account there signs this one in from now on."""
        return self._leave(provider, Flow(next="/account", account=flask.g.account))

    def unlink(self, provider: str) -> ResponseReturnValue:
        with self._database.transaction() as cursor:
            if not identities.unlink(cursor, flask.g.account, provider):
                flask.abort(409, _("That is the only way in that you have: set a password first."))
            audit_log.note(cursor, "unlinked an account", detail=self.title(provider))
        return redirect("/account")

    def come_back(self, provider: str) -> ResponseReturnValue:
        """From the provider: signed in, linked, or told why not."""
        if provider not in self._clients:
            flask.abort(404)
        try:
            said = self._ask(provider)
            flow: Flow = flask.g.flow
            with self._database.transaction() as cursor:
                if flow.account:
                    answer = self._linked(cursor, flow, said)
                else:
                    answer = self._signed_in(cursor, flow, said)
        except Refusal as refusal:
            page = flask.render_template(
                "sign_in_failed.html", error=refusal, title=self.title(provider)
            )
            answer = flask.make_response(page, refusal.status)
        else:
            if flow.invitation:
                self._rounds.wake()
        answer.delete_cookie(self._cookie, path="/sign-in/with")
        return answer

    def _leave(self, provider: str, flow: Flow) -> ResponseReturnValue:
        if provider not in self._clients:
            flask.abort(404)
        flask.g.flow, flask.g.flow_secret = flow, secrets.token_urlsafe(32)
        try:
            away = self._clients[provider].authorize_redirect(self._back(provider)).location
        except (requests.RequestException, ValueError, KeyError, RuntimeError) as error:
            log.warning("%s: %s", provider, error)
            flask.abort(502, _(SILENT, provider=self.title(provider)))
        # A page, as our policy lets no form lead elsewhere, not even by a redirect
        page = flask.render_template("leaving.html", away=away, title=self.title(provider))
        response = flask.make_response(page)
        response.set_cookie(
            self._cookie, flask.g.flow_secret, max_age=identities.FLOW_SECONDS,
            path="/sign-in/with", httponly=True, samesite="Lax", secure=flask.request.is_secure,
        )  # fmt: skip
        return response

    def _back(self, provider: str) -> str:
        """The address that the operator has told the provider of."""
        return f"{origins.of_site(self._settings)}/sign-in/with/{provider}/back"

    def _ask(self, provider: str) -> Identity:
        """Who the browser's person is, as the provider says. Raises Refusal."""
        title = self.title(provider)
        try:
            known, client = self._known[provider], self._clients[provider]
            token = client.authorize_access_token()
            if known.issuer:
                providers.check_issuer(known, client.load_server_metadata())
                return providers.identity(provider, known, token.get("userinfo") or {})
            answer = client.request(known.method, known.profile, token=token)
            answer.raise_for_status()
            return providers.identity(provider, known, answer.json())
        except AuthlibBaseError as error:
            if error.error == "access_denied":
                words = _("You did not allow it at %(place)s, so nothing was done.", place=title)
                raise Refusal(words, 403) from None
            log.warning("%s: %s", provider, error)
            words = _("%(provider)s did not confirm it. Begin again.", provider=title)
            raise Refusal(words, 400) from None
        except (JoseError, NoIdentity) as error:
            log.warning("%s: %s", provider, error)
            words = _("What %(provider)s said could not be verified.", provider=title)
            raise Refusal(words, 502) from None
        except (requests.RequestException, RuntimeError, ValueError) as error:
            log.warning("%s: %s", provider, error)
            raise Refusal(_(SILENT, provider=title), 502) from None

    def _linked(self, cursor: Cursor, flow: Flow, said: Identity) -> flask.Response:
        if flow.account != flask.g.account:
            raise Refusal(_(STRAY), 403)
        try:
            identities.link(cursor, flow.account, said)
        except Taken:
            raise Refusal(_(TAKEN), 409) from None
        audit_log.note(
            cursor, "linked an account", actor=flow.account, detail=self.title(said.provider)
        )
        return redirect(flow.next)

    def _signed_in(self, cursor: Cursor, flow: Flow, said: Identity) -> flask.Response:
        where = origin(self.title(said.provider))
        account = identities.account_of(cursor, said)
        account = account or self._joined(cursor, flow, said)
        because = accounts.disabled_because(cursor, account)
        if because is not None:
            words = _("This account is disabled. %(why)s", why=because)
            raise Refusal(words.strip(), 403)
        secret = accounts.admit(cursor, account, self._cookies.days, where)
        audit_log.note(cursor, "signed in", actor=account, detail=where.how)
        return self._cookies.give(redirect(flow.next), secret)

    def _joined(self, cursor: Cursor, flow: Flow, said: Identity) -> str:
        """A new account, for who was invited or where everybody may have one. Raises Refusal."""
        try:
            invited = self._codes.take(cursor, flow.invitation)
        except NotInvited:
            if not self._settings.sign_in.open:
                raise Refusal(_(CLOSED), 403) from None
            invited = Invited("member", "")
        name = said.name or said.email or _("Someone")
        account = accounts.create(cursor, name=name, role=invited.role)
        identities.link(cursor, account, said)
        detail = f"{invited.role}, with {self.title(said.provider)}"
        audit_log.note(cursor, "joined", actor=account, detail=detail)
        if invited.class_:
            try:
                classes.join(cursor, invited.class_, account)
            except NoClass as error:
                raise Refusal(languages.said(error), 404) from None
        return account

    def _client(self, name: str, provider: Provider, known: Known) -> FlaskOAuth2App:
        keys: dict[str, Any] = {"client_id": provider.id, "client_secret": provider.secret}
        if known.issuer:
            keys["server_metadata_url"] = known.issuer.rstrip("/") + CONFIGURATION
        else:
            keys |= {"authorize_url": known.authorize, "access_token_url": known.token}
        return FlaskOAuth2App(
            Remembered(name, self._database, self._cookie),
            name=name,
            client_kwargs={
                "scope": known.scope,
                "code_challenge_method": "S256",
                "default_timeout": TIMEOUT,
            },
            **keys,
        )

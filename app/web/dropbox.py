"""`/dropbox`: a person's Dropbox, as far as they let this site in: the folder of its app there.

To let it in is a consent of its own, whether they sign in with Dropbox or not. As with sign-in,
Authlib makes state and PKCE's challenge, and what it must remember is a row of the database,
bound to the browser that left and to the account that asked.
"""

from __future__ import annotations

import logging
import secrets

import flask
import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.flask_client import FlaskOAuth2App
from flask.typing import ResponseReturnValue
from psycopg2.extensions import cursor as Cursor

from app import audit, dropbox, dropbox_accounts, identities
from app.db import Database
from app.dropbox import Dropbox, Tokens, Trouble
from app.dropbox_accounts import Connected, Seal
from app.identities import Flow
from app.settings import Provider, Settings
from app.web.cookies import redirect
from app.web.languages import _
from app.web.sign_in_with import TIMEOUT, Refusal, Remembered
from app.words import N_

log = logging.getLogger(__name__)
FLOW = "dropbox-files"  # what browsers that left for this are remembered as
ABSENT = N_("This site has no Dropbox: whoever runs it has to set one up first (docs/DROPBOX.md).")
CONNECT_FIRST = N_("Connect your Dropbox first.")
STRAY = N_("That was not begun in this browser, or too long ago. Begin again.")
WORDS = {
    "unreachable": N_("Dropbox can't be reached now. Try again later."),
    "withdrawn": N_("Dropbox does not let this site in any more. Connect it again."),
    "scope": N_(
        "Dropbox did not give this site all the permissions that it needs. Connect it again; if"
        " that is of no use, whoever runs this site has to ask for them at Dropbox"
        " (docs/DROPBOX.md)."
    ),
    "full": N_("Your Dropbox is full. Make room there, then try again."),
    "missing": N_("There is no such thing in your Dropbox any more."),
    "name": N_("Dropbox does not take that name. Choose another one."),
    "conflict": N_("Something else has that name in your Dropbox. Choose another one."),
    "busy": N_("Dropbox asks us to wait. Try again in a minute."),
    "refused": N_("Dropbox refused it."),
}
STATUSES = {"unreachable": 502, "busy": 503, "missing": 404, "full": 409, "withdrawn": 409}


class DropboxPages:
    def __init__(self, *, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._cookie = f"salvus-{settings.site.name}-dropbox"
        self._app: Provider | None = settings.providers.get("dropbox")
        if self._app is not None:
            self._hosts = dropbox.hosts(self._app.issuer)
            self._seal = Seal(self._app.secret)
            self._client = self._consent(self._app)

    def register(self, app: flask.Flask) -> None:
        """Add them to `app`. `flask.g.account` is set before they are asked."""
        app.jinja_env.globals["has_dropbox"] = self._app is not None
        for path, method, name, view in (
            ("/dropbox", "GET", "dropbox", self.folder),
            ("/dropbox/connect", "POST", "connect_dropbox", self.connect),
            ("/dropbox/back", "GET", "dropbox_come_back", self.come_back),
            ("/dropbox/disconnect", "POST", "disconnect_dropbox", self.disconnect),
        ):
            app.add_url_rule(path, name, view, methods=[method])

    # --- Connecting ---

    def connect(self) -> ResponseReturnValue:
        """To Dropbox, to ask the person."""
        self._check_there_is_one()
        flask.g.flow = Flow(next="/dropbox", account=flask.g.account)
        flask.g.flow_secret = secrets.token_urlsafe(32)
        away = self._client.authorize_redirect(self._back).location
        # A page, as our policy lets no form lead elsewhere, not even by a redirect
        page = flask.render_template("leaving.html", away=away, title="Dropbox")
        response = flask.make_response(page)
        response.set_cookie(
            self._cookie, flask.g.flow_secret, max_age=identities.FLOW_SECONDS,
            path="/dropbox", httponly=True, samesite="Lax", secure=flask.request.is_secure,
        )  # fmt: skip
        return response

    def come_back(self) -> ResponseReturnValue:
        """From Dropbox: connected, or told why not."""
        self._check_there_is_one()
        try:
            tokens = self._ask()
            person = self._dropbox(tokens).person()
            with self._database.transaction() as cursor:
                dropbox_accounts.connect(cursor, flask.g.account, person, tokens, self._seal)
                _note(cursor, "connected a Dropbox")
            answer = redirect("/dropbox")
        except Refusal as refusal:
            answer = self._shown(None, problem=str(refusal), code=refusal.status)
        except Trouble as trouble:
            answer = self._shown(None, problem=words(trouble), code=status(trouble))
        answer.delete_cookie(self._cookie, path="/dropbox")
        return answer

    def disconnect(self) -> ResponseReturnValue:
        """The site forgets what lets it in, and gives it back, if Dropbox can be reached."""
        self._check_there_is_one()
        with self._database.transaction() as cursor:
            found = dropbox_accounts.find(cursor, flask.g.account, self._seal)
            if dropbox_accounts.disconnect(cursor, flask.g.account):
                _note(cursor, "disconnected a Dropbox")
        if found is None or found.tokens is None:
            return redirect("/dropbox")
        try:
            self._dropbox(found.tokens).revoke()
        except Trouble as trouble:
            if trouble.kind != "withdrawn":
                log.warning("a connection could not be revoked: %s", trouble)
                return self._shown(None, said=_(
                    "This site has forgotten your Dropbox, but could not tell Dropbox so: remove it"
                    " there, too, among your connected apps."
                ))  # fmt: skip
        return redirect("/dropbox")

    def _ask(self) -> Tokens:
        """What lets us in, from Dropbox. Raises Refusal, Trouble."""
        try:
            said = self._client.authorize_access_token()
        except AuthlibBaseError as error:
            if error.error == "access_denied":
                refusal = _("You did not allow it at Dropbox, so nothing was done.")
                raise Refusal(refusal, 403) from None
            log.warning("dropbox: %s", error)
            raise Refusal(_("Dropbox did not confirm it. Begin again."), 400) from None
        except (requests.RequestException, ValueError) as error:
            log.warning("dropbox: %s", error)
            raise Trouble("unreachable") from None
        if flask.g.flow.account != flask.g.account:
            raise Refusal(_(STRAY), 403)
        if not set(dropbox.SCOPES) <= set(str(said.get("scope", "")).split()):
            raise Trouble("scope")
        return dropbox.tokens_of(dict(said))

    @property
    def _back(self) -> str:
        """The address that the operator has told Dropbox of."""
        site = self._settings.app.address or flask.request.host_url.rstrip("/")
        return f"{site}/dropbox/back"

    def _consent(self, app: Provider) -> FlaskOAuth2App:
        return FlaskOAuth2App(
            Remembered(FLOW, self._database, self._cookie),
            name=FLOW,
            client_id=app.id,
            client_secret=app.secret,
            authorize_url=f"{self._hosts.site}/oauth2/authorize",
            authorize_params={"token_access_type": "offline"},
            access_token_url=f"{self._hosts.api}/oauth2/token",
            client_kwargs={
                "scope": " ".join(dropbox.SCOPES),
                "code_challenge_method": "S256",
                "default_timeout": TIMEOUT,
            },
        )

    # --- What is there ---

    def folder(self) -> ResponseReturnValue:
        """What is in the app's folder, or in one below it: `path`."""
        self._check_there_is_one()
        return self._shown(self._connected())

    def _shown(
        self, connected: Connected | None, *, problem: str = "", said: str = "", code: int = 200
    ) -> flask.Response:
        """The page, with `problem` or what was `said` above."""
        path = flask.request.values.get("path", "").rstrip("/")
        entries: list[dropbox.Entry] = []
        if connected is not None and connected.tokens is None:
            problem, connected = problem or _(WORDS["withdrawn"]), None
        if connected is not None and connected.tokens is not None:
            try:
                entries = self._dropbox(connected.tokens).folder(path)
            except Trouble as trouble:
                problem, code = problem or words(trouble), status(trouble)
                if trouble.kind in ("withdrawn", "scope"):
                    connected = None
        page = flask.render_template(
            "dropbox.html", connected=connected, entries=entries, path=path,
            parent=path.rpartition("/")[0], problem=problem, said=said,
            truncated=len(entries) >= dropbox.MOST_ENTRIES,
        )  # fmt: skip
        response = flask.make_response(page, code)
        response.headers["Cache-Control"] = "no-store"
        return response

    # --- Access ---

    def _check_there_is_one(self) -> None:
        if self._app is None:
            flask.abort(404, _(ABSENT))

    def _connected(self) -> Connected | None:
        with self._database.reading() as cursor:
            return dropbox_accounts.find(cursor, flask.g.account, self._seal)

    def _dropbox(self, tokens: Tokens) -> Dropbox:
        """That of who asks."""
        assert self._app is not None
        account = flask.g.account

        def keep(renewed: Tokens) -> None:
            with self._database.transaction() as cursor:
                dropbox_accounts.keep(cursor, account, renewed, self._seal)

        return Dropbox(
            id=self._app.id, secret=self._app.secret, hosts=self._hosts, tokens=tokens, keep=keep
        )


def words(trouble: Trouble) -> str:
    """It, and what helps, for the person."""
    return _(WORDS[trouble.kind])


def status(trouble: Trouble) -> int:
    return STATUSES.get(trouble.kind, 502)


def _note(cursor: Cursor, action: str) -> None:
    address = flask.request.remote_addr or ""
    audit.note(cursor, actor=flask.g.account, action=action, address=address)

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

from app import documents, dropbox, dropbox_accounts, identities
from app.db import Database
from app.dropbox import Tokens, Trouble
from app.dropbox_accounts import Connected
from app.identities import Flow
from app.settings import Provider, Settings
from app.web import audit_log, origins
from app.web.cookies import redirect
from app.web.dropbox_access import Connections, lets_in, status, words
from app.web.exchange import READERS
from app.web.languages import _
from app.web.sign_in_with import TIMEOUT, Refusal, Remembered
from app.words import N_

log = logging.getLogger(__name__)
MOST_WORKSHEETS = 200  # that are offered
FLOW = "dropbox-files"  # what browsers that left for this are remembered as
STRAY = N_("That was not begun in this browser, or too long ago. Begin again.")


class DropboxPages:
    def __init__(
        self, *, settings: Settings, database: Database, connections: Connections
    ) -> None:
        self._settings = settings
        self._database = database
        self._connections = connections
        self._cookie = f"salvus-{settings.site.name}-dropbox"
        self._client = self._consent(connections.app or Provider())

    def register(self, app: flask.Flask) -> None:
        """Add them to `app`. `flask.g.account` is set before they are asked."""
        app.jinja_env.globals["has_dropbox"] = self._connections.app is not None
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
        self._connections.check_there_is_one()
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
        """From Dropbox: connected, or told why not. What let us in before, does no more."""
        app = self._connections.check_there_is_one()
        try:
            tokens = self._ask()
            person = self._connections.of(tokens).person()
            with self._database.transaction() as cursor:
                before = dropbox_accounts.held(cursor, flask.g.account, app)
                dropbox_accounts.connect(
                    cursor, flask.g.account, person, tokens, self._connections.seal
                )
                audit_log.note(cursor, "connected a Dropbox")
            if before is not None:
                dropbox_accounts.give_back(app, before)  # we know it no more, whatever comes of it
            answer = redirect("/dropbox")
        except Refusal as refusal:
            answer = self.shown(None, problem=str(refusal), code=refusal.status)
        except Trouble as trouble:
            answer = self.shown(None, problem=words(trouble), code=status(trouble))
        answer.delete_cookie(self._cookie, path="/dropbox")
        return answer

    def disconnect(self) -> ResponseReturnValue:
        """The site forgets what lets it in, and gives it back, if Dropbox can be reached."""
        app = self._connections.check_there_is_one()
        with self._database.transaction() as cursor:
            tokens = dropbox_accounts.held(cursor, flask.g.account, app)
            if dropbox_accounts.disconnect(cursor, flask.g.account):
                audit_log.note(cursor, "disconnected a Dropbox")
        if tokens is not None and not dropbox_accounts.give_back(app, tokens):
            return self.shown(None, said=_(
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
        return f"{origins.of_site(self._settings)}/dropbox/back"

    def _consent(self, app: Provider) -> FlaskOAuth2App:
        return FlaskOAuth2App(
            Remembered(FLOW, self._database, self._cookie),
            name=FLOW,
            client_id=app.id,
            client_secret=app.secret,
            authorize_url=f"{self._connections.hosts.site}/oauth2/authorize",
            authorize_params={"token_access_type": "offline"},
            access_token_url=f"{self._connections.hosts.api}/oauth2/token",
            client_kwargs={
                "scope": " ".join(dropbox.SCOPES),
                "code_challenge_method": "S256",
                "default_timeout": TIMEOUT,
            },
        )

    # --- What is there ---

    def folder(self) -> ResponseReturnValue:
        """What is in the app's folder, or in one below it: `path`."""
        self._connections.check_there_is_one()
        return self.shown(self._connections.connected())

    def shown(
        self, connected: Connected | None, *, problem: str = "", said: str = "", code: int = 200
    ) -> flask.Response:
        """The page, with `problem` or what was `said` above."""
        path = flask.request.values.get("folder", "").rstrip("/")
        entries: list[dropbox.Entry] = []
        sheets: list[tuple[str, str]] = []
        if connected is not None:
            try:
                entries = self._connections.box().folder(path)
                sheets = self._worksheets()
            except Trouble as trouble:
                problem, code = problem or words(trouble), status(trouble)
                connected = connected if lets_in(trouble) else None
        page = flask.render_template(
            "dropbox.html", connected=connected, entries=entries, path=path,
            parent=path.rpartition("/")[0], problem=problem, said=said, worksheets=sheets,
            readable=tuple(READERS), truncated=len(entries) >= dropbox.MOST_ENTRIES,
        )  # fmt: skip
        response = flask.make_response(page, code)
        response.headers["Cache-Control"] = "no-store"
        return response

    def _worksheets(self) -> list[tuple[str, str]]:
        """Ids and titles of those that a file may go to."""
        with self._database.reading() as cursor:
            found = documents.entries(cursor, flask.g.account)
        return [(one.id, one.title) for one in found[:MOST_WORKSHEETS]]

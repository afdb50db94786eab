"""Who may open what: a cookie for people, the site's token for its own tools.

`/?token=…` exchanges a one-time token for a cookie. Everything but `/alive` and the static
files asks for one. While the database is away, a cookie this process has already seen is
good; others are told that the database can't be reached.
"""

from __future__ import annotations

from urllib.parse import urlencode

import flask
from flask.typing import ResponseReturnValue

from app import accounts
from app.accounts import Account
from app.db import Database, Unavailable
from app.settings import Settings
from app.token import Tokens

OPEN_TO_ALL = ("alive", "static")
OPEN_TO_TOOLS = ("status", "service")
OPEN_TO_STRANGERS = ("service",)  # which looks itself at who asks
SEEN_LIMIT = 10_000  # cookies remembered


class Access:
    def __init__(self, *, database: Database, settings: Settings, tokens: Tokens) -> None:
        self._database = database
        self._days = settings.app.sign_in_days
        self._cookie = f"salvus-{settings.site.name}"
        self._tokens = tokens
        self._seen: dict[str, Account] = {}  # by secret

    def check(self) -> ResponseReturnValue | None:
        """Before each request: find the account, or answer instead of the page."""
        request = flask.request
        if request.endpoint in OPEN_TO_ALL:
            return None
        if request.endpoint in OPEN_TO_TOOLS and self._is_tool(request):
            flask.g.account, flask.g.kind = "", "owner"
            return None
        if request.method == "GET" and "token" in request.args and not self._account(request):
            return self._sign_in(request)
        account = self._account(request)
        if account is None and request.endpoint in OPEN_TO_STRANGERS:
            flask.g.account, flask.g.kind = "", "anonymous"
            return None
        if account is None:
            flask.abort(403)
        flask.g.account, flask.g.kind = account.id, account.kind
        if request.method == "GET" and "token" in request.args:
            return _without_token(request)
        return None

    def _is_tool(self, request: flask.Request) -> bool:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        return scheme == "Bearer" and self._tokens.accepts(given)

    def _sign_in(self, request: flask.Request) -> ResponseReturnValue:
        with self._database.transaction() as cursor:
            secret = accounts.sign_in(cursor, request.args["token"], self._days)
        if secret is None:
            flask.abort(403)
        response = _without_token(request)
        response.set_cookie(
            self._cookie,
            secret,
            max_age=self._days * 86400,
            httponly=True,
            samesite="Lax",
            secure=request.is_secure,
        )
        return response

    def _account(self, request: flask.Request) -> Account | None:
        secret = request.cookies.get(self._cookie)
        if not secret:
            return None
        try:
            with self._database.reading() as cursor:
                account = accounts.signed_in(cursor, secret)
        except Unavailable:
            if secret not in self._seen:
                raise
            return self._seen[secret]
        if account is None:
            self._seen.pop(secret, None)
        elif secret in self._seen or len(self._seen) < SEEN_LIMIT:
            self._seen[secret] = account
        return account


def _without_token(request: flask.Request) -> flask.Response:
    """The same page, its address fit for the history."""
    rest = [(key, value) for key, value in request.args.items(multi=True) if key != "token"]
    response = flask.redirect(request.path + ("?" + urlencode(rest) if rest else ""))
    assert isinstance(response, flask.Response)
    return response

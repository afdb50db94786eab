"""Who may open what: a cookie for people, the site's token for its own tools.

`/?token=…` exchanges a one-time token for a cookie. What each kind of user may open is in
`app/roles.py`. What changes something must come from a page of this site, whatever cookie
comes with it. While the database is away, a cookie this process has already seen is good
until it expires; others are told that the database can't be reached.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlencode

import flask
from flask.typing import ResponseReturnValue

from app import accounts, roles
from app.accounts import Account
from app.db import Database, Unavailable
from app.token import Tokens
from app.web import audit_log
from app.web.cookies import Cookies, origin, redirect
from app.web.languages import _
from app.web.origins import SAFE_METHODS, is_own_path, is_same_origin
from app.web.parameters import leads_nowhere
from app.words import N_

OPEN = ("alive", "static", "service_worker", "words")  # to all, without a look at the database
SEEN_LIMIT = 10_000  # cookies remembered
FORBIDDEN = N_(
    "Your account does not allow this. An administrator of the site may change that."
)


class Access:
    def __init__(
        self,
        *,
        database: Database,
        cookies: Cookies,
        tokens: Tokens,
        ask: Callable[[], ResponseReturnValue],
    ) -> None:
        """`ask`: the page that asks a stranger to sign in."""
        self._database = database
        self._cookies = cookies
        self._tokens = tokens
        self._ask = ask
        self._seen: dict[str, Account] = {}  # by secret

    def check(self) -> ResponseReturnValue | None:
        """Before each request: find who asks, or answer instead of the page."""
        request, endpoint = flask.request, flask.request.endpoint or ""
        if leads_nowhere(request):
            flask.abort(404)
        if endpoint in OPEN:
            return None
        if self._is_tool(request) and roles.may_open(roles.TOOL, endpoint):
            _set(Account("", "owner"))
            return None
        if not _comes_from_here(request, endpoint):
            flask.abort(400, _("It came from another site, so nothing was done."))
        account = self._account(request)
        if request.method == "GET" and "token" in request.args:
            return _without_token(request) if account else self._sign_in(request)
        _set(account or Account("", roles.STRANGER))
        if account is None and not roles.may_open(roles.STRANGER, endpoint):
            return self._ask()
        if account and endpoint and not roles.may_open(account.kind, endpoint):
            flask.abort(403, _(FORBIDDEN))
        return None

    def _is_tool(self, request: flask.Request) -> bool:
        said = request.headers.get("Authorization", "")
        return said.startswith("Bearer ") and self._tokens.accepts(said.removeprefix("Bearer "))

    def _sign_in(self, request: flask.Request) -> ResponseReturnValue:
        _set(Account("", roles.STRANGER))
        where = origin("address")
        with self._database.transaction() as cursor:
            secret = accounts.sign_in(cursor, request.args["token"], self._cookies.days, where)
            account = accounts.signed_in(cursor, secret) if secret else None
            if account:
                audit_log.note(cursor, "signed in", actor=account.id, detail=where.how)
        if secret is None:
            return self._ask()
        return self._cookies.give(_without_token(request), secret)

    def _account(self, request: flask.Request) -> Account | None:
        secret = _ticket(request) or self._cookies.secret(request)
        if not secret:
            return None
        try:
            with self._database.reading() as cursor:
                account = accounts.signed_in(cursor, secret)
        except Unavailable:
            seen = self._seen.get(secret)
            if seen is None or (seen.expires and seen.expires < datetime.now(UTC)):
                raise
            return seen
        if account is None:
            self._seen.pop(secret, None)
        elif secret in self._seen or len(self._seen) < SEEN_LIMIT:
            self._seen[secret] = account
        return account


def _ticket(request: flask.Request) -> str:
    """The secret of a visit (app/web/visits.py), where an embedded cell may show it."""
    return request.args.get("ticket", "") if request.endpoint in ("socket", "file") else ""


def _set(account: Account) -> None:
    """Tell the page who asks."""
    flask.g.person = account
    flask.g.account, flask.g.kind = account.id, account.kind


def _comes_from_here(request: flask.Request, endpoint: str) -> bool:
    """Whether a request that changes something was sent by a page of this site.

    /service looks itself: it answers sites that the operator names.
    """
    return (
        request.method in SAFE_METHODS or endpoint in ("", "service") or is_same_origin(request)
    )


def _without_token(request: flask.Request) -> flask.Response:
    """The same page, its address fit for the history."""
    rest = [(key, value) for key, value in request.args.items(multi=True) if key != "token"]
    if not is_own_path(request.path):  # as /<tab>/elsewhere, which would lead there
        return redirect("/")
    return redirect(request.path + ("?" + urlencode(rest) if rest else ""))

"""The web side of the app role: `create_app` wires one file per kind of page or endpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flask

from app.db import Database
from app.delivery import Delivery
from app.evaluations import Evaluations
from app.passwords import Passwords
from app.roles import may_open
from app.rounds import Rounds
from app.sessions import Sessions
from app.settings import ROOT, Settings
from app.token import Tokens
from app.web import (
    audit_log,
    documents,
    exchange,
    guide,
    history,
    languages,
    metrics,
    notices,
    pages,
    service,
    sharing,
    static_files,
    status,
    suspects,
    terms,
)
from app.web.access import Access
from app.web.account import AccountPage
from app.web.active_sessions import ActiveSessions
from app.web.administration import Administration
from app.web.agents import browser_name
from app.web.classes import Classes
from app.web.cookies import Cookies
from app.web.dropbox import DropboxPages
from app.web.dropbox_access import Connections
from app.web.dropbox_transfers import DropboxTransfers
from app.web.files import Files
from app.web.forwarded import Forwarded
from app.web.handouts import Handouts
from app.web.invitations import Invitations
from app.web.invited import Codes
from app.web.parameters import Request
from app.web.sign_in import SignIn
from app.web.sign_in_with import SignInWith
from app.web.socket import Sockets
from app.web.standing import Standing
from app.web.status import Snapshot
from app.web.visits import Visits
from app.words import Words


def create_app(
    *,
    settings: Settings,
    database: Database,
    sessions: Sessions,
    evaluations: Evaluations,
    sockets: Sockets,
    delivery: Delivery,
    snapshot: Callable[[], Snapshot],
    course: Callable[[float], dict[str, Any]],
    standing: Standing,
    rounds: Rounds,
    tokens: Tokens,
    words: Words,
) -> flask.Flask:
    """The Flask application."""
    app = flask.Flask(
        "salvus",
        root_path=str(ROOT / "app"),
        static_folder=None,
        template_folder="templates",
    )
    app.request_class = Request
    app.config["MAX_CONTENT_LENGTH"] = settings.app.max_code

    def check_pages(account: str) -> None:
        """Cut off what is open and may not be any more; at once, wherever it is connected."""
        standing.check()
        delivery.hang_up_elsewhere(account)

    cookies, passwords = Cookies(settings), Passwords()
    codes = Codes(database=database, tries=settings.sign_in.attempts_per_address)
    sign_in = SignIn(
        settings=settings,
        database=database,
        cookies=cookies,
        passwords=passwords,
        codes=codes,
        rounds=rounds,
        check_pages=check_pages,
    )
    sign_in_with = SignInWith(
        settings=settings, database=database, cookies=cookies, codes=codes, rounds=rounds
    )
    access = Access(database=database, cookies=cookies, tokens=tokens, ask=sign_in.ask)
    app.before_request(access.check)
    app.jinja_env.globals["may"] = _may
    app.jinja_env.filters["browser_name"] = browser_name
    languages.register(app, words=words)
    terms.register(app)
    static_files.register(app)
    pages.register(app, settings=settings)
    documents.register(app, database=database, delivery=delivery)
    exchange.register(app, database=database)
    guide.register(app, database=database)
    sharing.register(app, database=database, title=settings.site.title)
    Visits(database=database, sessions=sessions, settings=settings.embed).register(app)
    history.register(app, database=database, delivery=delivery)
    sign_in.register(app)
    sign_in_with.register(app)
    Classes(
        database=database,
        codes=codes,
        rounds=rounds,
        check_pages=check_pages,
    ).register(app)
    Handouts(database=database, rounds=rounds, delivery=delivery).register(app)
    AccountPage(
        settings=settings,
        database=database,
        passwords=passwords,
        check_pages=check_pages,
    ).register(app)
    Administration(
        settings=settings, database=database, check_pages=check_pages
    ).register(app)
    Invitations(settings=settings, database=database).register(app)
    ActiveSessions(database=database, sessions=sessions).register(app)
    audit_log.register(app, database=database)
    files = Files(database=database, sessions=sessions, settings=settings)
    files.register(app)
    connections = Connections(app=settings.providers.get("dropbox"), database=database)
    dropbox = DropboxPages(settings=settings, database=database, connections=connections)
    dropbox.register(app)
    DropboxTransfers(
        database=database, sessions=sessions, connections=connections, pages=dropbox, files=files
    ).register(app)
    service.register(app, evaluations=evaluations, settings=settings.service)
    status.register(app, snapshot=snapshot, course=course)
    suspects.register(app, database=database, sessions=sessions)
    metrics.register(app, snapshot=snapshot)
    notices.register(app, database=database, delivery=delivery, sessions=sessions)
    sockets.register(app)
    app.wsgi_app = Forwarded(app.wsgi_app, settings.app.proxies)  # type: ignore[method-assign]

    @app.get("/alive")
    def alive() -> dict[str, bool]:
        """Whether this process answers: for load balancers and probes."""
        return {"alive": True}

    return app


def _may(endpoint: str) -> bool:
    """For templates: whether who asks may open that page, and there is one."""
    there_is = endpoint in flask.current_app.view_functions
    return there_is and may_open(flask.g.get("kind", ""), endpoint)

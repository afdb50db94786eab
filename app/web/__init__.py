"""The web side of the app role: `create_app` wires one file per kind of page or endpoint."""

from __future__ import annotations

from collections.abc import Callable

import flask

from app.db import Database
from app.evaluations import Evaluations
from app.sessions import Sessions
from app.settings import ROOT, Settings
from app.token import Tokens
from app.web import files, pages, service, static_files, status
from app.web.access import Access
from app.web.forwarded import Forwarded
from app.web.socket import Sockets
from app.web.status import Snapshot


def create_app(
    *,
    settings: Settings,
    database: Database,
    sessions: Sessions,
    evaluations: Evaluations,
    sockets: Sockets,
    snapshot: Callable[[], Snapshot],
    tokens: Tokens,
) -> flask.Flask:
    """The Flask application."""
    app = flask.Flask(
        "salvus",
        root_path=str(ROOT / "app"),
        static_folder=None,
        template_folder="templates",
    )
    app.config["MAX_CONTENT_LENGTH"] = settings.app.max_code
    app.before_request(Access(database=database, settings=settings, tokens=tokens).check)
    static_files.register(app)
    pages.register(app, database=database, settings=settings)
    files.register(app, database=database, sessions=sessions)
    service.register(app, evaluations=evaluations, settings=settings.service)
    status.register(app, snapshot=snapshot)
    sockets.register(app)
    app.wsgi_app = Forwarded(app.wsgi_app, settings.app.proxies)  # type: ignore[method-assign]

    @app.get("/alive")
    def alive() -> dict[str, bool]:
        """Whether this process answers: for load balancers and probes."""
        return {"alive": True}

    return app

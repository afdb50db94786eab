"""Help inside: the examples of the worksheet page's panel, and the first worksheet."""

from __future__ import annotations

from dataclasses import asdict

import flask
from werkzeug import Response

from app import exchange, guide
from app.db import Database


def register(app: flask.Flask, *, database: Database) -> None:
    """Add them to `app`. `flask.g.account` is set before they are asked."""

    @app.get("/examples")
    def examples() -> Response:
        response = flask.jsonify([asdict(subject) for subject in guide.subjects()])
        response.cache_control.private = True
        response.cache_control.no_cache = True
        response.add_etag()
        return response.make_conditional(flask.request)

    @app.post("/worksheets/first")
    def first_worksheet() -> Response:
        with database.transaction() as cursor:
            made = exchange.bring_in(cursor, flask.g.account, guide.first())
        return flask.redirect(flask.url_for("worksheet", worksheet=made), 303)

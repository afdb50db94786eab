"""The status page: what runs on this site and how it fares, as a page or as JSON.

`GET /status` shows HTML to browsers and answers `Accept: application/json` with the
`Snapshot` itself. Whoever wires the roles makes the snapshot; a part it leaves out is not
shown.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

import flask
import flask.typing

from app.quantities import duration, size


class ServiceStatus(TypedDict, total=False):
    """A process of the site; figures cover its descendants."""

    name: str
    state: str  # up, starting, backing off, gave up, … or, in one word, what is wrong
    reason: str  # of the state, in words
    host: str
    address: str
    port: int | None
    pid: int | None
    seconds: float  # since its process began
    percent_cpu: float | None  # of one core
    resident_size: int | None  # bytes


class SessionStatus(TypedDict, total=False):
    """A Sage session."""

    id: str
    worksheet: str
    server: str  # host:port of its sage server
    state: str  # starting, busy, idle
    seconds: float  # since it began
    resident_size: int | None  # bytes


class Snapshot(TypedDict, total=False):
    """How the site fares now. All values are JSON values."""

    site: str
    node: str  # the app server that says this
    time: str  # ISO 8601, UTC
    roles: list[str]  # of this process: app, sage, monitor
    hub_lag: float  # seconds its greenlets have lately run late, at worst
    browsers: int  # connected to this process
    services: list[ServiceStatus]
    sessions: list[SessionStatus]
    protection: dict[str, str]  # of sessions: what is protected and how well
    versions: dict[str, str]  # program → version
    notices: list[str]  # what the site does without, in words


def register(app: flask.Flask, *, snapshot: Callable[[], Snapshot]) -> None:
    """Add the status page to `app`."""
    app.jinja_env.filters["size"] = size
    app.jinja_env.filters["duration"] = duration

    @app.get("/status")
    def status() -> flask.typing.ResponseReturnValue:
        offered = ("text/html", "application/json")
        if flask.request.accept_mimetypes.best_match(offered) == "application/json":
            response = flask.jsonify(snapshot())
        else:
            response = flask.make_response(flask.render_template("status.html", now=snapshot()))
        response.headers["Cache-Control"] = "no-store"
        response.vary.add("Accept")
        return response

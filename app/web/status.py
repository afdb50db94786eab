"""The status page: what runs on this site and how it fares, as a page or as JSON.

`GET /status` shows HTML to browsers and answers `Accept: application/json` with the
`Snapshot` itself, `GET /status/course` with what the page plots. Whoever wires the roles makes
the snapshot; a part it leaves out is not shown. docs/STATUS.md describes both for programs:
what is there stays as it is, and more may be added.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict

import flask
import flask.typing

from app.db import Unavailable
from app.words import N_

LONGEST_HOURS = 24 * 366
HOURS = {  # that can be plotted
    0.25: N_("15 minutes"), 1: N_("hour"), 24: N_("day"), 168: N_("week"),
}  # fmt: skip


class HostStatus(TypedDict, total=False):
    name: str
    state: str  # up, or unknown if its supervisor is silent
    reason: str  # why it is
    seconds: float | None  # since its supervisor began
    load: float | None  # over 1 minute
    cores: int
    notices: list[str]  # what it does without, in words


class ServiceStatus(TypedDict, total=False):
    """A process of the site; figures cover its descendants. They are None, or left out, where
    nothing is known or it has nothing to do with them."""

    name: str
    type: str
    state: str  # up, starting, backing off, gave up, … or, in one word, what is wrong
    reason: str  # of the state, in words
    wanted: bool  # it should be up
    host: str
    address: str
    port: int | None
    pid: int | None
    seconds: float | None  # since its process began
    restarts: int  # as long as that is kept
    percent_cpu: float | None  # of one core
    percent_mem: float | None  # of the host's
    cputime: float | None  # seconds
    resident_size: int | None  # bytes
    virtual_size: int | None  # bytes
    sessions: int | None
    sessions_free: int | None  # that may begin
    browsers: int | None  # connected with it
    hub_lag: float | None  # seconds


class ErrorStatus(TypedDict):
    """From a log."""

    time: str  # ISO 8601
    host: str
    service: str
    level: str
    message: str


class SessionStatus(TypedDict, total=False):
    """A Sage session."""

    id: str
    worksheet: str
    server: str  # host:port of its sage server
    state: str  # waiting, starting, busy, idle; unknown: its server has not said it yet
    seconds: float  # since it began
    resident_size: int | None  # bytes


class SuspectStatus(TypedDict):
    """Somebody who computes without pause (app/mining.py)."""

    account: str  # empty: several guests from one address
    name: str
    kind: str
    network: str  # of guests: where they come from
    since: str  # ISO 8601, UTC
    full_hours: float  # within the last [mining] within_hours
    cpu_seconds: float  # since then
    worksheets: list[str]  # that have a session now


class Snapshot(TypedDict, total=False):
    """How the site fares now. All values are JSON values."""

    site: str
    node: str  # the app server that says this
    time: str  # ISO 8601, UTC
    roles: list[str]  # of this process: app, sage, monitor
    hub_lag: float  # seconds its greenlets have lately run late, at worst
    browsers: int  # connected to this process
    hosts: list[HostStatus]
    services: list[ServiceStatus]
    errors: list[ErrorStatus]  # the newest first
    sessions: list[SessionStatus]
    mining: list[SuspectStatus]
    protection: dict[str, str]  # of sessions: what is protected and how well
    versions: dict[str, str]  # program → version
    notices: list[str]  # what the site does without, in words


def register(
    app: flask.Flask,
    *,
    snapshot: Callable[[], Snapshot],
    course: Callable[[float], dict[str, Any]],
) -> None:
    """Add the status page to `app`. `course(hours)` is what it plots; it may raise Unavailable."""

    @app.get("/status")
    def status() -> flask.typing.ResponseReturnValue:
        offered = ("text/html", "application/json")
        if flask.request.accept_mimetypes.best_match(offered) == "application/json":
            response = flask.jsonify(snapshot())
        else:
            page = flask.render_template("status.html", now=snapshot(), hours=HOURS)
            response = flask.make_response(page)
        response.headers["Cache-Control"] = "no-store"
        response.vary.add("Accept")
        return response

    @app.get("/status/course")
    def status_course() -> flask.typing.ResponseReturnValue:
        hours = flask.request.args.get("hours", 1.0, type=float)
        if not 0 < hours <= LONGEST_HOURS:
            flask.abort(400, f"hours: a number up to {LONGEST_HOURS}")
        try:
            response = flask.jsonify(course(hours))
        except Unavailable as error:
            response = flask.jsonify(error=str(error))
            response.status_code = 503
        response.headers["Cache-Control"] = "no-store"
        return response

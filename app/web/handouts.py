"""Worksheets handed out in a class, as its teachers see them: who has what, and what came back."""

from __future__ import annotations

import uuid
from datetime import datetime

import flask
from flask.typing import ResponseReturnValue
from psycopg2.extensions import cursor as Cursor

from app import classes, collected, handouts, permissions
from app.classes import Class
from app.db import Database
from app.handouts import BadHandout, Handout, PastDeadline
from app.rounds import Rounds
from app.web.classes import governed
from app.web.cookies import redirect
from app.web.languages import _


class Handouts:
    def __init__(self, *, database: Database, rounds: Rounds) -> None:
        self._database = database
        self._rounds = rounds

    def register(self, app: flask.Flask) -> None:
        """Add them to `app`. `flask.g.person` is set before they are asked."""
        one = "/classes/<uuid:id>/handouts/<uuid:handout>"
        for path, method, view in (
            ("/classes/<uuid:id>/handouts", "POST", self.hand_out),
            (one, "GET", self.handout_page),
            (f"{one}/deadline", "POST", self.change_deadline),
            (f"{one}/collect", "POST", self.collect_handout),
        ):
            app.add_url_rule(path, view.__name__, view, methods=[method])

    def handout_page(self, id: uuid.UUID, handout: uuid.UUID) -> ResponseReturnValue:
        with self._database.reading() as cursor:
            one, found = _found(cursor, id, handout)
            roster = collected.roster(cursor, found.id)
        return flask.render_template("handout.html", one=one, handout=found, copies=roster)

    def hand_out(self, id: uuid.UUID) -> ResponseReturnValue:
        """Give a worksheet of one's own to all."""
        form = flask.request.form
        try:
            worksheet = str(uuid.UUID(form.get("worksheet", "")))
        except ValueError:
            flask.abort(400, _("Choose a worksheet first."))
        try:
            with self._database.transaction() as cursor:
                one = governed(cursor, id, open_only=True)
                permission = permissions.find(cursor, flask.g.account, worksheet)
                if permission is None or not permission.owns or permission.trashed:
                    flask.abort(404, _("There is no such worksheet of yours."))
                made = handouts.hand_out(
                    cursor, one, worksheet, permission.title, _deadline(one),
                    actor=flask.g.account,
                )  # fmt: skip
        except BadHandout as error:
            flask.abort(409, _words(error))
        self._rounds.give_at_once()
        return redirect(f"/classes/{id}/handouts/{made}")

    def change_deadline(self, id: uuid.UUID, handout: uuid.UUID) -> ResponseReturnValue:
        try:
            with self._database.transaction() as cursor:
                one, found = _found(cursor, id, handout)
                changed = handouts.set_deadline(cursor, found.id, _deadline(one))
        except PastDeadline as error:
            flask.abort(409, _words(error))
        if not changed:
            flask.abort(409, _("The deadline has passed: it can't be changed any more."))
        self._rounds.wake()
        return redirect(f"/classes/{id}/handouts/{handout}")

    def collect_handout(self, id: uuid.UUID, handout: uuid.UUID) -> ResponseReturnValue:
        """All copies that were not collected yet, as they are now."""
        with self._database.reading() as cursor:
            found = _found(cursor, id, handout)[1]
        while True:
            with self._database.transaction() as cursor:
                if not collected.collect_now(cursor, found.id):
                    collected.finish_now(cursor, found.id, actor=flask.g.account)
                    break
        return redirect(f"/classes/{id}/handouts/{handout}")


def _found(cursor: Cursor, id: uuid.UUID, handout: uuid.UUID) -> tuple[Class, Handout]:
    one = governed(cursor, id)
    found = handouts.find(cursor, one.id, str(handout))
    if found is None:
        flask.abort(404)
    return one, found


def _deadline(one: Class) -> datetime | None:
    """What the form says, in the class's time zone."""
    said = flask.request.form.get("deadline", "")
    if not said:
        return None
    try:
        return datetime.fromisoformat(said).replace(tzinfo=classes.zone_of(one.zone))
    except ValueError:
        flask.abort(400, _("The deadline is no date and time: 2026-12-31T23:59 is one."))


def _words(error: BadHandout) -> str:
    if isinstance(error, PastDeadline):
        return _("The deadline has passed already: choose a later one.")
    return _("A class hands out at most %(most)d worksheets.", most=handouts.MOST)

"""Worksheets handed out in a class: who has what, what came back, and what is said of it.

What was collected is somebody's output: the page that shows it may run and load nothing.
"""

from __future__ import annotations

import re
import tempfile
import time
import uuid
from datetime import datetime

import flask
import gevent
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from psycopg2.extensions import cursor as Cursor

from app import (
    classes,
    collected,
    comments,
    handouts,
    live_sessions,
    notebooks,
    oversight,
    parcel,
    permissions,
    prose,
    standalone,
    takeout,
)
from app.classes import Class
from app.collected import Copy
from app.db import Database
from app.delivery import Delivery, ToAccount
from app.handouts import BadHandout, Handout, PastDeadline
from app.rounds import Rounds
from app.web.classes import asked_class, governed
from app.web.cookies import redirect
from app.web.languages import _
from app.wire.messages_pb2 import Message, Notice

POLICY = (
    "default-src 'none'; img-src 'self' data:; style-src 'self' 'unsafe-inline';"
    " frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
CELL = re.compile(r"cell-([0-9]{1,6})")  # the field with the comment on a cell

class Handouts:
    def __init__(self, *, database: Database, rounds: Rounds, delivery: Delivery) -> None:
        self._database = database
        self._delivery = delivery
        self._rounds = rounds

    def register(self, app: flask.Flask) -> None:
        """Add them to `app`. `flask.g.person` is set before they are asked."""
        app.jinja_env.filters["markdown"] = lambda text: Markup(prose.rendered(text))
        one = "/classes/<uuid:id>/handouts/<uuid:handout>"
        for path, method, view in (
            ("/classes/<uuid:id>/handouts", "POST", self.hand_out),
            (one, "GET", self.handout_page),
            (f"{one}/deadline", "POST", self.change_deadline),
            (f"{one}/collect", "POST", self.collect_handout),
            (f"{one}/return", "POST", self.return_handout),
            (f"{one}/collected.zip", "GET", self.handout_zip),
            (f"{one}/copies/<uuid:student>", "GET", self.collected_copy),
            (f"{one}/copies/<uuid:student>", "POST", self.comment_copy),
            (f"{one}/copies/<uuid:student>/enter", "POST", self.enter_worksheet),
        ):
            app.add_url_rule(path, view.__name__, view, methods=[method])

    def handout_page(self, id: uuid.UUID, handout: uuid.UUID) -> ResponseReturnValue:
        with self._database.reading() as cursor:
            one, found = _found(cursor, id, handout)
            roster = collected.roster(cursor, found.id)
            entered = [copy.worksheet for copy in roster if copy.worksheet and copy.attends]
            states = live_sessions.states(cursor, [] if one.archived else entered)
        return flask.render_template(
            "handout.html", one=one, handout=found, copies=roster, states=states
        )

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
            asked = collected.moment(cursor)
        gevent.sleep(collected.SETTLE)
        while True:
            with self._database.transaction() as cursor:
                if not collected.collect_now(cursor, found.id, asked):
                    collected.finish_now(cursor, found.id, actor=flask.g.account)
                    break
        return redirect(f"/classes/{id}/handouts/{handout}")

    def handout_zip(self, id: uuid.UUID, handout: uuid.UUID) -> ResponseReturnValue:
        """All that was collected."""
        target = tempfile.TemporaryFile()
        with self._database.transaction() as cursor:
            one, found = _found(cursor, id, handout)
            parcel.write(cursor, found, target)
        target.seek(0)
        name = takeout.file_name(f"{one.title} {found.title}")
        return flask.send_file(
            target, "application/zip", as_attachment=True, download_name=f"{name}.zip"
        )

    # --- Comments ---

    def collected_copy(
        self, id: uuid.UUID, handout: uuid.UUID, student: uuid.UUID
    ) -> ResponseReturnValue:
        """To teachers with forms for comments; to the student, with the comments once returned."""
        with self._database.reading() as cursor:
            one = asked_class(cursor, id)
            if not one.governs and str(student) != flask.g.account:
                flask.abort(404)
            found, copy = _copy(cursor, one, handout, student)
            commented = comments.read(cursor, found.id, copy.account)
            roster = collected.roster(cursor, found.id) if one.governs else []
        if commented is None:
            flask.abort(404, _("There was nothing to be collected: the worksheet was deleted."))
        others = [each.account for each in roster if each.kept]
        later = others[others.index(copy.account) + 1 :] if one.governs else []
        page = flask.render_template(
            "collected_copy.html",
            one=one,
            handout=found,
            copy=copy,
            cells=[
                (Markup(standalone.cell(part, output=_("Output"))), commented.cells.get(place, ""))
                for place, part in enumerate(notebooks.read(commented.notebook, "").parts)
            ],
            overall=commented.overall,
            shown=bool(one.governs or copy.returned),
            later=later[0] if later else "",
            code_style=Markup(standalone.CODE_STYLE),
            longest=comments.LONGEST,
        )
        return flask.Response(page, headers={"Content-Security-Policy": POLICY})

    def comment_copy(
        self, id: uuid.UUID, handout: uuid.UUID, student: uuid.UUID
    ) -> ResponseReturnValue:
        """Keep the comments; return the copy if the form says so."""
        form = flask.request.form
        said = {int(name[1]): text for key, text in form.items() if (name := CELL.fullmatch(key))}
        with self._database.transaction() as cursor:
            one = governed(cursor, id)
            found, copy = _copy(cursor, one, handout, student)
            comments.write(cursor, found.id, copy.account, form.get("overall", ""), said)
            told = []
            if form.get("then") == "return":
                told = comments.give_back(
                    cursor, found.id, copy.account, actor=flask.g.account
                )
        self._tell(told, one, found)
        return redirect(f"/classes/{id}/handouts/{handout}/copies/{student}#top")

    def enter_worksheet(
        self, id: uuid.UUID, handout: uuid.UUID, student: uuid.UUID
    ) -> ResponseReturnValue:
        """A student's worksheet, live; the student is told."""
        with self._database.transaction() as cursor:
            found = _found(cursor, id, handout)[1]
            copy = collected.find(cursor, found.id, str(student))
            worksheet = copy.worksheet if copy else ""
            entered = oversight.enter(cursor, worksheet, flask.g.account) if worksheet else None
        if entered is None:
            flask.abort(404, _("There is no such worksheet that you may enter."))
        text = _("%(name)s is in your worksheet “%(title)s” now.",
                 name=flask.g.person.name, title=entered.title)  # fmt: skip
        self._say([entered.student], text)
        return redirect(f"/w/{worksheet}")

    def return_handout(self, id: uuid.UUID, handout: uuid.UUID) -> ResponseReturnValue:
        """All that was collected and not returned yet."""
        with self._database.transaction() as cursor:
            one, found = _found(cursor, id, handout)
            told = comments.give_back(cursor, found.id, actor=flask.g.account)
        self._tell(told, one, found)
        return redirect(f"/classes/{id}/handouts/{handout}")

    def _tell(self, students: list[str], one: Class, handout: Handout) -> None:
        """Say on their open pages that their copies are returned."""
        text = _("%(class_title)s: “%(title)s” is returned. The comments are in your class.",
                 class_title=one.title, title=handout.title)  # fmt: skip
        self._say(students, text)

    def _say(self, students: list[str], text: str) -> None:
        notice = Message(notice=Notice(text=text, time=time.time()))
        for student in students:
            self._delivery.deliver(ToAccount(student), notice)


def _copy(
    cursor: Cursor, one: Class, handout: uuid.UUID, student: uuid.UUID
) -> tuple[Handout, Copy]:
    """A student's copy, if it was collected."""
    found = handouts.find(cursor, one.id, str(handout))
    copy = collected.find(cursor, found.id, str(student)) if found else None
    if found is None or copy is None or not copy.collected:
        flask.abort(404)
    return found, copy


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
        found = datetime.fromisoformat(said)
    except ValueError:
        found = None
    # In another zone the last year there is may be one that has no name
    if found is None or found.year == datetime.max.year:
        flask.abort(400, _("The deadline is no date and time: 2026-12-31T23:59 is one."))
    return found.replace(tzinfo=classes.zone_of(one.zone))


def _words(error: BadHandout) -> str:
    if isinstance(error, PastDeadline):
        return _("The deadline has passed already: choose a later one.")
    return _("A class hands out at most %(most)d worksheets.", most=handouts.MOST)

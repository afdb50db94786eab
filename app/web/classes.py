"""Classes: their list, a class as its teachers and as its students see it, and coming in.

Everything here is a plain form. Administrators may do with every class what its teachers may.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal
from zoneinfo import available_timezones

import flask
from babel import dates
from flask.typing import ResponseReturnValue
from psycopg2.extensions import cursor as Cursor

from app import classes, collected, documents, handouts, join_codes, oversight, roles
from app.classes import Class, NoClass
from app.db import Database, Unavailable
from app.rounds import Rounds
from app.web.cookies import redirect
from app.web.invited import Codes, NotInvited
from app.web.languages import _, current

Length = Literal["medium", "full"]
SEATS = 1000  # that a code may have at most
DAYS = 365.0  # that a code may be good for


class Classes:
    def __init__(
        self,
        *,
        database: Database,
        codes: Codes,
        rounds: Rounds,
        check_pages: Callable[[str], None],
    ) -> None:
        """`check_pages`: cut off open pages that may not stay, on other servers those of an
        account."""
        self._rounds = rounds
        self._database = database
        self._codes = codes
        self._check_pages = check_pages

    def register(self, app: flask.Flask) -> None:
        """Add them to `app`. `flask.g.person` is set before they are asked."""
        app.jinja_env.globals["has_classes"] = self._has_classes
        app.jinja_env.filters.update(in_zone=in_zone, from_now=from_now)
        for path, method, view in (
            ("/classes", "GET", self.class_list),
            ("/classes", "POST", self.new_class),
            ("/classes/<uuid:id>", "GET", self.class_page),
            ("/classes/<uuid:id>", "POST", self.change_class),
            ("/classes/<uuid:id>/archive", "POST", self.archive_class),
            ("/classes/<uuid:id>/reopen", "POST", self.reopen_class),
            ("/classes/<uuid:id>/delete", "POST", self.delete_class),
            ("/classes/<uuid:id>/codes", "POST", self.new_class_code),
            ("/classes/<uuid:id>/codes/<code>/revoke", "POST", self.revoke_class_code),
            ("/classes/<uuid:id>/students/<uuid:student>/remove", "POST", self.remove_student),
            ("/classes/<uuid:id>/leave", "POST", self.leave_class),
            ("/join/<token>/class", "POST", self.join_class),
        ):
            app.add_url_rule(path, view.__name__, view, methods=[method])

    # --- Looking ---

    def class_list(self) -> ResponseReturnValue:
        person = flask.g.person
        with self._database.reading() as cursor:
            found = classes.listed(cursor, person.id, person.kind)
        return flask.render_template("classes.html", classes=found, zones=zones())

    def class_page(self, id: uuid.UUID) -> ResponseReturnValue:
        with self._database.reading() as cursor:
            found = asked_class(cursor, id)
            if not found.governs:
                return flask.render_template(
                    "attended_class.html",
                    one=found,
                    handouts=handouts.listed(cursor, found.id),
                    copies=collected.of_student(cursor, found.id, flask.g.account),
                    visits=oversight.visits_of_student(cursor, found.id, flask.g.account),
                )
            return _governed_page(cursor, found)

    def _has_classes(self) -> bool:
        """For templates: whether classes concern who asks."""
        kind = flask.g.get("kind", "")
        if kind not in roles.MEMBERS or kind in roles.TEACHERS:
            return kind in roles.TEACHERS
        try:
            with self._database.reading() as cursor:
                return classes.concerns(cursor, flask.g.account)
        except Unavailable:
            return False

    # --- What teachers do ---

    def new_class(self) -> ResponseReturnValue:
        form = flask.request.form
        with self._database.transaction() as cursor:
            made = classes.create(
                cursor, form.get("title", ""), form.get("zone", ""), teacher=flask.g.account
            )
        return redirect(f"/classes/{made}")

    def change_class(self, id: uuid.UUID) -> ResponseReturnValue:
        form = flask.request.form
        with self._database.transaction() as cursor:
            found = governed(cursor, id)
            classes.change(cursor, found.id, form.get("title", ""), form.get("zone", ""))
        return redirect(f"/classes/{id}")

    def archive_class(self, id: uuid.UUID) -> ResponseReturnValue:
        with self._database.transaction() as cursor:
            classes.archive(cursor, governed(cursor, id).id, actor=flask.g.account)
            inside = oversight.end(cursor, str(id))
        self._show_out(inside)
        return redirect(f"/classes/{id}")

    def reopen_class(self, id: uuid.UUID) -> ResponseReturnValue:
        with self._database.transaction() as cursor:
            classes.reopen(cursor, governed(cursor, id).id, actor=flask.g.account)
        return redirect(f"/classes/{id}")

    def delete_class(self, id: uuid.UUID) -> ResponseReturnValue:
        """For ever, if it is archived and its title is typed."""
        typed = classes.proper_title(flask.request.form.get("title", ""))
        with self._database.transaction() as cursor:
            found = governed(cursor, id)
            if typed != found.title:
                words = _("Nothing was deleted: the title that was typed is not %(title)s.",
                          title=found.title)  # fmt: skip
                return _governed_page(cursor, found, error=words), 400
            if not classes.delete(cursor, found.id, actor=flask.g.account):
                flask.abort(409, _("Archive the class first."))
        return redirect("/classes")

    def new_class_code(self, id: uuid.UUID) -> ResponseReturnValue:
        seats = flask.request.form.get("seats", type=int)
        days = flask.request.form.get("days", type=float)
        if seats is None or not 0 < seats <= SEATS:
            flask.abort(400, _("A code is good for 1 to %(most)d students.", most=SEATS))
        if days is None or not math.isfinite(days) or not 0 < days <= DAYS:
            flask.abort(400, _("A code is good for at most %(most)d days.", most=DAYS))
        with self._database.transaction() as cursor:
            found = governed(cursor, id, open_only=True)
            classes.new_code(cursor, found, seats=seats, days=days, actor=flask.g.account)
        return redirect(f"/classes/{id}#invite")

    def revoke_class_code(self, id: uuid.UUID, code: str) -> ResponseReturnValue:
        with self._database.transaction() as cursor:
            classes.revoke_code(cursor, governed(cursor, id), code, actor=flask.g.account)
        return redirect(f"/classes/{id}#invite")

    def remove_student(self, id: uuid.UUID, student: uuid.UUID) -> ResponseReturnValue:
        with self._database.transaction() as cursor:
            found = governed(cursor, id)
            classes.remove(cursor, found.id, str(student), actor=flask.g.account)
            inside = oversight.end(cursor, found.id, str(student))
        self._show_out(inside)
        return redirect(f"/classes/{id}#students")

    # --- What students do ---

    def join_class(self, token: str) -> ResponseReturnValue:
        """By its code, for who has an account."""
        wait = self._codes.wait_seconds(token)
        if wait:
            flask.abort(429, _("Too many tries of codes. Wait a quarter of an hour."))
        try:
            with self._database.transaction() as cursor:
                code = self._codes.find(cursor, token)
                class_ = code.class_ if code else ""
                found = classes.find(cursor, class_, *_who()) if class_ else None
                is_in = found is not None and (found.teaches or found.attends)
                # First in, then a seat: who asks twice at a time takes one
                if class_ and not is_in and classes.join(cursor, class_, flask.g.account):
                    self._codes.take(cursor, token)
        except (NotInvited, NoClass):
            class_ = ""
        if not class_:
            flask.abort(404, _("No such code is good, or it has no seat left. Ask your teacher."))
        self._rounds.give_at_once()
        return redirect(f"/classes/{class_}")

    def leave_class(self, id: uuid.UUID) -> ResponseReturnValue:
        with self._database.transaction() as cursor:
            classes.remove(
                cursor, asked_class(cursor, id).id, flask.g.account, actor=flask.g.account
            )
            inside = oversight.end(cursor, str(id), flask.g.account)
        self._show_out(inside)
        return redirect("/classes")

    def _show_out(self, teachers: list[str]) -> None:
        """Have teachers who were in worksheets that they may enter no more leave at once."""
        for teacher in teachers:
            self._check_pages(teacher)


def _governed_page(cursor: Cursor, found: Class, error: str = "") -> str:
    """A class as its teachers see it."""
    return flask.render_template(
        "class.html",
        one=found,
        handouts=handouts.listed(cursor, found.id),
        worksheets=documents.entries(cursor, flask.g.account),
        codes=join_codes.listed(cursor, found.id),
        students=classes.students(cursor, found.id),
        zones=zones(),
        error=error,
    )


def governed(cursor: Cursor, id: uuid.UUID, *, open_only: bool = False) -> Class:
    """The class, if who asks teaches it or governs the site."""
    found = asked_class(cursor, id)
    if not found.governs:
        flask.abort(403, _("Only a teacher of the class may do that."))
    if open_only and found.archived:
        flask.abort(409, _("The class is archived: reopen it first."))
    return found


def asked_class(cursor: Cursor, id: uuid.UUID) -> Class:
    found = classes.find(cursor, str(id), *_who())
    if found is None:
        flask.abort(404)
    return found


def _who() -> tuple[str, str]:
    return flask.g.account, flask.g.kind


def zones() -> list[str]:
    """Time zones to choose from."""
    found = {name for name in available_timezones() if "/" in name}
    return [classes.UTC, *sorted(name for name in found if not name.startswith("Etc/"))]


def in_zone(moment: datetime, zone: str, length: Length = "full") -> str:
    """A moment as a person reads it in a time zone; "full" names the zone, "medium" does not."""
    there, locale = moment.astimezone(classes.zone_of(zone)), current().locale
    date = dates.format_date(there, length, locale)
    time = dates.format_time(there, "short", tzinfo=there.tzinfo, locale=locale)
    if length == "medium":
        return _("%(date)s, %(time)s", date=date, time=time)
    return _("%(date)s, %(time)s (%(zone)s time)", date=date, time=time, zone=_zone_words(zone))


def _zone_words(zone: str) -> str:
    return zone.replace("_", " ")


def from_now(moment: datetime) -> str:
    """How far away a moment is: in 3 days, 5 minutes ago."""
    away = moment - datetime.now(UTC)
    return str(dates.format_timedelta(away, add_direction=True, locale=current().locale))

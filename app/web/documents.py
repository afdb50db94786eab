"""Worksheets as documents: their list with search and trash, and what can be done with one.

Everything here is a plain form, so the list works without JavaScript.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

import flask
import flask.typing
from psycopg2.extensions import cursor as Cursor
from werkzeug import Response

from app import copies, documents, oversight, people, permissions
from app.db import Database
from app.delivery import Delivery, ToWorksheet
from app.permissions import Permission
from app.web.languages import _
from app.wire.messages_pb2 import Message, Notice, Saving, Title

Act = Callable[[Cursor, str, Permission], str]
PAGES = (
    ("", "worksheet", "worksheet.html"),
    ("/console", "worksheet_console", "console.html"),  # one prompt below the other
)


def register(app: flask.Flask, *, database: Database, delivery: Delivery) -> None:
    """Add the list and the worksheets' own pages to `app`.

    `flask.g.account` is set before they are asked.
    """

    @app.get("/")
    def home() -> Response:
        """The worksheet that was changed last, or a new one."""
        with database.transaction() as cursor:
            account = flask.g.account
            found = documents.latest(cursor, account)
            found = found or documents.create(cursor, account, _("Untitled"))
        return flask.redirect(flask.url_for("worksheet", worksheet=found))

    @app.get("/worksheets")
    def worksheet_list() -> str:
        words = flask.request.args.get("q", "")
        trashed = "trash" in flask.request.args
        with database.reading() as cursor:
            account = flask.g.account
            entries = documents.entries(cursor, account, words=words, trashed=trashed)
            undo = _just_trashed(cursor)
        return flask.render_template(
            "worksheets.html", entries=entries, words=words, trashed=trashed, undo=undo
        )

    @app.post("/worksheets")
    def new_worksheet() -> Response:
        with database.transaction() as cursor:
            made = documents.create(cursor, flask.g.account, _("Untitled"))
        return flask.redirect(flask.url_for("worksheet", worksheet=made), 303)

    @app.get("/console")
    def console() -> Response:
        """The worksheet of the command line, shown as one."""
        with database.transaction() as cursor:
            found = documents.command_line(cursor, flask.g.account, _("Command line"))
        return flask.redirect(flask.url_for("worksheet_console", worksheet=found))

    for path, endpoint, template in PAGES:
        app.add_url_rule(
            f"/w/<uuid:worksheet>{path}", endpoint=endpoint, view_func=_page(database, template)
        )
    for name, act in ACTS.items():
        app.add_url_rule(
            f"/w/<uuid:worksheet>/{name}",
            endpoint=f"worksheet_{name}",
            view_func=_view(database, delivery, act),
            methods=["POST"],
        )


def _page(
    database: Database, template: str
) -> Callable[[uuid.UUID], flask.typing.ResponseReturnValue]:
    """A worksheet's own page."""

    def page(worksheet: uuid.UUID) -> flask.typing.ResponseReturnValue:
        with database.reading() as cursor:
            permission = permissions.find(cursor, flask.g.account, str(worksheet))
            newcomer = documents.is_newcomer(cursor, flask.g.account)
            visits = oversight.visits(cursor, str(worksheet)) if permission else []
            owner = people.name_of(cursor, permission.account) if permission else ""
        if permission is None:
            flask.abort(404)
        if permission.trashed:
            return flask.redirect(flask.url_for("worksheet_list", trash=""))
        return flask.render_template(
            template,
            worksheet=str(worksheet),
            title=permission.title,
            newcomer=newcomer,
            visits=visits,
            owner="" if permission.owns else owner,
        )

    return page


def _view(
    database: Database, delivery: Delivery, act: Act
) -> Callable[[uuid.UUID], Response]:
    def view(worksheet: uuid.UUID) -> Response:
        with database.transaction() as cursor:
            permission = permissions.find(cursor, flask.g.account, str(worksheet))
            if permission is None:
                flask.abort(404)
            then = act(cursor, str(worksheet), permission)
        _tell_pages(delivery, str(worksheet), act)
        return flask.redirect(then, 303)

    return view


def _tell_pages(delivery: Delivery, worksheet: str, act: Act) -> None:
    """What has become of the worksheet, where it is open."""
    pages = ToWorksheet(worksheet)
    if act is _trash:
        saving = Saving(delayed=True, reason=permissions.TRASHED)
        delivery.deliver(pages, Message(saving=saving))
    elif act is _restore:  # they come back, and save what was typed meanwhile
        delivery.deliver(pages, Message(saving=Saving()), hang_up=True)
    elif act is _purge:
        text = _("This worksheet was deleted for ever. What you want to keep, copy from this page"
                 " before you close it.")  # fmt: skip
        delivery.deliver(pages, Message(notice=Notice(text=text, time=time.time())))
    elif act is _rename:
        delivery.deliver(pages, Message(title=Title(title=_wanted_title())))


def _just_trashed(cursor: Cursor) -> tuple[str, str] | None:
    """The id and title of the worksheet that was put into the trash a moment ago."""
    try:
        worksheet = str(uuid.UUID(flask.request.args.get("undo", "")))
    except ValueError:
        return None
    permission = permissions.find(cursor, flask.g.account, worksheet)
    return (worksheet, permission.title) if permission and permission.trashed else None


# --- What can be done; each says where to go then ----------------------------------


def _rename(cursor: Cursor, worksheet: str, permission: Permission) -> str:
    if not permission.writes:
        flask.abort(403, _("You may read this worksheet, but not rename it."))
    documents.rename(cursor, worksheet, _wanted_title())
    return _list()


def _duplicate(cursor: Cursor, worksheet: str, permission: Permission) -> str:
    title = _("Copy of %(title)s", title=permission.title)
    made = copies.duplicate(cursor, worksheet, flask.g.account, title)
    return flask.url_for("worksheet", worksheet=made)


def _star(cursor: Cursor, worksheet: str, permission: Permission) -> str:
    starred = flask.request.form.get("starred") == "yes"
    documents.star(cursor, flask.g.account, worksheet, starred=starred)
    return _list()


def _trash(cursor: Cursor, worksheet: str, permission: Permission) -> str:
    _demand_owner(permission)
    documents.trash(cursor, worksheet)
    return flask.url_for("worksheet_list", undo=worksheet)


def _restore(cursor: Cursor, worksheet: str, permission: Permission) -> str:
    _demand_owner(permission)
    documents.restore(cursor, worksheet)
    return _list()


def _purge(cursor: Cursor, worksheet: str, permission: Permission) -> str:
    _demand_owner(permission)
    documents.purge(cursor, worksheet)
    return flask.url_for("worksheet_list", trash="")


ACTS: dict[str, Act] = {
    "rename": _rename,
    "duplicate": _duplicate,
    "star": _star,
    "trash": _trash,
    "restore": _restore,
    "purge": _purge,
}


def _wanted_title() -> str:
    """As it is kept."""
    return documents.proper_title(flask.request.form.get("title", "").strip() or _("Untitled"))


def _demand_owner(permission: Permission) -> None:
    if not permission.owns:
        flask.abort(403, _("Only its owner may do that with a worksheet."))


def _list() -> str:
    """The list as it was: with the same search."""
    words = flask.request.form.get("q", "")
    return flask.url_for("worksheet_list", q=words or None)

"""The audit log for administrators: newest first, of a person, a kind or since a day; and what
pages write into it."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlencode

import flask
from psycopg2.extensions import cursor as Cursor

from app import audit, people
from app.db import Database
from app.words import N_

PAGE = 100  # lines
KINDS = {"sign-ins": N_("sign-ins"), "administration": N_("administration")}


def register(app: flask.Flask, *, database: Database) -> None:
    """Add it to `app`."""

    @app.get("/administration/audit")
    def audit_log() -> str:
        asked = flask.request.args
        wanted = {name: asked.get(name, "").strip() for name in ("kind", "who", "since")}
        before = asked.get("before", 2**62, type=int)
        since = _day(wanted["since"])
        with database.reading() as cursor:
            found = people.find(cursor, wanted["who"])
            account = found[0].id if found else ""
            if people.is_id(wanted["who"]):
                account = wanted["who"]  # of somebody who may be deleted
            entries = []
            if account or not wanted["who"]:
                entries = audit.entries(
                    cursor,
                    account=account,
                    kind=wanted["kind"] if wanted["kind"] in audit.KINDS else "",
                    since=since,
                    before=before,
                    limit=PAGE + 1,
                )
        shown = entries[:PAGE]
        more = urlencode(wanted | {"before": shown[-1].id}) if len(entries) > PAGE else ""
        return flask.render_template(
            "audit_log.html",
            entries=shown,
            wanted=wanted,
            kinds=KINDS,
            others=found[1:],
            nobody=bool(wanted["who"] and not account),
            bad_day=bool(wanted["since"] and since is None),
            older=f"/administration/audit?{more}" if more else "",
        )


def note(
    cursor: Cursor, action: str, *, actor: str | None = None, subject: str = "", detail: str = ""
) -> None:
    """Who asks (or `actor`) has done this, from where the request comes; as `audit.note`."""
    audit.note(
        cursor,
        actor=flask.g.account if actor is None else actor,
        action=action,
        subject=subject,
        detail=detail,
        address=flask.request.remote_addr or "",
    )


def _day(text: str) -> datetime | None:
    """The beginning of a day as browsers send it, 2026-01-31, in UTC; None if it is none."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None

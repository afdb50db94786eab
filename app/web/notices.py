"""What administrators do to open pages, through the site's own tools.

`POST /notices`: they have something to say, on every open page. `python salvus.py notify` asks
here. The form field `text` is shown; the answer is {"browsers": how many}.

`POST /sessions/ID/end`: end a session, by its own id or its worksheet's; its pages show the form
field `reason`. `python salvus.py end-session` asks here. The answer is {"ended": 0 or 1}.
"""

from __future__ import annotations

import time
import uuid

import flask
import flask.typing

from app import audit, live_sessions
from app.db import Database
from app.delivery import Delivery, ToEveryone
from app.sessions import Sessions
from app.wire.messages_pb2 import Message, Notice

LONGEST = 2000  # characters


def register(
    app: flask.Flask, *, database: Database, delivery: Delivery, sessions: Sessions
) -> None:
    """Add it to `app`."""

    @app.post("/notices")
    def notices() -> flask.typing.ResponseReturnValue:
        notice = Notice(text=_text("text"), time=time.time())
        return {"browsers": delivery.deliver(ToEveryone(), Message(notice=notice))}

    @app.post("/sessions/<uuid:id>/end")
    def end_session(id: uuid.UUID) -> flask.typing.ResponseReturnValue:
        reason = _text("reason")
        with database.transaction() as cursor:
            found = live_sessions.listed(cursor, id=str(id))
            if not found:
                return {"ended": 0}
            audit.note(cursor, actor=audit.OPERATOR, action="ended a session of",
                       subject=found[0].account, detail=reason)  # fmt: skip
        sessions.end_session(found[0], f"an administrator ended it: {reason}")
        return {"ended": 1}


def _text(name: str) -> str:
    """A field of the form."""
    text = flask.request.form.get(name, "").strip()
    if not 0 < len(text) <= LONGEST:
        flask.abort(400, f"{name}: expected 1 to {LONGEST} characters")
    return text

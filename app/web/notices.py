"""What administrators do to open pages, through the site's own tools.

`POST /notices`: they have something to say, on every open page. `python salvus.py notify` asks
here. The form field `text` is shown; the answer is {"browsers": how many}.

`POST /sessions/WORKSHEET/end`: end the session of a worksheet; its pages show the form field
`reason`. `python salvus.py end-session` asks here. The answer is {"ended": 0 or 1}.
"""

from __future__ import annotations

import time
import uuid

import flask
import flask.typing

from app.delivery import Delivery, ToEveryone
from app.nodes import NodeDown
from app.sessions import Sessions
from app.wire.messages_pb2 import Message, Notice

LONGEST = 2000  # characters


def register(app: flask.Flask, *, delivery: Delivery, sessions: Sessions) -> None:
    """Add it to `app`."""

    @app.post("/notices")
    def notices() -> flask.typing.ResponseReturnValue:
        notice = Notice(text=_text("text"), time=time.time())
        return {"browsers": delivery.deliver(ToEveryone(), Message(notice=notice))}

    @app.post("/sessions/<uuid:worksheet>/end")
    def end_session(worksheet: uuid.UUID) -> flask.typing.ResponseReturnValue:
        reason = f"an administrator ended it: {_text('reason')}"
        try:
            return {"ended": int(sessions.end(str(worksheet), reason))}
        except NodeDown as error:
            flask.abort(503, str(error))


def _text(name: str) -> str:
    """A field of the form."""
    text = flask.request.form.get(name, "").strip()
    if not 0 < len(text) <= LONGEST:
        flask.abort(400, f"{name}: expected 1 to {LONGEST} characters")
    return text

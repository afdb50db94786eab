"""`POST /notices`: the site's administrators have something to say, on every open page.

For the site's own tools: `python salvus.py notify` asks here. The form field `text` is shown;
the answer is {"browsers": how many}.
"""

from __future__ import annotations

import time

import flask
import flask.typing

from app.delivery import Delivery, ToEveryone
from app.wire.messages_pb2 import Message, Notice

LONGEST = 2000  # characters


def register(app: flask.Flask, *, delivery: Delivery) -> None:
    """Add it to `app`."""

    @app.post("/notices")
    def notices() -> flask.typing.ResponseReturnValue:
        text = flask.request.form.get("text", "").strip()
        if not 0 < len(text) <= LONGEST:
            flask.abort(400, f"text: expected 1 to {LONGEST} characters")
        notice = Notice(text=text, time=time.time())
        return {"browsers": delivery.deliver(ToEveryone(), Message(notice=notice))}

"""`POST /service`: code in, what came of it out, as JSON; nothing is kept.

The form field or JSON key `code` is evaluated in a fresh session that ends with it. The
answer is {"success", "stdout", "stderr", "execute_reply"}; the value of a last expression
is at the end of "stdout", and in its forms in "execute_reply". Signed-in people and the
site's own tools may ask; others if [service] anonymous says so, so many times a minute.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Any

import flask
import flask.typing

from app import attempts
from app.evaluations import Busy, Evaluations, TooOften
from app.settings import Service
from app.web.origins import is_same_origin
from app.wire.messages_pb2 import Evaluated

REMEMBERED = 10_000  # addresses whose rate is known
TEXT_TYPES = ("text/plain", "text/latex", "text/html", "image/svg+xml")


class Rate:
    """So many a minute for each address; what is not used is saved up for a minute."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # when, how many

    def wait_seconds(self, address: str, now: float) -> float:
        """0 if `address` may ask now, which then counts; else the seconds until it may."""
        per_second = self._per_minute / 60
        since, left = self._left.pop(address, (now, float(self._per_minute)))
        left = min(self._per_minute, left + (now - since) * per_second)
        allowed = left >= 1
        self._left[address] = now, left - 1 if allowed else left
        while len(self._left) > REMEMBERED:
            self._left.popitem(last=False)
        return 0.0 if allowed else (1 - left) / per_second


def register(app: flask.Flask, *, evaluations: Evaluations, settings: Service) -> None:
    """Add the service to `app`. `flask.g.kind` is set before it is asked."""
    rate = Rate(settings.runs_per_minute)

    @app.route("/service", methods=["POST", "OPTIONS"])
    def service() -> flask.typing.ResponseReturnValue:
        if flask.request.method == "OPTIONS":
            return _shared(flask.Response(status=204), settings)
        return _shared(_answer(evaluations, settings, rate), settings)


def _answer(evaluations: Evaluations, settings: Service, rate: Rate) -> flask.Response:
    request, kind = flask.request, flask.g.kind
    anonymous = kind == "anonymous"
    if anonymous and not settings.anonymous:
        return _refusal(
            403, "sign in first; the operator may allow others, too ([service] anonymous)"
        )
    if "Cookie" in request.headers and not anonymous and not is_same_origin(request):
        return _refusal(403, "a page of another site asked with your cookie")
    given: Any = request.get_json(silent=True) if request.is_json else request.form
    code = given.get("code") if hasattr(given, "get") else None
    if not isinstance(code, str) or not code.strip():
        return _refusal(400, "no code: send it as the form field or JSON key `code`")
    if len(code) > settings.max_code:
        return _refusal(413, f"{len(code)} characters of code; at most {settings.max_code}")
    network = attempts.network(request.remote_addr or "")
    wait = rate.wait_seconds(network, time.monotonic())
    if wait:
        words = f"more than {settings.runs_per_minute} requests a minute; wait {wait:.0f} s"
        return _refusal(429, words, retry=wait)
    try:
        found = evaluations.evaluate(
            code,
            kind,
            remember=anonymous,
            account=flask.g.account,
            address=network,
        )
    except TooOften as error:
        return _refusal(429, str(error), retry=error.seconds)
    except Busy as error:
        return _refusal(503, str(error), retry=5)
    return flask.jsonify(_as_json(found))


def _as_json(found: Evaluated) -> dict[str, Any]:
    reply: dict[str, Any] = {"status": "ok" if found.success else "error"}
    if found.HasField("result"):
        reply["result"] = {
            part.type: part.data.decode("utf-8", "replace")
            for part in found.result.parts
            if part.type in TEXT_TYPES
        }
    if found.HasField("traceback"):
        error = found.traceback
        reply |= {
            "ename": error.name, "evalue": error.value, "traceback": error.text.splitlines(),
        }  # fmt: skip
    if found.failure:
        reply["reason"] = found.failure
    if found.truncated:
        reply["truncated"] = True
    return {
        "success": found.success,
        "stdout": found.stdout,
        "stderr": found.stderr,
        "execute_reply": reply,
        "language": found.language,
    }


def _refusal(status: int, reason: str, retry: float = 0.0) -> flask.Response:
    response = flask.jsonify({"success": False, "error": reason})
    response.status_code = status
    if retry:
        response.headers["Retry-After"] = str(max(1, round(retry)))
    return response


def _shared(response: flask.Response, settings: Service) -> flask.Response:
    """Let the pages of those sites read it that the operator names."""
    origin = flask.request.headers.get("Origin", "")
    response.headers["Cache-Control"] = "no-store"
    response.vary.add("Origin")
    if origin in settings.origins:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Headers"] = "Content-Type"
    return response

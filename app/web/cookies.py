"""The cookie that stands for a sign-in: for our pages alone, and over TLS where that is."""

from __future__ import annotations

import flask
from flask.typing import ResponseReturnValue

from app.accounts import Origin
from app.settings import Settings


class Cookies:
    def __init__(self, settings: Settings) -> None:
        self.days = settings.app.sign_in_days
        self._name = f"salvus-{settings.site.name}"

    def secret(self, request: flask.Request) -> str:
        """What the browser has; empty without."""
        return request.cookies.get(self._name, "")

    def give(self, response: flask.Response, secret: str) -> flask.Response:
        """Sign the browser in that gets `response`."""
        response.set_cookie(
            self._name,
            secret,
            max_age=self.days * 86400,
            httponly=True,
            samesite="Lax",
            secure=flask.request.is_secure,
        )
        return response

    def take(self, response: flask.Response) -> flask.Response:
        """Have the browser forget it."""
        response.delete_cookie(
            self._name, httponly=True, samesite="Lax", secure=flask.request.is_secure
        )
        return response


def origin(how: str) -> Origin:
    """Where the request comes from, for the list of sign-ins and the audit log."""
    request = flask.request
    return Origin(how, request.remote_addr or "", request.user_agent.string)


def redirect(address: str) -> flask.Response:
    """To a page of ours, with GET."""
    response: ResponseReturnValue = flask.redirect(address, 303)
    assert isinstance(response, flask.Response)
    return response

"""Requests without NUL characters, which PostgreSQL's text can't hold.

What forms and addresses say is taken without them, once, here; a path that has one leads nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import flask
from werkzeug.datastructures import ImmutableMultiDict, MultiDict


class Parameters(ImmutableMultiDict[str, Any]):
    def __init__(self, given: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None) -> None:
        pairs = MultiDict(given).items(multi=True)
        super().__init__([(_plain(name), _plain(value)) for name, value in pairs])


class Request(flask.Request):
    parameter_storage_class = Parameters


def leads_nowhere(request: flask.Request) -> bool:
    """Whether there is nothing at its path, whatever the routes say."""
    return "\0" in request.path


def _plain(value: Any) -> Any:
    return value.replace("\0", "") if isinstance(value, str) else value

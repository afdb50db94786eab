"""Words that are stored or sent as they are, and translated where they are shown: kinds of people,
ways to sign in, states, units."""

from __future__ import annotations

import flask
from babel import numbers

from app import quantities
from app.web.languages import _, current
from app.words import N_

TERMS = frozenset((
    N_("owner"), N_("administrator"), N_("teacher"), N_("member"), N_("guest"), N_("anonymous"),
    N_("address"), N_("password"), N_("invitation"), N_("password link"), N_("embedded cell"),
    N_("stopped"), N_("starting"), N_("up"), N_("hung"), N_("draining"), N_("stopping"),
    N_("backing off"), N_("gave up"), N_("unknown"), N_("idle"), N_("busy"), N_("dead"),
    N_("queued"), N_("waiting"), N_("byte"), N_("bytes"), N_("d"), N_("h"), N_("min"), N_("s"),
    N_("on"),
))  # fmt: skip


def register(app: flask.Flask) -> None:
    """Give the templates of `app` the filters term, size and duration."""
    app.jinja_env.filters.update(term=term, size=size, duration=duration)


def term(word: str) -> str:
    """It in the site's language, as far as it is one of ours."""
    return _(word) if word in TERMS else word


def size(count: float | None) -> str:
    """Bytes, as "1.2 MB"."""
    return _quantity(quantities.size(count))


def duration(seconds: float | None) -> str:
    """As "1 d 2 h"."""
    return _quantity(quantities.duration(seconds))


def _quantity(text: str) -> str:
    point = numbers.get_decimal_symbol(current().locale)
    return " ".join(word.replace(".", point) if word[0].isdigit() else term(word)
                    for word in text.split())  # fmt: skip

"""The language of pages: what templates and the servers' own texts are translated by.

In templates `{{ _("Hello %(name)s", name=name) }}` is plain text, which is escaped like any
other, and `{{ _html("Press <kbd>Tab</kbd>") }}` has elements of its own. A sign % of the text's
own is %% in all of them. `{{ ngettext("%(num)d cell", "%(num)d cells", count) }}` counts.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import flask
from babel import dates, numbers
from markupsafe import Markup

from app.words import Words

FOR_EVER = "public, max-age=31536000, immutable"
ENGLISH = Words()


def register(app: flask.Flask, *, words: Words) -> None:
    """Let `app` speak the language of `words`."""
    app.extensions["words"] = words
    address = f"/words/{words.script_name}.js" if words.script else ""
    app.jinja_env.globals.update(
        _=_, _html=_html, ngettext=ngettext, said=said, language=words.tag,
        direction=words.direction, words_script=address,
    )  # fmt: skip
    app.jinja_env.filters.update(day=day, moment=moment, number=number)

    @app.get("/words/<name>.js", endpoint="words")
    def script(name: str) -> flask.Response:
        """What the page's scripts say, under an address that changes with it."""
        if not words.script:
            flask.abort(404)
        response = flask.Response(words.script, mimetype="text/javascript")
        ours = name == words.script_name
        response.headers["Cache-Control"] = FOR_EVER if ours else "no-cache"
        response.headers["Content-Security-Policy"] = "default-src 'none'"
        return response


def current() -> Words:
    """Those of the site; English where no page is being made."""
    if not flask.has_app_context():
        return ENGLISH
    found: Words = flask.current_app.extensions["words"]
    return found


def _(text: str, **values: Any) -> str:
    """`text` in the site's language, with `values` at its places %(name)s."""
    return current().gettext(text) % values


def ngettext(one: str, many: str, num: float, **values: Any) -> str:
    """The same for a number of things, which the texts have as %(num)d."""
    return current().ngettext(one, many, num) % {"num": num, **values}


def said(text: object) -> str:
    """What an exception or another server says, in the site's language."""
    return current().said(str(text))


def _html(text: str, **values: Any) -> Markup:
    """The same for a text with elements; `values` are escaped."""
    return Markup(current().gettext(text)) % values


def day(value: date | datetime, length: str = "long") -> str:
    """A date, "medium" or "long"."""
    return dates.format_date(value, _length(length), current().locale)


def moment(value: datetime, length: str = "long", seconds: bool = False) -> str:
    """A date and its time, UTC."""
    value = value.astimezone(UTC)
    time = dates.format_time(
        value, "medium" if seconds else "short", tzinfo=UTC, locale=current().locale
    )
    return _("%(date)s, %(time)s UTC", date=day(value, length), time=time)


def number(value: float, digits: int = 0) -> str:
    """With so many digits behind the point, and thousands set off."""
    form = "#,##0." + "0" * digits if digits else "#,##0"
    return numbers.format_decimal(value, form, current().locale)


def _length(length: str) -> Any:
    if length not in ("short", "medium", "long"):
        raise ValueError(f"{length!r}: expected short, medium or long")
    return length

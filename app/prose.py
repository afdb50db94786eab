"""Markdown with formulas as HTML that is harmless, for pages without a program.

What remains of HTML in it is what remains on the page (static/js/prose.js): no scripts, styles,
forms or frames, and no pictures but those within the text.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping, Sequence

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin

from app.formulas import Formulas, typeset, typeset_delimited, typeset_in

Keep = Callable[[str], str]  # what stands for a formula as HTML until all else is cleaned
SCHEMES = {"http", "https", "mailto", "data"}  # data of pictures alone, see `_Typeset.harmless`
PICTURE = re.compile(r"data:image/", re.I)
DATA = re.compile(r"[\x00-\x20]*d\s*a\s*t\s*a\s*:", re.I)  # browsers take white space out
ATTRIBUTES = {
    **nh3.ALLOWED_ATTRIBUTES,
    "*": {"align", "dir", "lang", "title"},
    "details": {"open"},
    # The Markdown library aligns columns of a table by a style
    **{cell: nh3.ALLOWED_ATTRIBUTES[cell] | {"style"} for cell in ("td", "th")},
}


def rendered(markdown: str) -> str:
    """HTML of `markdown`."""
    formulas = _Typeset()
    harmless = nh3.clean(
        _MARKDOWN.render(markdown, {"typeset": formulas}),
        attributes=ATTRIBUTES,
        attribute_filter=formulas.harmless,
        filter_style_properties={"text-align"},
        url_schemes=SCHEMES,
    )
    return formulas.put_in(harmless)


class _Typeset:
    """The formulas of one text, which are not cleaned: a mark that nobody can have written is in
    the place of each meanwhile."""

    def __init__(self) -> None:
        self._mark = secrets.token_hex(8)
        self._shown: list[str] = []

    def keep(self, shown: str) -> str:
        """The mark for a formula as HTML."""
        self._shown.append(shown)
        return f"{self._mark}{len(self._shown) - 1};"

    def harmless(self, tag: str, attribute: str, value: str) -> str | None:
        """What is left of the value of an attribute."""
        if self._mark in value:
            return None
        if attribute == "src":
            return value if PICTURE.match(value) else None
        return None if attribute in ("href", "cite") and DATA.match(value) else value

    def put_in(self, cleaned: str) -> str:
        return re.sub(rf"{self._mark}(\d+);", lambda mark: self._shown[int(mark[1])], cleaned)


def _find_formula(state: StateInline, silent: bool) -> bool:
    """A rule of Markdown: formulas are none, their underscores and backslashes stay."""
    formulas = state.env.get("formulas")
    if formulas is None or formulas.text is not state.src:
        formulas = state.env["formulas"] = Formulas(state.src)
    found = formulas.at(state.pos)
    if not found:
        return False
    if not silent:
        state.push("formula", "", 0).content = found
    state.pos += len(found)
    return True


def _rule(show: Callable[[str, Keep], str]) -> Callable[..., str]:
    """Of rendering: `show` makes HTML of a token's content, without the formulas in it."""

    def render(
        renderer: object, tokens: Sequence[Token], at: int, options: object,
        env: Mapping[str, _Typeset],
    ) -> str:  # fmt: skip
        return show(tokens[at].content, env["typeset"].keep)

    return render


_MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
_MARKDOWN.use(dollarmath_plugin, allow_labels=False).disable("math_inline")
_MARKDOWN.inline.ruler.before("escape", "formula", _find_formula)
_MARKDOWN.add_render_rule("formula", _rule(lambda text, keep: keep(typeset_delimited(text))))
_MARKDOWN.add_render_rule("math_block", _rule(lambda text, keep: keep(typeset(text, block=True))))
_MARKDOWN.add_render_rule("html_block", _rule(typeset_in))

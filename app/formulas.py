"""LaTeX as MathML, which browsers show without a program of ours."""

from __future__ import annotations

import html
import re

from latex2mathml.converter import convert

LONGEST = 20_000  # characters of a formula; of a longer one the source is shown
MACROS = {r"\Bold": r"\mathbf"}  # of Sage
IN_HTML = re.compile(r"\\\((?P<inline>.+?)\\\)|\\\[(?P<block>.+?)\\\]", re.S)
DOLLARS = re.compile(r"^(\${1,2})(?P<formula>.*?)\1$", re.S)


def typeset(latex: str, *, block: bool) -> str:
    """HTML. What can't be read as a formula is shown as it was typed."""
    for macro, meaning in MACROS.items():
        latex = re.sub(re.escape(macro) + r"(?![A-Za-z])", re.escape(meaning), latex)
    if len(latex) <= LONGEST:
        try:
            found = str(convert(latex, display="block" if block else "inline"))
            # One that is wider than the page is scrolled, by keyboard, too
            return found.replace('display="block"', 'display="block" tabindex="0"', 1)
        except Exception:  # each mistake has its own, and some are the library's
            pass
    return f"<code>{html.escape(latex)}</code>"


def typeset_dollars(text: str) -> str:
    """HTML of a formula between dollars, $ or $$."""
    found = DOLLARS.match(text.strip())
    if found is None:
        return typeset(text, block=True)
    return typeset(found["formula"].removeprefix(r"\displaystyle "), block=True)


def typeset_in(markup: str) -> str:
    r"""HTML with what is between \( \) or \[ \] in it typeset."""

    def formula(found: re.Match[str]) -> str:
        block = found["block"] is not None
        return typeset(html.unescape(found["block"] or found["inline"]), block=block)

    return IN_HTML.sub(formula, markup)

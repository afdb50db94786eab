"""LaTeX as MathML, which browsers show without a program of ours."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

from latex2mathml.converter import convert

LONGEST = 20_000  # characters of a formula; of a longer one the source is shown
# Sage's, also with what it defines in front of formulas that use \Bold. As in static/js/latex.js
DEFINED = r"\newcommand{\Bold}[1]{\mathbf{#1}}"
MACROS = {
    r"\Bold": r"\mathbf",
    r"\ZZ": r"\mathbf{Z}",
    r"\NN": r"\mathbf{N}",
    r"\RR": r"\mathbf{R}",
    r"\CC": r"\mathbf{C}",
    r"\QQ": r"\mathbf{Q}",
    r"\QQbar": r"\overline{\mathbf{Q}}",
    r"\GF": r"\mathbf{F}_",
    r"\Zp": r"\mathbf{Z}_",
    r"\Qp": r"\mathbf{Q}_",
    r"\CIF": r"\mathbf{C}",
    r"\CLF": r"\mathbf{C}",
    r"\RDF": r"\mathbf{R}",
    r"\RIF": r"\mathbf{I} \mathbf{R}",
    r"\RLF": r"\mathbf{R}",
}
MACRO = re.compile(rf"(?:{'|'.join(map(re.escape, MACROS))})(?![A-Za-z])")
PLAIN = re.compile(r"^\\begin\{(math|displaymath|equation\*?)\}(.*)\\end\{\1\}$", re.S)
ALIGNED = re.compile(r"\\(begin|end)\{(?:aligned|split)\}")  # align* to the library
OPENING = re.compile(r"\\\(|\\\[|\\begin\{[a-z]+\*?\}")
CLOSING = {r"\(": r"\)", r"\[": r"\]"}
BETWEEN_DOLLARS = re.compile(r"\$\$[^$]+\$\$|\$(?!\s)[^$\n]*[^$\s]\$(?!\d)")
VERBATIM = r"<(?P<verbatim>script|style|pre|code|textarea|noscript|title)\b"
IN_HTML = re.compile(rf"\\[(\[]|\$\$|\\begin\{{|{VERBATIM}", re.I)
DOLLARS = re.compile(r"^(\${1,2})(?P<formula>.*?)\1$", re.S)


def typeset(latex: str, *, block: bool) -> str:
    """HTML. What can't be read as a formula is shown as it was typed."""
    if len(latex) <= LONGEST:
        known = MACRO.sub(lambda found: MACROS[found[0]], latex.replace(DEFINED, ""))
        known = ALIGNED.sub(r"\\\1{align*}", PLAIN.sub(r"\2", known.strip()))
        try:
            found = str(convert(known, display="block" if block else "inline"))
            # One that is wider than the page is scrolled, by keyboard, too
            return found.replace('display="block"', 'display="block" tabindex="0"', 1)
        except Exception:  # each mistake has its own, and some are the library's
            pass
    return f"<code>{html.escape(latex)}</code>"


class Formulas:
    """Where they are in a text, as the page finds them (static/js/markdown.js).

    In time proportional to the text, but for as many names of environments as it has that are
    never closed.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._unclosed: set[str] = set()  # what is opened without an end from there on

    def at(self, start: int) -> str:
        """The formula that begins there, with its delimiters; "" if none does."""
        if dollars := BETWEEN_DOLLARS.match(self.text, start):
            return dollars[0]
        opening = OPENING.match(self.text, start)
        if opening is None or opening[0] in self._unclosed:
            return ""
        closing = CLOSING.get(opening[0]) or opening[0].replace("begin", "end")
        end = self.text.find(closing, opening.end())
        if end < 0:
            self._unclosed.add(opening[0])
            return ""
        return self.text[start : end + len(closing)]


def typeset_delimited(formula: str) -> str:
    """HTML of a formula with its delimiters, as `Formulas` gives them."""
    if formula.startswith("$") and not formula.startswith("$$"):
        return typeset(formula[1:-1], block=False)
    inner = formula if formula.startswith("\\begin") else formula[2:-2]
    return typeset(inner, block=not formula.startswith("\\("))


def typeset_dollars(text: str) -> str:
    """HTML of a formula between dollars, $ or $$."""
    found = DOLLARS.match(text.strip())
    if found is None:
        return typeset(text, block=True)
    return typeset(found["formula"].removeprefix(r"\displaystyle "), block=True)


def typeset_in(markup: str, keep: Callable[[str], str] = str) -> str:
    """HTML with the formulas in it typeset, but for `$…$`, which is often money, and what is shown
    as it was typed. `keep` may put something else in a typeset formula's place."""
    formulas, shown, done, passed = Formulas(markup), list[str](), 0, 0
    for opening in IN_HTML.finditer(markup):
        start, tag = opening.start(), opening["verbatim"]
        if start < passed:
            continue
        if tag:
            end = re.compile(f"</{tag}", re.I).search(markup, start)
            passed = end.start() if end else len(markup)
        elif found := formulas.at(start):
            shown += [markup[done:start], keep(typeset_delimited(html.unescape(found)))]
            done = passed = start + len(found)
    return "".join([*shown, markup[done:]])

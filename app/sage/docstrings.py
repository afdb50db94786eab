"""Docstrings as HTML: reStructuredText with the roles and boxes of Sage's manual, by docutils.

Formulas are left as LaTeX in \\(…\\) and \\[…\\], for the page to typeset. Nothing is read from
files, and no HTML is taken over; still the page cleans what comes of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from typing import Any

from docutils import core, nodes, utils
from docutils.parsers.rst import Directive, directives, roles
from docutils.writers import html5_polyglot

WARNING = 2  # docutils' levels of what is wrong
SILENT = 5
SETTINGS = {
    "_disable_config": True,
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "halt_level": SILENT,
    "report_level": WARNING,
    "warning_stream": False,
    "doctitle_xform": False,
    "initial_header_level": 4,
    "syntax_highlight": "none",
}
NAMES = ("func", "meth", "class", "mod", "attr", "data", "exc", "obj", "const", "ref", "doc",
         "term", "file", "option", "keyword", "any", "envvar", "program", "command", "samp",
         "kbd", "mathtt")  # fmt: skip
LINKS = {
    "wikipedia": "https://en.wikipedia.org/wiki/{}",
    "arxiv": "https://arxiv.org/abs/{}",
    "doi": "https://doi.org/{}",
    "oeis": "https://oeis.org/{}",
    "issue": "https://github.com/sagemath/sage/issues/{}",
    "trac": "https://github.com/sagemath/sage/issues/{}",
    "mathscinet": "https://mathscinet.ams.org/mathscinet-getitem?mr={}",
}
BOXES = {"seealso": "See also", "todo": "To do", "algorithm": "Algorithm"}
VERSIONS = {
    "versionadded": "Since", "versionchanged": "Changed in", "deprecated": "Deprecated since",
}  # fmt: skip
LEFT_OUT = ("plot", "index", "link", "linkall", "toctree", "only", "automethod", "autofunction",
            "autoclass", "automodule", "currentmodule")  # fmt: skip

DISPLAYED = r"\[{}\]"
Made = tuple[list[nodes.Node], list[nodes.system_message]]


def as_html(text: str, *, formulas: bool) -> str:
    """`formulas`: what is in single backquotes is one, as in Sage, and mistakes are passed
    over; else it is a name, and a text with mistakes is shown as it was written."""
    with _registered(roles.math_role if formulas else _name):
        tree = core.publish_doctree(text, settings_overrides=SETTINGS)
    wrong = [each for each in tree.findall(nodes.system_message) if each["level"] >= WARNING]
    if wrong and not formulas:
        return f"<pre>{escape(text)}</pre>"
    for message in [*tree.findall(nodes.system_message)]:
        message.parent.remove(message)
    for problem in [*tree.findall(nodes.problematic)]:
        problem.parent.replace(problem, nodes.Text(problem.astext()))
    writer = html5_polyglot.Writer()
    writer.translator_class = Translator
    core.publish_from_doctree(
        tree, writer=writer, settings_overrides=SETTINGS | {"report_level": SILENT}
    )
    return str(writer.parts["body"])


class Translator(html5_polyglot.HTMLTranslator):  # type: ignore[misc]
    """Plain elements, without what only docutils' own style sheet would show."""

    def visit_literal(self, node: nodes.literal) -> None:
        self.body.append(f"<code>{escape(node.astext())}</code>")
        raise nodes.SkipNode

    def visit_math(self, node: nodes.math, math_env: str = "") -> None:
        self.body.append(escape(rf"\({node.astext()}\)"))
        raise nodes.SkipNode

    def visit_math_block(self, node: nodes.math_block, math_env: str = "") -> None:
        text = node.astext()
        aligned = rf"\begin{{aligned}}{text}\end{{aligned}}"
        formula = aligned if "&" in text and r"\begin{" not in text else text
        self.body.append(f"<p>{escape(DISPLAYED.format(formula))}</p>\n")
        raise nodes.SkipNode

    def visit_title(self, node: nodes.title) -> None:
        if not isinstance(node.parent, nodes.Admonition):
            super().visit_title(node)
            return
        self.body.append(f"<p><strong>{escape(node.astext())}</strong></p>\n")
        raise nodes.SkipNode

    def visit_classifier(self, node: nodes.classifier) -> None:
        self.body.append(" : ")

    def depart_classifier(self, node: nodes.classifier) -> None:
        """Nothing was opened."""

    def visit_admonition(self, node: nodes.admonition) -> None:
        self.body.append("<blockquote>")

    def depart_admonition(self, node: nodes.admonition | None = None) -> None:
        self.body.append("</blockquote>\n")


def _name(
    role: str, rawtext: str, text: str, lineno: int, inliner: Any,
    options: Mapping[str, Any] | None = None, content: Sequence[str] = (),
) -> Made:  # fmt: skip
    """A name of the manual's: `~sage.rings.Ring` is Ring."""
    title, _ = _split(utils.unescape(text))
    shown = title.rpartition(".")[2] if title.startswith("~") else title.lstrip("!")
    return [nodes.literal(rawtext, shown)], []


def _link(
    role: str, rawtext: str, text: str, lineno: int, inliner: Any,
    options: Mapping[str, Any] | None = None, content: Sequence[str] = (),
) -> Made:  # fmt: skip
    title, target = _split(utils.unescape(text))
    address = LINKS[role].format(target.replace(" ", "_"))
    return [nodes.reference(rawtext, title, refuri=address)], []


def _split(text: str) -> tuple[str, str]:
    """Title and target of `title <target>`, or of what is both."""
    title, bracket, target = text.rpartition("<")
    if bracket and target.endswith(">") and title.strip():
        return title.strip(), target[:-1].strip()
    return text, text


class Box(Directive):  # type: ignore[misc]
    """A part with a heading of its own."""

    has_content = True

    @property
    def heading(self) -> str:
        return BOXES[self.name.lower()]

    def run(self) -> list[nodes.Node]:
        box = nodes.admonition()
        box += nodes.paragraph("", "", nodes.strong(text=self.heading))
        self.state.nested_parse(self.content, self.content_offset, box)
        return [box]


class Version(Box):
    """What has changed with a version."""

    required_arguments = 1

    @property
    def heading(self) -> str:
        return f"{VERSIONS[self.name.lower()]} {self.arguments[0]}"


class LeftOut(Directive):  # type: ignore[misc]
    """What only the manual itself has a use for."""

    optional_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self) -> list[nodes.Node]:
        return []


DIRECTIVES = (
    dict.fromkeys(BOXES, Box) | dict.fromkeys(VERSIONS, Version) | dict.fromkeys(LEFT_OUT, LeftOut)
)
ROLES = dict.fromkeys(NAMES, _name) | dict.fromkeys(LINKS, _link)


@contextmanager
def _registered(default_role: Any) -> Iterator[None]:
    """Ours are docutils' directives and roles meanwhile: Sphinx, which Sage imports, would
    register its own, and they work in Sphinx alone."""
    kept = directives._directives, roles._roles
    directives._directives, roles._roles = dict(DIRECTIVES), {**ROLES, "": default_role}
    try:
        yield
    finally:
        directives._directives, roles._roles = kept

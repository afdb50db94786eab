"""Help on an object as the page shows it: what it is, and its docstring as HTML.

Runs in Sage's interpreter. Without docutils there is no HTML, and pages show plain text.
"""

from __future__ import annotations

import inspect
import re
from html import escape
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

try:
    from app.sage import docstrings
except ImportError:
    docstrings = None  # type: ignore[assignment]

LONGEST = 200_000  # characters of a docstring
LONGEST_VALUE = 500
PACKAGES = re.compile(r".*/(?:site|dist)-packages/")
NEEDS = re.compile(r"[ \t]+# (?:needs|long time|abs tol|rel tol|tol|optional)\b.*$", re.MULTILINE)
NOTHING = re.compile(r"^[ \t]*sage:[ \t]*\n", re.MULTILINE)  # where that was all of a line
OWN = re.compile(r"\(self(?:, |(?=\)))")  # the argument that is not given
SAGES = ("sage.", "__main__")  # modules whose docstrings are written as Sage's
WARM_UP = "A :class:`~a.Name` and `x^2`.\n\n.. SEEALSO:: :wikipedia:`Sage`\n\nEXAMPLES::\n\n    1"


def warm_up() -> None:
    """Have done once what is slow the first time."""
    if docstrings is not None:
        docstrings.as_html(WARM_UP, formulas=True)


def explained(shell: InteractiveShell, name: str, *, source: bool = False) -> str:
    """Help on what a name stands for, "" if nothing has been written on it."""
    if docstrings is None:
        return ""
    with shell.builtin_trap:
        found = shell._object_find(name)
        if not found.found:
            return ""
        text = _docstring(found.obj)
        if not text or len(text) > LONGEST:
            return ""
        about = shell.inspector.info(found.obj, name, info=found, detail_level=int(source))
        try:
            body = docstrings.as_html(_readable(text), formulas=_is_sages(found.obj))
        except Exception:  # of docutils, on a text that may be anything: there is plain text, too
            return ""
    return _heading(name, about) + body + _source(about)


def _docstring(obj: Any) -> str:
    """What was written on an object."""
    try:
        from sage.misc.sageinspect import sage_getdoc_original
    except ImportError:
        return inspect.getdoc(obj) or ""
    own = getattr(obj, "_sage_doc_", None)
    return inspect.cleandoc(own() if callable(own) else sage_getdoc_original(obj) or "")


def _readable(text: str) -> str:
    """Without what is for Sage's own tests."""
    try:
        from sage.misc import sagedoc
    except ImportError:
        return text
    shorter = NOTHING.sub("", NEEDS.sub("", sagedoc.skip_TESTS_block(text)))
    return str(sagedoc.process_dollars(shorter))


def _is_sages(obj: Any) -> bool:
    module = getattr(obj, "__module__", None) or type(obj).__module__
    return isinstance(module, str) and module.startswith(SAGES)


def _heading(name: str, about: dict[str, Any]) -> str:
    """Signature, kind and file of an object; its value where that is what it is asked for."""
    signature = about.get("definition") or about.get("init_definition")
    file = PACKAGES.sub("", about.get("file") or "")
    file = "" if "<" in file else file  # a cell
    facts = [escape(str(fact)) for fact in (about.get("type_name"), file) if fact]
    value = about.get("string_form") or ""
    if not signature and 0 < len(value) <= LONGEST_VALUE:
        facts.append(f"<code>{escape(value)}</code>")
    title = escape(OWN.sub("(", " ".join((signature or name).split()), count=1))
    return f"<p><strong><code>{title}</code></strong></p><p>{' · '.join(facts)}</p>"


def _source(about: dict[str, Any]) -> str:
    source = about.get("source")
    return f"<pre>{escape(str(source))}</pre>" if source else ""

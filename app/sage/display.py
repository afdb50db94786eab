"""Results as bundles: one object in every form that the page may choose from.

Sage's own display manager makes the forms. What it would show as plain text is typeset in
addition, where typesetting helps a reader: mathematical objects that are not enormous.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell

from app.wire.messages_pb2 import Bundle, Clear, Frame

PLAIN, LATEX, HTML = "text/plain", "text/latex", "text/html"
MAX_TYPESET = 4000  # characters of plain text; beyond it formulas are neither fast nor readable
CONTAINERS = (list, tuple, set, frozenset)


class ResultHook(DisplayHook):  # type: ignore[misc]
    """Sends the value of a cell's last expression as a bundle."""

    shell: InteractiveShell

    def write_output_prompt(self) -> None:
        """The page shows which cell it is."""

    def compute_format_data(self, result: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super().compute_format_data(result)
        typeset = _typeset(result, data)
        return (data | {LATEX: typeset} if typeset else data), metadata

    def write_format_data(
        self, format_dict: Mapping[str, Any], md_dict: Mapping[str, Any] | None = None
    ) -> None:
        self.shell.worker.send(Frame(bundle=bundle(format_dict, result=True)))

    def finish_displayhook(self) -> None:
        """Nothing was begun."""


class Publisher(DisplayPublisher):  # type: ignore[misc]
    """Sends what `display`, `show` and plots publish."""

    shell: InteractiveShell

    def publish(self, data: Mapping[str, Any], *args: Any, **kwargs: Any) -> None:
        self.shell.worker.send(Frame(bundle=bundle(data, result=False)))

    def clear_output(self, wait: bool = False) -> None:
        self.shell.worker.send(Frame(clear=Clear(wait=wait)))


def bundle(data: Mapping[str, Any], *, result: bool) -> Bundle:
    """A MIME bundle as IPython makes it, as a message."""
    if LATEX in data and HTML in data:  # Sage's HTML is its LaTeX in a wrapper
        data = {kind: value for kind, value in data.items() if kind != HTML}
    parts = [Bundle.Part(type=kind, data=_encoded(kind, value)) for kind, value in data.items()]
    return Bundle(parts=parts, result=result)


def _encoded(kind: str, value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        return json.dumps(value).encode()
    if kind.startswith("image/") and kind != "image/svg+xml":
        return base64.b64decode(value)
    return value.encode("utf-8", "backslashreplace")


def _typeset(result: Any, data: Mapping[str, Any]) -> str | None:
    """LaTeX in dollars for a result that has only plain text, or None."""
    if set(data) != {PLAIN} or len(data[PLAIN]) > MAX_TYPESET or not _is_mathematical(result):
        return None
    from sage.misc.latex import latex

    return rf"$\displaystyle {latex(result)}$"


def _is_mathematical(value: Any, depth: int = 0) -> bool:
    """Whether LaTeX says more than the text: Sage's elements, and lists of them."""
    if isinstance(value, CONTAINERS) and type(value) in CONTAINERS:
        return depth < 3 and len(value) > 0 and all(_is_mathematical(v, depth + 1) for v in value)
    kind = type(value)
    return hasattr(kind, "_latex_") and kind.__module__.startswith("sage.")

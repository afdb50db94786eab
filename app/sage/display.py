"""Results as bundles: one object in every form that the page may choose from.

Sage's own display manager makes the forms. What it would show as plain text is typeset in
addition, where typesetting helps a reader: mathematical objects that are not enormous.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell

from app.sage import figures
from app.wire.messages_pb2 import Bundle, Clear, Frame

PLAIN, LATEX, HTML = "text/plain", "text/latex", "text/html"
MAX_TYPESET = 4000  # characters of plain text; beyond it formulas are neither fast nor readable
CONTAINERS = (list, tuple, set, frozenset)
PNG, CHUNK = b"\x89PNG\r\n\x1a\n", struct.Struct(">I4s")
SHARP = 144  # dots per inch; pictures of fewer are shown pixel by pixel


class ResultHook(DisplayHook):  # type: ignore[misc]
    """Sends the value of a cell's last expression as a bundle."""

    shell: InteractiveShell

    def write_output_prompt(self) -> None:
        """The page shows which cell it is."""

    def compute_format_data(self, result: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        if figures.is_part(result):
            return {}, {}  # the figure is what is wanted
        data, metadata = super().compute_format_data(result)
        figures.close(result)
        typeset = _typeset(result, data)
        return (data | {LATEX: typeset} if typeset else data), metadata

    def write_format_data(
        self, format_dict: Mapping[str, Any], md_dict: Mapping[str, Any] | None = None
    ) -> None:
        self.shell.worker.send(Frame(bundle=bundle(format_dict, md_dict, result=True)))

    def finish_displayhook(self) -> None:
        """Nothing was begun."""


class Publisher(DisplayPublisher):  # type: ignore[misc]
    """Sends what `display`, `show` and plots publish."""

    shell: InteractiveShell

    def publish(
        self,
        data: Mapping[str, Any],
        metadata: Mapping[str, Any] | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        self.shell.worker.send(Frame(bundle=bundle(data, metadata, result=False)))

    def clear_output(self, wait: bool = False) -> None:
        self.shell.worker.send(Frame(clear=Clear(wait=wait)))


def bundle(
    data: Mapping[str, Any], metadata: Mapping[str, Any] | None = None, *, result: bool
) -> Bundle:
    """A MIME bundle as IPython makes it, as a message."""
    if LATEX in data and HTML in data:  # Sage's HTML is its LaTeX in a wrapper
        data = {kind: value for kind, value in data.items() if kind != HTML}
    made = Bundle(result=result)
    for kind, value in data.items():
        encoded = _encoded(kind, value)
        size = (metadata or {}).get(kind)
        made.parts.add(type=kind + _sized(encoded, size), data=encoded)
    return made


def _encoded(kind: str, value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        return json.dumps(value, default=_simple).encode()
    if kind.startswith("image/") and kind != "image/svg+xml":
        return base64.b64decode(value)
    return value.encode("utf-8", "backslashreplace")


def _simple(value: Any) -> Any:
    """What JSON has for a number of Sage's, or its text."""
    if isinstance(value, Integral):
        return int(value)
    return float(value) if isinstance(value, Real) else str(value)


def _sized(data: bytes, size: Any) -> str:
    """The size in CSS pixels that an image asks for, as parameters of its type."""
    if isinstance(size, Mapping) and (size.get("width") or size.get("height")):
        asked = {key: size.get(key) for key in ("width", "height")}
        found = {key: int(v) for key, v in asked.items() if isinstance(v, Integral | float)}
    else:
        found = _width_of_sharp(data)
    return "".join(f";{key}={value}" for key, value in found.items())


def _width_of_sharp(data: bytes) -> dict[str, int]:
    """How wide to show a PNG that has several pixels for each of a page's."""
    if not data.startswith(PNG):
        return {}
    at, width = len(PNG), 0
    while at + 8 <= len(data):
        length, name = CHUNK.unpack_from(data, at)
        body = data[at + 8 : at + 8 + length]
        if name == b"IHDR" and length >= 4:
            width = int.from_bytes(body[:4], "big")
        elif name == b"pHYs" and length == 9 and body[8] == 1:  # pixels per metre
            per_inch = int.from_bytes(body[:4], "big") * 0.0254
            return {"width": round(width * 96 / per_inch)} if per_inch > SHARP else {}
        elif name == b"IDAT":
            break
        at += 12 + length
    return {}


def _typeset(result: Any, data: Mapping[str, Any]) -> str | None:
    """LaTeX in dollars for a result that has only plain text, or None."""
    if set(data) != {PLAIN} or len(data[PLAIN]) > MAX_TYPESET or not _is_mathematical(result):
        return None
    if _wanted_text() is not None:
        return None
    from sage.misc.latex import latex

    return rf"$\displaystyle {latex(result)}$"


def _wanted_text() -> str | None:
    """What `%display` asks for: plain, ascii_art, unicode_art, latex, or nothing."""
    from sage.repl.rich_output import get_display_manager

    wanted: str | None = get_display_manager().preferences.text
    return wanted


def _is_mathematical(value: Any, depth: int = 0) -> bool:
    """Whether LaTeX says more than the text: Sage's elements, and lists of them."""
    if isinstance(value, CONTAINERS) and type(value) in CONTAINERS:
        return depth < 3 and len(value) > 0 and all(_is_mathematical(v, depth + 1) for v in value)
    kind = type(value)
    if issubclass(kind, str):  # LaTeX is asked for to be read or copied
        return False
    return hasattr(kind, "_latex_") and kind.__module__.startswith("sage.")

"""Manuscripts as Markdown: text as it is, code in fences, of output what is text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.manuscript import Manuscript, Part
from app.wire.messages_pb2 import Bundle, Frame

ANSI = re.compile(r"\x1b\[[0-9;]*m")
PREFERRED = ("text/markdown", "text/latex", "text/plain")


def write(manuscript: Manuscript) -> str:
    blocks = [block for part in manuscript.parts for block in _blocks(part)]
    return "\n\n".join([f"# {manuscript.title}", *blocks]) + "\n"


def _blocks(part: Part) -> Iterator[str]:
    if part.kind == "markdown":
        yield part.code
    elif part.code.strip():
        yield _fenced(part.code, "sage" if part.kind == "code" else "")
    written = ""
    for frame in part.frames:
        if frame.area or frame.update:
            continue
        if text := _text(frame):
            written += text
        elif frame.HasField("bundle"):
            if written.strip():
                yield _fenced(written)
            written = ""
            yield from _bundle(frame.bundle)
    if written.strip():
        yield _fenced(written)


def _text(frame: Frame) -> str:
    if frame.HasField("traceback"):
        return ANSI.sub("", frame.traceback.short or frame.traceback.text)
    return ANSI.sub("", frame.stream.text)


def _bundle(bundle: Bundle) -> Iterator[str]:
    """The best form that Markdown has a way for."""
    forms = {part.type: part.data.decode("utf-8", "replace") for part in bundle.parts}
    kind = next((kind for kind in PREFERRED if kind in forms), "")
    if kind == "text/plain":
        yield _fenced(forms[kind])
    elif kind:
        yield forms[kind].strip()


def _fenced(text: str, language: str = "") -> str:
    """In a fence that is longer than any in it."""
    longest = max((len(run) for run in re.findall("`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text.strip(chr(10))}\n{fence}"

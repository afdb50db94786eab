"""Manuscripts as Markdown: text as it is, code in fences, of output what is text.

Read again, fences of Sage or Python are cells of code; what else there is, is text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.manuscript import Manuscript, Part
from app.wire.messages_pb2 import Bundle, Frame

ANSI = re.compile(r"\x1b\[[0-9;]*m")
CODE = ("sage", "sagemath", "python", "python3", "py")  # what fences of code are of
FENCE = re.compile(r"^ {0,3}(?P<fence>`{3,}|~{3,})[ \t]*(?P<language>[^\s`]*)[^`]*$")
TITLE = re.compile(r"^# +(?P<title>.*\S)\s*$")
PREFERRED = ("text/markdown", "text/latex", "text/plain")


def read(text: str, title: str) -> Manuscript:
    """A heading at its beginning is the title."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").strip("\n").split("\n")
    heading = TITLE.match(lines[0])
    if heading:
        title, lines = heading["title"], lines[1:]
    parts = tuple(Part(kind, code) for kind, code in _read_blocks(lines) if code.strip())
    return Manuscript(title, parts)


def _read_blocks(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Kind and text of what will be cells."""
    held: list[str] = []
    fence, is_code = "", False
    for line in lines:
        mark = FENCE.match(line)
        opens = mark is not None and not fence
        closes = bool(fence) and line.strip().startswith(fence) and not line.strip().strip(fence[0])
        if opens and mark is not None:
            fence = mark["fence"]
            is_code = mark["language"].lower().strip("{}") in CODE
        if (opens or closes) and is_code:
            yield "markdown" if opens else "code", "\n".join(held).strip("\n")
            held = []
        else:
            held.append(line)
        if closes:
            fence, is_code = "", False
    yield "code" if is_code else "markdown", "\n".join(held).strip("\n")


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

"""SageMath worksheets (.sagews), as CoCalc and SageMathCloud have them, to manuscripts.

Two characters of Unicode mark what is what: one is on both sides of a cell's id and flags, before
its input; the other on both sides of the id of its output, and before each message of that, which
is JSON. Text cells are code that begins with %md; a chart or a file of theirs is not in the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from app.manuscript import Manuscript, NoManuscript, Part
from app.wire.messages_pb2 import Bundle, Frame, Stream

CELL, OUTPUT = "\ufe20", "\ufe21"
HEAD = re.compile(f"^{CELL}(?P<id>[0-9a-f-]{{36}})(?P<flags>[a-z]*){CELL}[^\n]*\n?", re.M)
AUTO, HIDES_INPUT, HIDES_OUTPUT = "a", "i", "o"  # flags
TEXT_CELL = re.compile(r"^%md\b[^\n]*\n?")


def read(text: str, title: str) -> Manuscript:
    """Raises NoManuscript."""
    text = text.replace("\r\n", "\n")
    heads = list(HEAD.finditer(text))
    if not heads:
        if text.strip():
            raise NoManuscript("It is no SageMath worksheet: there are no cells in it.")
        return Manuscript(title, ())
    ends = [*(head.start() for head in heads[1:]), len(text)]
    parts = (
        _part(text[head.end() : end], head["flags"]) for head, end in zip(heads, ends, strict=True)
    )
    return Manuscript(title, tuple(part for part in parts if part.code or part.frames))


def _part(body: str, flags: str) -> Part:
    code, _, rest = body.partition(OUTPUT)
    code = code.strip("\n")
    if TEXT_CELL.match(code):
        return Part("markdown", TEXT_CELL.sub("", code))
    messages = rest.split(OUTPUT)[1:]  # after the id
    frames = tuple(frame for message in messages for frame in _frames(message.strip()))
    return Part(
        "code", code, frames, folded=HIDES_INPUT in flags, output_folded=HIDES_OUTPUT in flags,
        auto=AUTO in flags,
    )  # fmt: skip


def _frames(message: str) -> Iterator[Frame]:
    """Of one message; what can't be read, or has nothing to show, is nothing."""
    try:
        said = json.loads(message) if message else {}
    except (ValueError, RecursionError):
        return
    if not isinstance(said, dict):
        return
    for name, stream in (("stdout", Stream.STDOUT), ("stderr", Stream.STDERR)):
        if said.get(name):
            yield Frame(stream=Stream(name=stream, text=str(said[name])))
    for kind, value in _shown(said):
        part = Bundle.Part(type=kind, data=value.encode())
        yield Frame(bundle=Bundle(parts=[part]))


def _shown(said: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Types and values of what is more than text."""
    if said.get("html"):
        yield "text/html", str(said["html"])
    if said.get("md"):
        yield "text/markdown", str(said["md"])
    formula = said.get("tex")
    if isinstance(formula, dict):
        dollars = "$$" if formula.get("display") else "$"
        yield "text/latex", f"{dollars}{formula.get('tex', '')}{dollars}"

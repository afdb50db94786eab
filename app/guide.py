"""Examples by subject, and the first worksheet: programs in app/examples.

They are in the percent format (`scripts.py`), so each file runs as it is. A subject begins with
its name as a heading; an example is a text, whose heading is its title, and the code below it.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from app import scripts
from app.manuscript import Manuscript, Part
from app.settings import ROOT

FOLDER = ROOT / "app" / "examples"
FIRST = "First steps"


@dataclass(frozen=True)
class Example:
    title: str
    text: str  # Markdown; may be empty
    code: str


@dataclass(frozen=True)
class Subject:
    title: str
    examples: tuple[Example, ...]


def first() -> Manuscript:
    """The worksheet that teaches by doing."""
    return scripts.read((FOLDER / "first.sage").read_text("utf-8"), FIRST)


@functools.cache
def subjects() -> tuple[Subject, ...]:
    """All examples, in the order of their files' numbers."""
    files = sorted(FOLDER.glob("[0-9]*.sage"))
    return tuple(read(file.read_text("utf-8")) for file in files)


def read(program: str) -> Subject:
    """The examples of a file."""
    title, *parts = scripts.read(program, "").parts
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return Subject(_heading(title)[0], tuple(_example(text, code) for text, code in pairs))


def _example(text: Part, code: Part) -> Example:
    title, rest = _heading(text)
    return Example(title, rest, code.code)


def _heading(part: Part) -> tuple[str, str]:
    """A text's heading, and what follows it."""
    heading, _, rest = part.code.partition("\n")
    return heading.lstrip("# "), rest.strip()

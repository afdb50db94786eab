"""An error as its user reads it: the lines they wrote, and what went wrong.

IPython's traceback has every frame, through Sage down to its compiled code. Most people
look for two things in it: which of their own lines it was, and the message. `tell` gives
these alone, with the lines as they were typed, not as Sage's preparser has rewritten them.
The user's own are cells, and files at home outside of hidden folders.
"""

from __future__ import annotations

import linecache
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from IPython.core.compilerop import CachingCompiler

MAX_MESSAGE = 4000  # characters of an error's message
MAX_LINE = 500  # characters of a source line
MAX_PLACES = 12  # of one error: a recursion has thousands
DEEP = 100  # frames; IPython's traceback of more takes seconds
MACHINERY = ("IPython", "asyncio")  # what runs a cell: its frames say nothing to anybody
TIMED = ("<timed exec>", "<timed eval>")  # what %time calls the code it times
PLACE, ERROR, CARET, PLAIN = "\x1b[36m", "\x1b[1;31m", "\x1b[31m", "\x1b[0m"


@dataclass(frozen=True)
class Told:
    text: str  # with ANSI colours
    whole: bool  # nothing was left out


@dataclass(frozen=True)
class Place:
    """A line that was being executed."""

    where: str
    name: str  # of the function, empty outside of any
    source: str

    def __str__(self) -> str:
        called = f", in {self.name}" if self.name else ""
        return f"{PLACE}{self.where}{called}{PLAIN}\n    {self.source}\n"


class Cells(CachingCompiler):  # type: ignore[misc]
    """IPython's compiler, which knows the cells as they were typed."""

    def __init__(self) -> None:
        super().__init__()
        self._typed: dict[str, list[str]] = {}  # by the name that compiled code has
        self._latest = ""

    def cache(self, transformed_code: str, number: int = 0, raw_code: str | None = None) -> str:
        name: str = super().cache(transformed_code, number, raw_code)
        if raw_code is not None:
            self._typed[name] = raw_code.splitlines()
            self._latest = name
        return name

    def locate(self, filename: str, line: int) -> tuple[str, str] | None:
        """Where a line of the user's own is, in words, and its text; None for others."""
        if filename in self._typed:
            return self._in_cell(filename, line)
        if filename in TIMED:
            return self._in_timed(line)
        path = os.path.abspath(filename)
        home = os.path.expanduser("~")
        inside = os.path.relpath(path, home)
        hidden = any(part.startswith(".") for part in Path(inside).parts)
        if hidden or not os.path.exists(path):
            return None
        linecache.checkcache(path)
        return f"~/{inside}, line {line}", linecache.getline(path, line)

    def _in_cell(self, name: str, line: int) -> tuple[str, str]:
        cell = "This cell" if name == self._latest else "An earlier cell"
        typed = self._typed[name]
        number = _above(typed) + line
        if number <= len(typed):
            return f"{cell}, line {number}", typed[number - 1]
        return f"{cell}, line {line}", linecache.getline(name, line)  # as it was rewritten

    def _in_timed(self, line: int) -> tuple[str, str] | None:
        """A line below `%%time`; one behind `%time` is in the cell's own frame already."""
        typed = self._typed.get(self._latest, [])
        number = _above(typed) + 1 + line
        if number > len(typed) or typed[_above(typed)].strip() not in ("%time", "%%time"):
            return None
        return f"This cell, line {number}", typed[number - 1]


def tell(error: BaseException, cells: Cells) -> Told:
    """An error, and those before it that the user's own lines were concerned with."""
    pieces: list[str] = []
    whole = True
    seen: set[int] = set()
    current: BaseException | None = error
    link = ""
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        told = _tell_one(current, cells)
        if current is error or _concerns(current, cells):
            pieces[:0] = [told.text + link]
            whole = whole and told.whole
        else:
            whole = False
        current, link = _before(current)
    return Told("".join(pieces).rstrip("\n"), whole)


def message(error: object) -> str:
    """What an error says. The user's own `__str__` may fail, too."""
    try:
        if isinstance(error, SyntaxError) and isinstance(error.msg, str):
            return error.msg
        return str(error)
    except Exception as second:
        return f"<{type(second).__name__} while asking for the text of this error>"


def _tell_one(error: BaseException, cells: Cells) -> Told:
    frames = list(_frames(error.__traceback__))
    places = [place for place in (_place(*frame, cells) for frame in frames) if place]
    text = "".join(_capped(places))
    if isinstance(error, SyntaxError):
        text += _misspelt(error, cells)
    said, notes = message(error), getattr(error, "__notes__", ())
    text += f"{ERROR}{type(error).__name__}{PLAIN}"
    text += f": {said[:MAX_MESSAGE]}{'…' if len(said) > MAX_MESSAGE else ''}\n"
    text += "".join(f"{str(note)[:MAX_MESSAGE]}\n" for note in _listed(notes))
    group = isinstance(error, BaseExceptionGroup)
    whole = len(places) == len(frames) <= MAX_PLACES and len(said) <= MAX_MESSAGE and not group
    return Told(text, whole)


def _frames(traceback: TracebackType | None) -> Iterator[tuple[str, int, str]]:
    """File, line and function of each frame, without what runs every cell."""
    begun = False
    while traceback is not None:
        code = traceback.tb_frame.f_code
        package = traceback.tb_frame.f_globals.get("__name__", "")
        begun = begun or str(package).split(".")[0] not in MACHINERY
        if begun:
            yield code.co_filename, traceback.tb_lineno, code.co_name
        traceback = traceback.tb_next


def _place(filename: str, line: int, name: str, cells: Cells) -> Place | None:
    found = cells.locate(filename, line)
    if found is None:
        return None
    where, source = found
    source = source.strip()
    shown = source[:MAX_LINE] + ("…" if len(source) > MAX_LINE else "")
    return Place(where, "" if name.startswith("<") and name != "<lambda>" else name, shown)


def _capped(places: list[Place]) -> list[str]:
    shown = [str(place) for place in places]
    if len(shown) <= MAX_PLACES:
        return shown
    half = MAX_PLACES // 2
    left_out = f"{PLACE}… {len(shown) - 2 * half:,} calls …{PLAIN}\n"
    return [*shown[:half], left_out, *shown[-half:]]


def _misspelt(error: SyntaxError, cells: Cells) -> str:
    """The line that is no Python, with the place in it where that was noticed."""
    if not error.filename or not error.lineno:
        return ""
    compiled = (error.text or "").rstrip("\n")
    where, typed = cells.locate(error.filename, error.lineno) or (
        f"{Path(error.filename).name}, line {error.lineno}",
        compiled,
    )
    typed = typed.rstrip("\n")
    indent = len(typed) - len(typed.lstrip())
    shown = typed.strip()[:MAX_LINE]
    text = f"{PLACE}{where}{PLAIN}\n    {shown}\n"
    column = (error.offset or 0) - 1 - indent
    if typed.strip() == compiled.strip() and 0 <= column <= len(shown):
        text += f"    {' ' * column}{CARET}^{PLAIN}\n"
    return text


def _concerns(error: BaseException, cells: Cells) -> bool:
    """Whether one of the user's own lines had to do with it."""
    return any(cells.locate(filename, line) for filename, line, _ in _frames(error.__traceback__))


def _before(error: BaseException) -> tuple[BaseException | None, str]:
    """The error that led to this one, and the words between them."""
    if error.__cause__ is not None:
        return error.__cause__, "\nwhich caused:\n\n"
    if error.__context__ is not None and not error.__suppress_context__:
        return error.__context__, "\nand while that was handled:\n\n"
    return None, ""


def _above(typed: list[str]) -> int:
    """How many empty lines a cell begins with: IPython drops them."""
    return next((number for number, line in enumerate(typed) if line.strip()), 0)


def _listed(notes: Any) -> list[Any]:
    return list(notes) if isinstance(notes, list | tuple) else []


def is_deep(error: object) -> bool:
    """Whether so many calls led to it that formatting them all would take long."""
    traceback = error.__traceback__ if isinstance(error, BaseException) else None
    for _ in range(DEEP):
        if traceback is None:
            return False
        traceback = traceback.tb_next
    return True


def is_group(error: object) -> bool:
    """Whether IPython has no form for it: several errors at once."""
    while isinstance(error, BaseException):
        if isinstance(error, BaseExceptionGroup):
            return True
        error = error.__context__
    return False

"""The interacts that a session shows, as its server knows them, and what may be asked of them.

A page may send anything: values are compared here with what the session has said of its
controls, before the session gets them. So a slider takes only places that it has, and a
selector only one of its options. What a session says is checked too: its user wrote it.
"""

from __future__ import annotations

import json
import math
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from app.wire.decoder import ProtocolError
from app.wire.messages_pb2 import Frame, Interact, Update

LARGEST_NUMBER = 2**53  # of an update: beyond it, it would not be one that a page counts
SIDES = frozenset(
    f"{row}{column}" for row in ("top", "bottom") for column in ("", "_left", "_right")
) | {"left", "right"}
COLOUR = re.compile(r"#[0-9a-f]{6}", re.IGNORECASE)
Check = Callable[[Any], bool]


class BadUpdate(Exception):
    """The sender's mistake; the text is for the person."""


def _whole(options: dict[str, Any], name: str) -> int:
    value = options[name]
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{name} must be a whole number")
    return value


def _text(options: dict[str, Any], name: str) -> str:
    if not isinstance(options[name], str):
        raise ValueError(f"{name} must be text")
    return str(options[name])


def _count(options: dict[str, Any]) -> int:
    """How many values there are to choose from: named ones, or numbers."""
    count = _whole(options, "count")
    if "labels" in options:
        labels = options["labels"]
        if not isinstance(labels, list) or len(labels) != count or not _are_texts(labels):
            raise ValueError("there must be a label for each value")
        return count
    odd = [] if "odd" not in options else [_whole({"odd": options["odd"][0]}, "odd"),
                                           options["odd"][1]]
    if not all(math.isfinite(each) for each in (options["start"], options["step"], *odd)):
        raise ValueError("the numbers of a slider must be finite")
    return count


def _are_texts(values: list[Any]) -> bool:
    return all(isinstance(each, str) for each in values)


def _is_place(value: Any, count: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < count


def _place(options: dict[str, Any]) -> Check:
    count = _count(options)
    return lambda value: _is_place(value, count)


def _labelled_place(options: dict[str, Any]) -> Check:
    count = _count({"labels": options["labels"], "count": options["count"]})
    _whole(options, "columns")
    return lambda value: _is_place(value, count)


def _two_places(options: dict[str, Any]) -> Check:
    count = _count(options)

    def check(value: Any) -> bool:
        if not isinstance(value, list) or len(value) != 2:
            return False
        return all(_is_place(each, count) for each in value) and bool(value[0] <= value[1])

    return check


def _box(options: dict[str, Any]) -> Check:
    _whole(options, "width")
    _whole(options, "lines")
    return lambda value: isinstance(value, str)


def _grid(options: dict[str, Any]) -> Check:
    rows, columns = _whole(options, "rows"), _whole(options, "columns")
    _whole(options, "width")

    def is_row(value: Any) -> bool:
        return isinstance(value, list) and len(value) == columns and _are_texts(value)

    return lambda value: (
        isinstance(value, list) and len(value) == rows and all(is_row(each) for each in value)
    )


def _button(options: dict[str, Any]) -> Check:
    _text(options, "text")
    return lambda value: isinstance(value, bool)


def _static(options: dict[str, Any]) -> Check:
    _text(options, "form")
    _text(options, "text")
    _whole(options, "level")
    return lambda value: value is None


CHECKS: dict[str, Callable[[dict[str, Any]], Check]] = {
    "slider": _place,
    "range": _two_places,
    "select": _labelled_place,
    "buttons": _labelled_place,
    "radio": _labelled_place,
    "checkbox": lambda _: lambda value: isinstance(value, bool),
    "input": _box,
    "grid": _grid,
    "colour": lambda _: lambda value: isinstance(value, str) and bool(COLOUR.fullmatch(value)),
    "button": _button,
    "text": _static,
}


@dataclass(frozen=True)
class Control:
    label: str
    kind: str
    check: Check


@dataclass
class Shown:
    """An interact on the page; `values` are those of its latest update that has begun."""

    id: str
    run: str
    cell: str
    area: str  # of the interact that it is nested in
    controls: dict[str, Control]
    values: dict[str, Any]
    number: int = 0  # of the latest update that was asked for

    def wanted(self, given: str) -> dict[str, Any]:
        """What a page sends as values. Raises BadUpdate."""
        try:
            values = json.loads(given)
        except (ValueError, RecursionError):
            raise BadUpdate("the values of the controls can't be read") from None
        if not isinstance(values, dict):
            raise BadUpdate("the values of the controls must be given by name")
        for name, value in values.items():
            control = self.controls.get(name)
            if control is None:
                raise BadUpdate(f"there is no control {name[:50]!r}")
            if not control.check(value):
                raise BadUpdate(f"{control.label}: it can't have the value {str(value)[:50]!r}")
        return values


def shown(step: Frame, run: str, cell: str) -> Shown:
    """What a frame of a run of a cell shows. Raises ProtocolError."""
    message = step.interact
    try:
        if str(uuid.UUID(message.id)) != message.id:
            raise ValueError("its id is not as UUIDs are written")
        controls = {each.name: _control(each) for each in message.controls}
        values = {each.name: json.loads(each.value) for each in message.controls}
        for name, control in controls.items():
            if not control.check(values[name]):
                raise ValueError(f"{name} begins with a value that it can't have")
        if message.layout:
            _check_layout(json.loads(message.layout))
    except (LookupError, TypeError, ValueError, RecursionError, OverflowError) as error:
        raise ProtocolError(f"an interact that it sent makes no sense ({error})") from None
    return Shown(message.id, run, cell, step.area, controls, values)


def _check_layout(layout: Any) -> None:
    """Rows of names by side. Raises TypeError, ValueError."""
    if not isinstance(layout, dict) or not set(layout) <= SIDES:
        raise ValueError("its layout has other sides than there are")
    for row in (row for rows in layout.values() for row in rows):
        if not isinstance(row, list) or not _are_texts(row):
            raise ValueError("its layout is not made of rows of names")


def _control(message: Interact.Control) -> Control:
    options = json.loads(message.options)
    return Control(message.label or message.name, message.kind, CHECKS[message.kind](options))


@dataclass
class Interacts:
    """Those whose controls can be moved, by id."""

    _shown: dict[str, Shown] = field(default_factory=dict)

    def __contains__(self, id: str) -> bool:
        return id in self._shown

    def add(self, new: Shown) -> None:
        self._shown[new.id] = new

    def cell_of(self, id: str) -> str:
        return self._shown[id].cell

    def wanted(self, order: Update, waiting: Update | None) -> Update:
        """An update with all values, checked, and a number of its own. Raises BadUpdate.

        What a page does not name stays as it is, or as an update that is `waiting` wants it.
        """
        found = self._shown.get(order.interact)
        if found is None or found.run != order.run:
            raise BadUpdate("these controls are gone: run the cell again")
        if order.number > LARGEST_NUMBER:
            raise BadUpdate("the number of the update is too large")
        before = found.values if waiting is None else json.loads(waiting.values)
        values = before | found.wanted(order.values)
        found.number = max(order.number, found.number + 1)
        return Update(
            run=found.run, interact=found.id, number=found.number, values=json.dumps(values)
        )

    def begin(self, order: Update) -> None:
        """The function is called: a pressed button comes up, what was in the area is gone."""
        found = self._shown[order.interact]
        pressed = {
            name: False for name, control in found.controls.items() if control.kind == "button"
        }
        found.values = json.loads(order.values) | pressed
        self._forget([each.id for each in self._shown.values() if each.area == found.id])

    def forget_cell(self, cell: str) -> None:
        """The cell is run again."""
        self._forget([each.id for each in self._shown.values() if each.cell == cell])

    def _forget(self, ids: list[str]) -> None:
        """Forget these, and those nested in them."""
        while ids:
            for id in ids:
                self._shown.pop(id, None)
            ids = [each.id for each in self._shown.values() if each.area in ids]

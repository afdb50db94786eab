"""Controls of an interact, under the names and with the arguments that Sage gives them.

A page shows a control from its kind and options and answers in JSON: the place of a value
for sliders and selectors, text for what is typed. So a page can choose only what there is,
and values keep their exact type: `choose` makes the function's argument of the answer, and
`locate` the answer for a given value. Runs in Sage's interpreter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral, Rational, Real
from typing import Any

MOST_POSITIONS = 10**9  # of a slider: it counts them in a browser's numbers
MOST_LABELS = 1000  # positions of a slider of fractions, which are shown exactly
LEAST_POSITIONS = 10  # of a slider of real numbers whose step nobody has said
FINE = 100  # positions where the usual step would be too coarse
USUAL_STEP = 0.1  # of real numbers
USUAL_MAXIMUM = {True: 100, False: 10.0}  # of whole numbers, or others
HEADING = re.compile(r"\s*<h([1-6])>([^<]*)</h\1>\s*", re.IGNORECASE)
RULE = re.compile(r"\s*<hr\s*/?>\s*", re.IGNORECASE)
MARKUP = re.compile(r"<[a-zA-Z/!]|&\w+;")


class InputError(ValueError):
    """What was typed into a box is not what the box is for."""


@dataclass(frozen=True)
class Control:
    """`first` is the answer that the page would give if nothing were touched."""

    kind: str
    options: dict[str, Any]
    first: Any
    choose: Callable[[Any], Any] = field(repr=False)
    locate: Callable[[Any], Any] = field(repr=False)
    label: str | None = None

    def at(self, value: Any) -> Control:
        """The same with another value at first. Raises ValueError if it can't have it."""
        return replace(self, first=self.locate(value))


# -- Sliders ---------------------------------------------------------------------


@dataclass(frozen=True)
class Steps:
    """Numbers from `start` on at equal steps, and one more among them: a default is kept."""

    start: Any
    step: Any
    count: int
    odd: tuple[int, Any] | None = None  # its place, and itself

    def __getitem__(self, place: int) -> Any:
        if self.odd is None or place < self.odd[0]:
            return self.start + place * self.step
        return self.odd[1] if place == self.odd[0] else self.start + (place - 1) * self.step

    def nearest(self, value: Any) -> int:
        if self.odd is not None and value == self.odd[1]:
            return self.odd[0]
        place = min(max(round(float((value - self.start) / self.step)), 0), self.count - 1)
        return place + (self.odd is not None and place >= self.odd[0])

    def containing(self, value: Any) -> Steps:
        """These, and `value` if it is none of them."""
        plain = replace(self, odd=None)
        place = plain.nearest(value)
        found = plain[place]
        if abs(float(value - found)) <= 1e-9 * max(abs(float(self.step)), abs(float(value))):
            return plain
        return replace(plain, odd=(place + (1 if value > found else 0), value))

    def options(self) -> dict[str, Any]:
        odd = {} if self.odd is None else {"odd": [self.odd[0], float(self.odd[1])]}
        count = self.count + (self.odd is not None)
        return {"count": count, "start": float(self.start), "step": float(self.step), **odd}


def slider(
    vmin: Any,
    vmax: Any = None,
    step_size: Any = None,
    default: Any = None,
    label: str | None = None,
    display_value: bool = True,
) -> Control:
    """A slider over the numbers from `vmin` to `vmax`, or over the values of a list.

    The numbers are of the type that `vmin`, `vmax` and `step_size` have in common.
    """
    if isinstance(vmin, Iterable):
        if vmax is not None or step_size is not None:
            raise TypeError("a slider over a list has neither vmax nor step_size")
        return _slider_over(list(vmin), default, label, display_value)
    number, low, high, step = _range(vmin, vmax, step_size)
    if default is None:
        default = _middle_step(low, high, step) if _is_fraction(low) else min(max(0, low), high)
    value = _converted(number, min(max(default, low), high))
    steps = _steps(low, high, step)
    if _is_fraction(low) and steps.count <= MOST_LABELS:
        fractions = [steps[place] for place in range(steps.count)]
        return _slider_over(fractions, value, label, display_value)
    return _slider(steps.containing(value), value, number, label, display_value)


def range_slider(
    vmin: Any,
    vmax: Any = None,
    step_size: Any = None,
    default: Any = None,
    label: str | None = None,
    display_value: bool = True,
) -> Control:
    """A slider with two ends: the function gets a pair of numbers."""
    if isinstance(vmin, Iterable):
        raise NotImplementedError("a range_slider goes over numbers, not over a list")
    number, low, high, step = _range(vmin, vmax, step_size)
    steps = _steps(low, high, step)

    def locate(pair: Any) -> list[int]:
        return sorted(steps.nearest(min(max(_converted(number, v), low), high)) for v in pair)

    if default is None:
        default = (low + (high - low) / 4, high - (high - low) / 4)
    return Control(
        kind="range",
        options=steps.options() | {"readout": bool(display_value)},
        first=locate(default),
        choose=lambda places: tuple(number(steps[place]) for place in places),
        locate=locate,
        label=label,
    )


def _slider(
    steps: Steps,
    value: Any,
    number: Callable[[Any], Any],
    label: str | None,
    display_value: bool,
) -> Control:
    return Control(
        kind="slider",
        options=steps.options() | {"readout": bool(display_value)},
        first=steps.nearest(value),
        choose=lambda place: number(steps[place]),
        # Another default may be none of the steps, as this one may
        locate=lambda other: steps.nearest(_converted(number, other)),
        label=label,
    )


def _slider_over(
    values: list[Any], default: Any, label: str | None, display_value: bool
) -> Control:
    options = {"count": len(values), "labels": _labels(values), "readout": bool(display_value)}
    locate = _nearest_of(values)
    first = 0 if default is None else locate(default)
    return Control("slider", options, first, values.__getitem__, locate, label)


def _range(vmin: Any, vmax: Any, step: Any) -> tuple[Callable[[Any], Any], Any, Any, Any]:
    """The numbers' common type, and the three of it; what was not said is filled in."""
    from sage.rings.abc import SymbolicRing
    from sage.rings.real_mpfr import RR
    from sage.structure.element import parent

    number = parent(sum(each for each in (vmin, vmax, step) if each is not None))
    number = RR if isinstance(number, SymbolicRing) else number
    zero = number()
    if not isinstance(zero, Real):
        raise TypeError(f"a slider can't go over {number}: it needs real numbers")
    whole = isinstance(zero, Integral)
    low = number(vmin)
    high = number(USUAL_MAXIMUM[whole] if vmax is None else vmax)
    if not low <= high:
        raise ValueError(f"a slider can't go from {low} to {high}: the least number comes first")
    if step is not None:
        size = number(step)
    elif whole:
        size = number(1)
    else:
        coarse = high - low < LEAST_POSITIONS * USUAL_STEP
        size = (high - low) / FINE if coarse and high > low else number(1) / 10
    if not size > 0:
        raise ValueError(f"the step of a slider must be above 0, not {size}")
    return number, low, high, size


def _steps(low: Any, high: Any, step: Any) -> Steps:
    count = int(float((high - low) / step) + 1e-9) + 1
    if count > MOST_POSITIONS:
        raise ValueError(f"a slider can have {MOST_POSITIONS:,} positions at most, not {count:,}:"
                         " give it a larger step_size")
    return Steps(low, step, count)


def _converted(number: Callable[[Any], Any], value: Any) -> Any:
    """`value` in the type of a slider: whole numbers by leaving out the rest."""
    if isinstance(number(0), Integral):
        return number(int(value))
    return number(value)


def _is_fraction(value: Any) -> bool:
    return isinstance(value, Rational) and not isinstance(value, Integral)


def _middle_step(low: Any, high: Any, step: Any) -> Any:
    return low + int((high - low) / 2 / step) * step


# -- Selectors -------------------------------------------------------------------


def selector(
    values: Any,
    label: str | None = None,
    default: Any = None,
    nrows: int | None = None,
    ncols: int | None = None,
    width: Any = None,
    buttons: bool = False,
    selector_type: str | None = None,
) -> Control:
    """A choice among `values`: a list of them, of pairs (value, label), or a dict by label.

    It is a drop-down list; with `buttons`, `nrows` or `ncols`, a row of buttons.
    `selector_type` says it in a word: "list", "button" or "radio".
    """
    if isinstance(values, Mapping):
        labels, found = list(values.keys()), list(values.values())
    else:
        found = list(values)
        labels = found
        if found and all(isinstance(each, tuple) and len(each) == 2 for each in found):
            found, labels = [pair[0] for pair in found], [pair[1] for pair in found]
    grid = nrows is not None or ncols is not None
    usual = "button" if buttons or grid else "list"
    kinds = {"list": "select", "button": "buttons", "buttons": "buttons", "radio": "radio"}
    kind = kinds.get(selector_type or usual)
    if kind is None:
        raise ValueError(f"selector_type must be list, button or radio, not {selector_type!r}")
    columns = ncols or (nrows and -(-len(found) // nrows)) or 0
    return choice(found, labels, kind, default, label, columns=int(columns))


def choice(
    values: list[Any],
    labels: Sequence[Any],
    kind: str,
    default: Any = None,
    label: str | None = None,
    *,
    columns: int = 0,
) -> Control:
    """A choice among `values`; `columns`: of its buttons, 0 for as many as fit."""
    if not values:
        raise ValueError("there is nothing to choose from")
    options = {"count": len(values), "labels": _labels(labels), "columns": columns}
    locate = _one_of(values)
    first = 0 if default is None else locate(default)
    return Control(kind, options, first, values.__getitem__, locate, label)


def _labels(values: Iterable[Any]) -> list[str]:
    return [str(value) for value in values]


def _equal(one: Any, other: Any) -> bool:
    try:
        return one is other or bool(one == other)
    except Exception:  # of the user's own types
        return False


def _one_of(values: list[Any]) -> Callable[[Any], int]:
    def locate(value: Any) -> int:
        for place, each in enumerate(values):
            if _equal(each, value):
                return place
        raise ValueError(f"{value!r} is not among the values to choose from")

    return locate


def _nearest_of(values: list[Any]) -> Callable[[Any], int]:
    """The place of a value among those of a slider: the nearest if it is none of them."""
    if not values:
        raise ValueError("a slider needs at least one value")

    def distance(value: Any, each: Any) -> tuple[int, Any]:
        if _equal(each, value):
            return 0, 0
        try:
            return 1, float(abs(each - value))
        except Exception:  # they are no numbers
            return 2, 0

    return lambda value: min(range(len(values)), key=lambda n: distance(value, values[n]))


# -- What is switched, typed or pressed --------------------------------------------


def checkbox(default: Any = True, label: str | None = None) -> Control:
    """A box to tick: True or False."""
    return Control("checkbox", {}, bool(default), bool, bool, label)


def input_box(
    default: Any = None,
    label: str | None = None,
    type: Any = None,
    width: int = 80,
    height: int = 1,
) -> Control:
    """A box to type in. What is typed is evaluated, as in a cell, and given to `type`.

    With `type=str` it is taken as it is. `width` counts characters, `height` lines.
    """
    options = {"evaluated": type is not str, "width": int(width), "lines": int(height)}
    choose = str if type is str else lambda text: _typed(text, type)
    return Control("input", options, _shown(default), choose, _shown, label)


def input_grid(
    nrows: int,
    ncols: int,
    default: Any = None,
    label: str | None = None,
    to_value: Callable[[Any], Any] | None = None,
    width: int = 4,
) -> Control:
    """Boxes in rows and columns: the function gets `to_value` of a list of rows."""
    rows, columns = int(nrows), int(ncols)
    if rows < 1 or columns < 1:
        raise ValueError("an input_grid has at least one row and one column")

    def locate(value: Any) -> list[list[str]]:
        return [[_shown(each) for each in row] for row in _rows(value, rows, columns)]

    def choose(texts: list[list[str]]) -> Any:
        found = [[_evaluated(text) for text in row] for row in texts]
        return found if to_value is None else to_value(found)

    options = {"rows": rows, "columns": columns, "width": int(width)}
    return Control("grid", options, locate(default), choose, locate, label)


def color_selector(
    default: Any = (0, 0, 1), label: str | None = None, widget: Any = None, hide_box: bool = False
) -> Control:
    """A colour: the function gets Sage's Color. `widget` is what old code says, to no effect."""
    from sage.plot.colors import Color

    def locate(value: Any) -> str:
        return str(Color(value).html_color())

    return Control("colour", {"box": not hide_box}, locate(default), Color, locate, label)


def text_control(value: Any = "", label: str | None = None) -> Control:
    """Text among the controls: plain, with formulas in dollars, or HTML."""
    text = str(value)
    form, shown, level = "html" if MARKUP.search(text) else "plain", text, 0
    if found := HEADING.fullmatch(text):
        form, shown, level = "heading", found[2], int(found[1])
    elif RULE.fullmatch(text):
        form, shown = "rule", ""
    options = {"form": form, "text": shown, "level": level}
    return Control("text", options, None, lambda _: text, lambda _: None, label)


def button(
    text: str = "Button", default: Any = False, value: Any = True, label: str | None = None
) -> Control:
    """A button: the function gets `value` when it was pressed, and otherwise `default`."""
    def choose(pressed: bool) -> Any:
        return value if pressed else default

    return Control("button", {"text": str(text)}, False, choose, lambda _: False, label)


def _rows(value: Any, rows: int, columns: int) -> list[list[Any]]:
    """The entries of a grid: given as rows, as one flat list, as a matrix, or as one for all."""
    if hasattr(value, "nrows") and hasattr(value, "list"):
        value = value.list()
    if not isinstance(value, list | tuple):
        return [[value] * columns for _ in range(rows)]
    nested = all(isinstance(row, list | tuple) for row in value)
    flat = [each for row in value for each in row] if nested else list(value)
    if len(flat) != rows * columns or (nested and len(value) != rows):
        raise ValueError(f"a grid of {rows} × {columns} boxes can't begin with {value!r}")
    return [flat[start : start + columns] for start in range(0, rows * columns, columns)]


def _shown(value: Any) -> str:
    return "" if value is None else str(value)


def _evaluated(text: str) -> Any:
    """What `text` is in the user's session, None if there is none. Raises InputError."""
    from sage.repl.preparse import preparse
    from sage.repl.user_globals import get_globals

    if not text.strip():
        return None
    try:
        return eval(preparse(text.strip()), get_globals())
    except Exception as error:
        raise InputError(f"{type(error).__name__}: {error}") from None


def _typed(text: str, type: Any) -> Any:
    value = _evaluated(text)
    if type is None:
        return value
    try:
        return type(value)
    except Exception as error:
        raise InputError(f"{error.__class__.__name__}: {error}") from None

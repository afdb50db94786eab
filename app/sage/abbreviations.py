"""The control that a plain value stands for, as in `def f(n=(1, 10), colour=["red", "blue"])`.

The rules are Sage's, and under them those of ipywidgets; but numbers keep their type, so
that a slider from 1 to 10 gives Sage's integers. Runs in Sage's interpreter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from enum import EnumMeta
from numbers import Integral, Real
from typing import Any

from app.sage.controls import (
    MOST_POSITIONS,
    Control,
    checkbox,
    choice,
    color_selector,
    input_box,
    input_grid,
    selector,
    slider,
)

ABSENT: Any = object()


def control_for(value: Any, default: Any = ABSENT) -> Control:
    """The control for `value`; `default`: what it shows at first, if it can.

    Raises TypeError or ValueError if there is none.
    """
    if isinstance(value, Control):
        return value
    if isinstance(value, type):
        return _for_type(value)
    if (found := _for_single(value)) is not None:
        return found
    if isinstance(value, tuple | Iterable):
        try:
            return _for_several(value, default)
        except (TypeError, ValueError):
            if default is ABSENT:
                raise
            return _for_several(value, ABSENT)
    return input_box(value)


def _for_several(value: Any, default: Any) -> Control:
    if isinstance(value, tuple):
        return _for_tuple(value, default)
    control = _for_iterable(value)
    return control if default is ABSENT else control.at(default)


def _for_type(kind: type) -> Control:
    """For an argument without a default, by its annotation."""
    if kind is bool:
        return checkbox(False)
    if kind is str:
        return input_box("", type=str)
    if isinstance(kind, EnumMeta):
        members: list[Any] = list(kind)
        return choice(members, [member.name for member in members], "select")
    if issubclass(kind, Real):
        return input_box(0, type={Integral: int, Real: float}.get(kind, kind))
    raise TypeError(f"there is no control for an argument of type {kind.__name__}")


def _for_single(value: Any) -> Control | None:
    from sage.plot.colors import Color
    from sage.structure.element import Matrix

    if isinstance(value, Matrix):
        return input_grid(
            value.nrows(), value.ncols(), default=value.list(), to_value=value.parent()
        )
    if isinstance(value, Color):
        return color_selector(value)
    if isinstance(value, str):
        return input_box(value, type=str)
    if isinstance(value, bool):
        return checkbox(value)
    if isinstance(value, Real):
        return _for_number(value)
    return None


def _for_number(value: Any) -> Control:
    """A slider around it: from -value to 3 value, or from 0 to 1."""
    ends = (value, value + 1) if value == 0 else sorted((-value, 3 * value))
    if not ends[1] - ends[0] < MOST_POSITIONS / 10:  # nor where it is not a number
        return input_box(value)
    if isinstance(value, Integral):
        return slider(ends[0], ends[1], default=value)
    low, high, first = _as_reals([*ends, value])
    return slider(low, high, default=first)


def _for_tuple(value: tuple[Any, ...], default: Any) -> Control:
    if len(value) == 2 and isinstance(value[0], str):
        return replace(control_for(value[1], default), label=value[0])
    if len(value) == 2 and isinstance(value[1], Iterable) and not isinstance(value[1], str):
        return _for_several(value[1], value[0] if default is ABSENT else default)
    numbers = [_number(each) for each in value]
    if len(numbers) not in (2, 3) or not all(isinstance(each, Real) for each in numbers):
        raise TypeError(
            f"{value!r} stands for no control: a slider is (min, max) or (min, max, step)"
        )
    if not all(isinstance(each, Integral) for each in numbers):
        numbers = _as_reals(numbers)
    low, high, step = (*numbers, None)[:3]
    first = _middle(low, high, step) if default is ABSENT else _number(default)
    return slider(low, high, step, default=first)


def _middle(low: Any, high: Any, step: Any) -> Any:
    if all(isinstance(each, Integral) for each in (low, high, step or 1)):
        half = (high - low) // 2
    else:
        half = (high - low) / 2
    return low + half if step is None else low + int(half / step) * step


def _for_iterable(value: Iterable[Any]) -> Control:
    if isinstance(value, Iterator):
        return slider(value)
    if isinstance(value, Mapping):
        return selector(value)
    values = list(value)
    if values and all(isinstance(each, list | tuple) and len(each) == 2 for each in values):
        return choice([pair[1] for pair in values], [pair[0] for pair in values], "select")
    return choice(values, values, "select")


def _number(value: Any) -> Any:
    """A constant expression, as sqrt(2), as a number."""
    from sage.rings.abc import SymbolicRing
    from sage.structure.element import parent

    return value.numerical_approx() if isinstance(parent(value), SymbolicRing) else value


def _as_reals(values: Iterable[Any]) -> list[Any]:
    """Fractions among them become floating-point numbers, as they do in Sage's sliders."""
    from sage.rings.rational import Rational
    from sage.rings.real_mpfr import RR

    return [RR(value) if isinstance(value, Rational) else value for value in values]

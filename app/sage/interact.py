"""`@interact`: a function whose arguments are controls on the page.

Showing one sends its controls and calls the function; from then on the page sends values,
and the function is called with them, with its output in an area of its own. Runs in the
session's process.
"""

from __future__ import annotations

import inspect
import json
import sys
import types
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from inspect import Parameter
from typing import Any, Protocol

from IPython import get_ipython

from app.sage import controls
from app.sage.abbreviations import ABSENT, control_for
from app.sage.controls import Control, InputError
from app.wire.messages_pb2 import Finished, Frame
from app.wire.messages_pb2 import Interact as Shown

UPDATE = "auto_update"  # the argument that says whether to wait for a button, and its place
SIDES = (
    "top_left", "top", "top_right", "left", "right", "bottom_left", "bottom", "bottom_right"
)
MODULES = ("all_jupyter", "interact", "widgets_sagenb")  # where Sage keeps its own
CONTROLS = (
    "slider", "range_slider", "selector", "checkbox", "input_box", "input_grid",
    "color_selector", "text_control", "button",
)


class Sender(Protocol):
    """What takes frames, and knows the interact whose function is being called."""

    area: str
    cell: str

    def send(self, frame: Frame) -> None: ...

    def inside(self, area: str) -> AbstractContextManager[None]: ...


def interact(function: Callable[..., Any] | None = None, /, **given: Any) -> Any:
    """Call a function with the values of controls on the page, again whenever one is moved.

    Controls come from the defaults of its arguments, or from arguments of `@interact`. The
    function itself is given back. `auto_update=False` waits for a button; `layout` says which
    controls stand where: rows of names, or a dict of those by side.
    """
    if function is None:
        return partial(interact, **given)
    shell = get_ipython()
    shell.worker.interacts.show(_made(function, given))
    return function


def install() -> None:
    """Put `interact` and the controls among Sage's names, also for its library of interacts."""
    import sage.all
    import sage.all_cmdline

    names = {name: getattr(controls, name) for name in CONTROLS} | {"interact": interact}
    for module in (sage.all, sage.all_cmdline):
        vars(module).update(names)
    for name in MODULES:
        module = types.ModuleType(f"sage.repl.ipython_kernel.{name}")
        vars(module).update(names)
        sys.modules[module.__name__] = module


@dataclass(frozen=True)
class Interact:
    id: str
    function: Callable[..., Any]
    controls: dict[str, Control]  # by argument
    manual: bool  # waits for its button
    layout: dict[str, list[list[str]]]

    @property
    def first(self) -> dict[str, Any]:
        """What the page would answer if nothing were touched."""
        return {name: control.first for name, control in self.controls.items()}

    def message(self) -> Shown:
        layout = json.dumps(self.layout) if self.layout else ""
        shown = Shown(id=self.id, manual=self.manual, layout=layout)
        for name, control in self.controls.items():
            shown.controls.add(
                name=_text(name),
                label=_text(self.label(name)),
                kind=control.kind,
                options=json.dumps(control.options),
                value=json.dumps(control.first),
            )
        return shown

    def label(self, name: str) -> str:
        label = self.controls[name].label
        return name if label is None else str(label)

    def arguments(self, answers: dict[str, Any]) -> dict[str, Any]:
        """What the function is called with. Raises InputError."""
        found = {}
        for name, control in self.controls.items():
            try:
                found[name] = control.choose(answers[name])
            except InputError as error:
                raise InputError(f"{self.label(name)}: {error}") from None
        return found


class Interacts:
    """The interacts that a session shows."""

    def __init__(self, shell: Any, sender: Sender) -> None:
        self._shell = shell
        self._sender = sender
        self._known: dict[str, Interact] = {}
        self._places: dict[str, tuple[str, str]] = {}  # the area each is shown in, and the cell

    def show(self, new: Interact) -> None:
        """Show its controls, and what its function does with their first values."""
        area = self._sender.area
        cell = self._places[area][1] if area in self._places else self._sender.cell
        self._known[new.id], self._places[new.id] = new, (area, cell)
        self._sender.send(Frame(interact=new.message()))
        with self._sender.inside(new.id):
            self._call(new, new.first)

    def update(self, id: str, answers: dict[str, Any]) -> Finished.Status:
        """Call its function with what the page says, in the area that is its own."""
        found = self._known.get(id)
        if found is None:  # the server forgets what we forget, just before
            return Finished.CANCELLED
        self._forget([each for each, (area, _) in self._places.items() if area == id])
        try:
            fine = self._call(found, answers)
        except BaseException as error:  # an interrupt, or what would end another program
            self._show_error(error, ours=2)
            interrupted = isinstance(error, KeyboardInterrupt)
            return Finished.INTERRUPTED if interrupted else Finished.ERROR
        return Finished.OK if fine else Finished.ERROR

    def forget_cell(self, cell: str) -> None:
        """The cell is run again: what it showed is gone."""
        self._forget([each for each, (_, shown) in self._places.items() if shown == cell])

    def _forget(self, ids: list[str]) -> None:
        """Forget these, and those that were shown in their areas."""
        while ids:
            for id in ids:
                self._known.pop(id, None)
                self._places.pop(id, None)
            ids = [each for each, (area, _) in self._places.items() if area in ids]

    def _call(self, called: Interact, answers: dict[str, Any]) -> bool:
        """Whether the function succeeded; its errors are shown."""
        try:
            result = called.function(**called.arguments(answers))
            if result is not None:
                self._display(result)
        except InputError as error:
            said = self._shell.InteractiveTB.get_exception_only(InputError, error)
            self._shell._showtraceback(InputError, error.with_traceback(None), said)
            return False
        except Exception as error:
            self._show_error(error, ours=1)
            return False
        finally:
            self._shell.events.trigger("post_execute")  # shows what pyplot has drawn
        return True

    def _show_error(self, error: BaseException, *, ours: int) -> None:
        """Without those frames of its traceback, the first, that are `ours`."""
        for _ in range(ours):
            trace = error.__traceback__
            error = error.with_traceback(trace and trace.tb_next)
        self._shell.showtraceback((type(error), error, error.__traceback__), tb_offset=0)

    def _display(self, result: Any) -> None:
        hook = self._shell.displayhook
        forms, metadata = hook.compute_format_data(result)
        if forms:
            hook.write_format_data(forms, metadata)


def _made(function: Callable[..., Any], given: dict[str, Any]) -> Interact:
    """The interact of a function and what `@interact` was given. Raises TypeError, ValueError."""
    given = dict(given)
    parameters = dict(inspect.signature(function).parameters)
    layout = given.pop("layout", None) if "layout" not in parameters else None
    waiting = parameters.pop(UPDATE, None)
    automatic = given.pop(UPDATE, waiting.default if waiting is not None else True)
    made = {}
    for name, value, default in _abbreviations(parameters.values(), given):
        try:
            made[name] = control_for(value, default)
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"the argument {name!r}: {error}") from error
    return Interact(str(uuid.uuid4()), function, made, automatic is False, _layout(layout, made))


def _abbreviations(
    parameters: Any, given: dict[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    """Each argument's name, what its control comes from, and its default."""
    for parameter in parameters:
        default = ABSENT if parameter.default is Parameter.empty else parameter.default
        if parameter.kind is Parameter.VAR_KEYWORD:
            for name in list(given):
                yield name, given.pop(name), ABSENT
        elif parameter.kind is Parameter.VAR_POSITIONAL:
            continue
        elif parameter.name in given:
            yield parameter.name, given.pop(parameter.name), default
        elif default is not ABSENT:
            yield parameter.name, default, ABSENT
        elif isinstance(parameter.annotation, type) and parameter.annotation is not Parameter.empty:
            yield parameter.name, parameter.annotation, ABSENT
        else:
            raise TypeError(
                f"the argument {parameter.name!r} has no default to make a control of"
            )
    if given:
        raise TypeError(f"the function has no argument {next(iter(given))!r}")


def _layout(layout: Any, made: dict[str, Control]) -> dict[str, list[list[str]]]:
    """Rows of names by side; who is not named comes last at the top. Raises ValueError."""
    if not layout:
        return {}
    sides = layout if isinstance(layout, dict) else {"top": layout}
    found: dict[str, list[list[str]]] = {}
    for side, rows in sides.items():
        if side not in SIDES:
            raise ValueError(f"layout: {side!r} is no side; the sides are {', '.join(SIDES)}")
        found[side] = [[row] if isinstance(row, str) else [str(name) for name in row]
                       for row in rows]
    named = [name for rows in found.values() for row in rows for name in row]
    for name in named:
        if name not in made and name != UPDATE:
            raise ValueError(f"layout: there is no control {name!r}")
        if named.count(name) > 1:
            raise ValueError(f"layout: {name!r} can stand in one place only")
    rest = [[name] for name in made if name not in named]
    if rest:
        found.setdefault("top", []).extend(rest)
    return found


def _text(value: str) -> str:
    """Text that can be sent: Python's may hold lone surrogates."""
    return value.encode("utf-8", "backslashreplace").decode()

"""Cells in other languages: GAP, Maxima, Singular, PARI, Octave, R, shell, Markdown …

A cell is in another language if its first line is `%%gap`, as IPython has it, or `%gap`
alone, as Sage's notebooks have it. `%python` is Python without Sage's preparser, in the
same session. What a language needs is started when it is first used.
"""

from __future__ import annotations

import functools
import re
import shutil
from collections.abc import Callable
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

FIRST_LINE = re.compile(r"\s*?^(%%?)(\w+)[ \t]*\n", re.MULTILINE)
ON_THEIR_OWN = {"debug", "display", "mode"}  # line magics that mean something alone
ALIASES = {"md": "markdown"}
NAMES = {"r": "R", "octave": "Octave", "macaulay2": "Macaulay2", "magma": "Magma"}


class NotInstalled(RuntimeError):
    """A cell's language is not on this server."""


def transformed(
    shell: InteractiveShell, typed: str, transform: Callable[[str], str]
) -> str:
    """A cell as the Python that is executed. `transform`: what IPython does."""
    found = FIRST_LINE.match(typed)
    if found is None or not (rest := typed[found.end() :]).strip():
        return transform(typed)
    name = found[2]
    if name == "python":
        # A line for the one with the name keeps the others' numbers.
        return _without_preparser(transform, f"#\n{rest}")
    if found[1] == "%" and name not in ON_THEIR_OWN and shell.find_cell_magic(name):
        return transform(f"%%{name}\n{rest}")
    return transform(typed)


def register(shell: InteractiveShell) -> None:
    """Add names to the shell's own, and Sage's interfaces where Sage is."""
    manager = shell.magics_manager
    for alias, name in ALIASES.items():
        manager.register_alias(alias, name, "cell")


def register_interfaces(shell: InteractiveShell) -> None:
    """Have Sage's interfaces say in a line which program they lack."""
    from sage.interfaces.gap import gap
    from sage.repl.interface_magic import InterfaceMagic

    # It would keep a copy of GAP's memory at home, to start quicker next time.
    gap.__init__(use_workspace_cache=False)
    for magic in InterfaceMagic.all_iter():
        name, interface = magic._name, magic._interface
        for kind, run in (
            ("line", magic.line_magic_factory()),
            ("cell", magic.cell_magic_factory()),
        ):
            shell.register_magic_function(_explained(run, name, interface), kind, name)


def _explained(run: Callable[..., Any], name: str, interface: Any) -> Callable[..., Any]:
    title = NAMES.get(name, name)

    @functools.wraps(run)
    def explained(*arguments: str) -> Any:
        try:
            return run(*arguments)
        except Exception as error:
            package, program = _package(error), _program(interface)
            if package:
                lacking = f"its Python package {package}"
            elif program and not shutil.which(program):
                lacking = f"its program {program}"
            else:
                raise
        raise NotInstalled(f"{title} is not installed on this server: {lacking} is missing")

    return explained


def _package(error: BaseException | None) -> str | None:
    """The Python package that is lacking, if an error or what led to it says so."""
    from sage.features import FeatureNotPresentError

    while error is not None:
        if isinstance(error, ModuleNotFoundError):
            return error.name
        if isinstance(error, FeatureNotPresentError):  # from the second time on
            return str(error.feature.name)
        error = error.__cause__ or error.__context__
    return None


def _program(interface: Any) -> str | None:
    """The program that an interface starts, if it starts one."""
    try:
        return str(interface.command()).split()[0]
    except (AttributeError, IndexError, TypeError):
        return None


def _without_preparser(transform: Callable[[str], str], code: str) -> str:
    try:
        from sage.repl.interpreter import preparser
    except ImportError:
        return transform(code)
    from sage.repl import interpreter

    usual = interpreter._do_preparse
    preparser(False)
    try:
        return transform(code)
    finally:
        preparser(usual)

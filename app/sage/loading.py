"""`load` and `attach` of Sage files: with tracebacks that name their lines, and reloading.

Sage runs a .sage file as a string without a name, so its errors tell no line, and watches
attached files only while a terminal waits for input: here, before every cell.
"""

from __future__ import annotations

import ast
import builtins
import sys
from pathlib import Path
from typing import Any

from IPython.core.interactiveshell import InteractiveShell


def install() -> None:
    """Have `load` name the code that it runs."""
    from sage.repl import load
    from sage.repl.attach import load_attach_mode

    load_attach_mode(load_debug=False, attach_debug=False)  # Sage's way, by other files
    load.exec = _run  # in place of the built-in one, in that module


def reload_modified(shell: InteractiveShell) -> None:
    """Load the attached files anew that have changed."""
    from sage.repl.attach import modified_file_iterator
    from sage.repl.load import load_wrap

    for path, _ in modified_file_iterator():
        print(f"### reloading attached file {path.name} ###")
        try:
            shell.ex(load_wrap(path, attach=True))
        except Exception:  # the file's own
            shell.showtraceback(running_compiled_code=True)


def _run(code: Any, scope: dict[str, Any]) -> None:
    """`exec` of a string that was made from the file which the caller calls `fpath`."""
    path = sys._getframe(1).f_locals.get("fpath")
    if isinstance(code, str) and isinstance(path, Path):
        code = _compiled(code, path.absolute())
    builtins.exec(code, scope)


def _compiled(code: str, path: Path) -> Any:
    """Preparsed code with the numbers that its lines have in the file."""
    typed = path.read_text(encoding="utf-8", errors="replace")
    added = max(0, code.strip("\n").count("\n") - typed.rstrip("\n").count("\n"))
    try:
        tree = ast.parse(code, str(path))
    except SyntaxError as error:
        error.lineno = max(1, (error.lineno or 1) - added)
        raise
    for node in ast.walk(tree):
        for end in ("lineno", "end_lineno"):
            if isinstance(number := getattr(node, end, None), int):
                setattr(node, end, max(1, number - added))
    return compile(tree, str(path), "exec")

"""What a session computes with: Sage, or plain Python with SymPy where Sage is missing.

Runs in Sage's interpreter. `load` returns a shell that is ready to be forked: everything
imported, nothing started (no threads, no other processes).
"""

from __future__ import annotations

import platform
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from app.sage import backend, dialects, documentation, figures, interact

# Slow at first use in a process, and right in a fork of one that has done it. The results
# of last lines are displayed, which warms typesetting and plotting; the error, tracebacks.
SAGE_WARM_UP = (
    "factor(2^100-1)",
    "integrate(x^2*sin(x), x)",
    "solve(x^2 == 2, x)",
    "_y = function('y')(x); desolve(diff(_y, x) == x, _y)",
    "SymmetricGroup(4).order(); EllipticCurve('11a').rank()",
    "matrix(QQ, 2, [1, 2, 3, 4]).inverse()",
    "PolynomialRing(QQ, 'a,b').ideal('a^2-b', 'b^2-a').groebner_basis()",
    "plot(sin(x), (x, 0, 1))",
    "graphs.PetersenGraph().plot()",
    "import matplotlib.pyplot as _plt; _plt.plot([1, 2])",
    "animate([plot(x, (x, 0, 1))])",
    "sphere() + line3d([(0, 0, 0), (1, 1, 1)], thickness=2)",
    "table([[x, 1/2]])",
    "ascii_art(x^2/2)",
    "[RR(2).sqrt(), CC(2).log(), pi.n(50)]",
    "del _y, _plt",
    "1/0",
    "1 +",
)
NO_SAGE = "Sage is not installed"
PLAIN_WARM_UP = ("sum(range(10))", "1/0", "1 +")


@dataclass(frozen=True)
class Language:
    name: str  # "SageMath 10.8", as pages show it
    warning: str  # why it is not Sage, when it is not
    warm_up: tuple[str, ...]
    files: tuple[str, ...] = ()  # that another version would change


def load(
    shell_class: type[InteractiveShell], preload: list[str]
) -> tuple[InteractiveShell, Language]:
    """A shell of `shell_class` with Sage in it if that can be had, `preload` imported."""
    config = Config()
    config.HistoryManager.enabled = False  # it would open SQLite and start a thread
    config.Completer.use_jedi = False  # slow at first use; IPython's own completes Sage well
    config.InteractiveShell.colors = "linux"
    warnings.filterwarnings("ignore", "Output cache limit")  # old Out[n] go quietly
    try:
        import sage.all
        import sage.version
    except ImportError as error:
        shell = shell_class.instance(config=config)
        language = _plain(shell, f"{NO_SAGE} ({error})")
    else:
        shell = shell_class.instance(config=config)
        language = _sage(shell, sage.version.version)
    dialects.register(shell)
    figures.prepare(shell)
    documentation.warm_up()
    for module in preload:
        __import__(module)
    return shell, language


def _sage(shell: InteractiveShell, version: str) -> Language:
    import sage.version

    assert shell.extension_manager is not None
    interact.install()
    shell.extension_manager.load_extension("sage.repl.ipython_extension")
    backend.install(shell)
    dialects.register_interfaces(shell)
    file = Path(sage.version.__file__)
    files = (str(file), str(file.parent.parent))
    return Language(f"SageMath {version}", "", SAGE_WARM_UP, files)


def _plain(shell: InteractiveShell, why: str) -> Language:
    name = f"Python {platform.python_version()}"
    namespace: dict[str, Any] = {}
    try:
        import sympy
    except ImportError:
        return Language(f"{name} ({NO_SAGE})", f"{why}, nor is SymPy", PLAIN_WARM_UP)
    exec("from sympy import *", namespace)
    sympy.init_printing(use_latex="mathjax", ip=shell, pretty_print=True)
    namespace.pop("__builtins__")
    shell.push(namespace, interactive=False)
    return Language(f"{name} with SymPy {sympy.__version__} ({NO_SAGE})", why, PLAIN_WARM_UP)

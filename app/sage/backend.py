"""Sage's rich output for our pages: plots, scenes, animations, formulas.

Sage is imported when `install` is called: this module is loaded before the zygote moves to
where our code is not, and also where there is no Sage.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from app.sage import figures, loading

PLAIN, GIF = "text/plain", "image/gif"
SCENE = "application/vnd.salvus.scene+html"  # the page has a frame for it, with three.js


def install(shell: InteractiveShell) -> None:
    """Have Sage show everything through `shell`, as a page can show it."""
    from sage.misc import latex
    from sage.plot.animate import Animation
    from sage.repl.rich_output import get_display_manager

    manager = get_display_manager()
    manager.switch_backend(_page_backend(), shell=shell)
    manager.graphics_from_save = partial(_picture, manager.graphics_from_save)
    shell.events.register("pre_run_cell", partial(_before_cell, shell, manager))
    loading.install()
    Animation.gif = _save_gif
    latex.view = view
    shell.push({"view": view}, interactive=False)


def _before_cell(shell: InteractiveShell, manager: Any, info: object) -> None:
    """What Sage's prompt does in a terminal; and plots stay crisp after `%display default`."""
    loading.reload_modified(shell)
    if manager.preferences.graphics is None:
        manager.preferences.graphics = "vector"


def view(objects: Any, *arguments: Any, **options: Any) -> None:
    """Show objects typeset. Elsewhere this runs LaTeX and opens a viewer."""
    from sage.repl.rich_output.pretty_print import pretty_print

    pretty_print(objects)


def _page_backend() -> Any:
    from sage.repl.rich_output import output_catalog as outputs
    from sage.repl.rich_output.backend_ipython import BackendIPythonNotebook

    class PageBackend(BackendIPythonNotebook):  # type: ignore[misc]
        def _repr_(self) -> str:
            return "Salvus worksheet"

        def supported_output(self) -> set[type]:
            supported: set[type] = super().supported_output()
            return supported - {outputs.OutputSceneJmol, outputs.OutputImagePdf}

        def displayhook(self, plain_text: Any, rich_output: Any) -> tuple[dict[str, Any], Any]:
            plain = {PLAIN: plain_text.text.get_str()}
            if isinstance(rich_output, outputs.OutputImageGif):
                return plain | {GIF: rich_output.gif.get()}, {}
            if isinstance(rich_output, outputs.OutputSceneThreejs):
                return plain | {SCENE: rich_output.html.get_str()}, {}
            data, metadata = super().displayhook(plain_text, rich_output)
            return data, metadata

        def threejs_offline_scripts(self) -> str:
            """The page's frame has it already."""
            return ""

    return PageBackend()


def _picture(
    save: Any, function: Any, options: dict[str, Any], kind: str, container: Any, **sizes: Any
) -> Any:
    """A plot as it is displayed: what would be a huge SVG is a PNG."""
    from sage.repl.rich_output.output_catalog import OutputImagePng, OutputImageSvg

    made = save(function, options, kind, container, **sizes)
    if container is not OutputImageSvg or len(made.svg.get()) <= figures.MAX_SVG:
        return made
    return save(function, {"dpi": figures.SHARP} | options, ".png", OutputImagePng, **sizes)


def _save_gif(
    self: Any,
    delay: int = 20,
    savefile: str | None = None,
    iterations: int = 0,
    show_path: bool = False,
    use_ffmpeg: bool = False,
) -> None:
    """Save the animation as a GIF; `delay` in hundredths of a second.

    Sage's own has ImageMagick or ffmpeg do this, and fails where both are missing.
    """
    from sage.misc.temporary_file import tmp_filename

    if use_ffmpeg:
        self.ffmpeg(savefile=savefile, show_path=show_path, output_format=".gif",
                    delay=delay, iterations=iterations)  # fmt: skip
        return
    path = Path(savefile or tmp_filename(ext=".gif"))
    path = path if path.suffix == ".gif" else path.with_name(path.name + ".gif")
    frames = sorted(Path(self.png()).glob("*.png"))
    made = figures.animation(frames, delay=int(delay), iterations=int(iterations))
    path.write_bytes(made)
    if show_path:
        print(f"Animation saved to file {os.path.abspath(path)}.")

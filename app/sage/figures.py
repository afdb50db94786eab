"""Pictures: matplotlib's figures as the page shows them, and animations.

As in Jupyter, figures made with pyplot are shown when their cell ends, or at `show()`, and
then closed.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

MAX_SVG = 1_000_000  # bytes; beyond it a browser is slow to draw it, and a PNG is smaller
SHARP = 192  # dots per inch of a PNG: two for each of a page's pixels
INLINE = "module://matplotlib_inline.backend_inline"


def prepare(shell: InteractiveShell) -> None:
    """Have `shell` show matplotlib's figures, if there is matplotlib."""
    try:
        import matplotlib
    except ImportError:
        return
    matplotlib.use(INLINE)
    from matplotlib.figure import Figure
    from matplotlib_inline.backend_inline import configure_inline_support

    configure_inline_support(shell, INLINE)
    matplotlib.rcParams["animation.html"] = "jshtml"  # what needs no other program
    assert shell.display_formatter is not None
    for formatter in shell.display_formatter.formatters.values():
        formatter.pop(Figure, None)
    shell.display_formatter.mimebundle_formatter.for_type(Figure, forms)


def forms(figure: Any, include: Any = None, exclude: Any = None) -> dict[str, Any]:
    """A figure as SVG, or as PNG where that would be huge."""
    vector = io.BytesIO()
    figure.savefig(vector, format="svg", bbox_inches="tight")
    if vector.tell() <= MAX_SVG:
        return {"image/svg+xml": vector.getvalue().decode()}
    raster = io.BytesIO()
    figure.savefig(raster, format="png", dpi=SHARP, bbox_inches="tight")
    return {"image/png": raster.getvalue()}


def close(result: Any) -> None:
    """Do not show a figure, or that of an animation, again when its cell ends."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    animation = sys.modules.get("matplotlib.animation")
    if animation is not None and isinstance(result, animation.Animation):
        result = result._fig
    if pyplot is not None and isinstance(result, pyplot.Figure):
        pyplot.close(result)


def is_part(result: Any) -> bool:
    """Whether `result` is lines or the like of a figure that is shown when the cell ends."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is None or not pyplot.get_fignums():
        return False
    parts = result if isinstance(result, list | tuple) else [result]
    return bool(parts) and all(
        isinstance(part, pyplot.Artist) and not isinstance(part, pyplot.Figure) for part in parts
    )


def animation(frames: Iterable[Path], *, delay: int, iterations: int) -> bytes:
    """A GIF of pictures that are shown `delay` hundredths of a second each.

    `iterations`: how often it is played; 0 for ever.
    """
    from PIL import Image

    pictures = [Image.open(frame).convert("RGBA") for frame in frames]
    if not pictures:
        raise ValueError("an animation without frames can't be shown")
    size = max(p.width for p in pictures), max(p.height for p in pictures)
    sheets = []
    for picture in pictures:
        sheet = Image.new("RGB", size, "white")
        sheet.paste(picture, mask=picture)
        sheets.append(sheet.quantize(dither=Image.Dither.NONE))
    made = io.BytesIO()
    repeats = {} if iterations == 1 else {"loop": max(iterations - 1, 0)}
    sheets[0].save(
        made, "GIF", save_all=True, append_images=sheets[1:], duration=10 * delay, **repeats
    )
    return made.getvalue()

"""A figure over time, as a terminal shows it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import click
import plotext

ROWS = 10


def terminal_plot(
    title: str,
    course: Sequence[tuple[datetime, float]],
    begin: datetime,
    end: datetime,
    columns: int,
) -> list[str]:
    """Lines of text with `course` (times and values ≥ 0) between two times."""
    seconds = [(time - begin).total_seconds() for time, _ in course]
    values = [value for _, value in course]
    span = max((end - begin).total_seconds(), 1.0)
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plot_size(columns, ROWS)
    plotext.title(title)
    plotext.plot(seconds, values, marker="braille")
    plotext.xlim(0, span)
    plotext.ylim(0, max(1.0, *values))
    form = "%H:%M:%S" if span < 3600 else "%m-%d %H:%M"
    plotext.xticks([0, span], [begin.strftime(form), end.strftime(form)])
    return [line.rstrip() for line in click.unstyle(plotext.build()).splitlines()]

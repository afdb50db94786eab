"""The monitor's command line: `ps` and `history`, for the whole site."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from app.cache import Cache
from app.db import Database
from app.quantities import duration, size
from app.settings import Settings
from monitor import queries
from monitor.queries import Life, Point

Connect = Callable[[Settings], tuple[Database, Cache]]


def commands(read: Callable[[], Settings], connect: Connect) -> tuple[click.Command, ...]:
    """The site's settings, database and cache are asked for when a command runs."""

    @click.command()
    @click.option("--json", "as_json", is_flag=True, help="As JSON.")
    def ps(as_json: bool) -> None:
        """Show the processes of the whole site, each with its latest figures."""
        settings = read()
        database, cache = connect(settings)
        found = queries.running_services(database=database, cache=cache, site=settings.site.name)
        if as_json:
            click.echo(json.dumps(found, indent=2))
            return
        click.echo("\n".join(process_table(found, datetime.now(UTC))))

    @click.command()
    @click.argument("service")
    @click.option("--host", metavar="NAME", default="", help="On one host of the site alone.")
    @click.option(
        "--hours",
        type=click.FloatRange(min=0, min_open=True),
        help="So many of the last hours, not its whole life.",
    )
    def history(service: str, host: str, hours: float | None) -> None:
        """Show when a service (a name like sage-1, or a type) has run and how it fared."""
        settings = read()
        database, _ = connect(settings)
        since = datetime.now(UTC) - timedelta(hours=hours) if hours else None
        for line in _history(database, settings.site.name, service, host, since):
            click.echo(line)

    return ps, history


def process_table(found: Sequence[dict[str, Any]], now: datetime) -> list[str]:
    """What `ps` prints of `queries.running_services`."""
    widths = (14, 14, 9, 12, 22, 13, 9, 10, 10, 7, 8)
    titles = (
        "HOST", "SERVICE", "PID", "USER", "ADDRESS", "FOR", "CPU", "MEMORY", "SESSIONS",
        "PAGES", "LAG",
    )  # fmt: skip
    if not found:
        return ["nothing runs"]
    lines = [click.style(_row(titles, widths), dim=True)]
    for one in found:
        age = (now - datetime.fromisoformat(one["started"])).total_seconds()
        address = one["address"] or ""
        where = f"{address}:{one['port']}" if one["port"] else address
        words = (
            one["host"],
            one["name"],
            str(one["pid"]),
            one["username"],
            where if len(where) < widths[4] else "",
            duration(max(0.0, age)),
            _number(one["percent_cpu"], "{:.1f} %"),
            size(one["resident_size"]) if one["resident_size"] is not None else "",
            _sessions(one),
            _number(one["browsers"], "{}"),
            _number(one["hub_lag"], "{:.3f} s"),
        )
        lines.append(_row(words, widths))
    return lines


def _history(
    database: Database, site: str, service: str, host: str, since: datetime | None
) -> list[str]:
    """Raises ClickException, Unavailable."""
    with database.reading() as cursor:
        lives = queries.lives(cursor, site=site, service=service, host=host)
        if not lives:
            known = ", ".join(queries.service_names(cursor, site=site)) or "nothing has run yet"
            where = f" on {host}" if host else ""
            raise click.ClickException(f"no service {service} has run{where}; known are: {known}")
        now = datetime.now(UTC)
        begin = since or lives[0].started
        lives = [life for life in lives if (life.stopped or now) >= begin]
        columns = max(40, min(shutil.get_terminal_size().columns, 160))
        points = queries.course(
            cursor,
            services=[life.id for life in lives],
            since=begin,
            until=now,
            points=columns,
        )
    lines = []
    for place in dict.fromkeys((life.host, life.name) for life in lives):
        own = [life for life in lives if (life.host, life.name) == place]
        ids = {life.id for life in own}
        lines += [click.style("{1} on {0}".format(*place), bold=True)]
        lines += [_life_line(life, now) for life in own]
        lines += _plots([point for point in points if point.service in ids], begin, now, columns)
    return lines or [f"{service} has not run since {begin:%Y-%m-%d %H:%M} UTC"]


def _life_line(life: Life, now: datetime) -> str:
    until = life.stopped or now
    lasted = duration(max(0.0, (until - life.started).total_seconds()))
    end = "runs" if life.running else f"ended {until:%Y-%m-%d %H:%M:%S}: {life.exit}"
    return f"  pid {life.pid:<9}{life.started:%Y-%m-%d %H:%M:%S} UTC  {lasted:<14}{end}"


def _plots(points: Sequence[Point], begin: datetime, end: datetime, columns: int) -> list[str]:
    """Of those figures that there are."""
    from monitor.terminal_plot import terminal_plot  # slow, and of no use to other commands

    figures: list[tuple[str, list[tuple[datetime, float]]]] = [
        ("CPU, % of one core", [(point.time, point.percent_cpu) for point in points]),
        ("memory, MB", [(point.time, point.resident_size / 1e6) for point in points]),
        ("sessions", [(one.time, one.sessions) for one in points if one.sessions is not None]),
        ("open pages", [(one.time, one.browsers) for one in points if one.browsers is not None]),
    ]
    lines = []
    for title, course in figures:
        if course:
            lines += ["", *terminal_plot(title, course, begin, end, columns)]
    return [*lines, ""]


def _row(words: Sequence[str], widths: Sequence[int]) -> str:
    """The first columns are words, the last ones numbers."""
    cells = [f"{word:<{width}}" for word, width in zip(words[:6], widths[:6], strict=True)]
    cells += [f"{word:>{width}}" for word, width in zip(words[6:], widths[6:], strict=True)]
    return "".join(cells).rstrip()


def _number(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


def _sessions(one: dict[str, Any]) -> str:
    if one["sessions"] is None:
        return ""
    return f"{one['sessions']}/{one['sessions'] + one['sessions_free']}"

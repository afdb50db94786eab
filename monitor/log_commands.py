"""`salvus.py log` and `cap`: what all services of the site have said, and how much is kept."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from datetime import datetime

import click
import psycopg2.errors

from app.db import Database
from app.moments import Moment
from app.settings import Settings
from monitor import caps, entries
from monitor.entries import Entry, Wanted
from monitor.lines import LEVELS

COLOURS = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "red", "DEBUG": "bright_black"}
LOOK_SECONDS = 1.0
REMEMBERED = 50_000  # ids of entries that were shown


def commands(
    settings: Callable[[], Settings], connect: Callable[[Settings], Database]
) -> list[click.Command]:
    """`log` and `cap`; `connect` makes the site's database of its settings."""

    @click.command()
    @click.option("--service", "services", multiple=True, metavar="NAME",
                  help="Of this one, or of all of a kind: app-1, app. Several times for several.")
    @click.option("--host", "hosts", multiple=True, metavar="NAME", help="Of this host.")
    @click.option("--level", type=click.Choice(LEVELS, case_sensitive=False), default=None,
                  help="At least so serious.")
    @click.option("--since", type=Moment(), help="10min, 2h, 7d ago; or a time.")
    @click.option("--grep", "pattern", default="", metavar="REGEX",
                  help="Whose text matches; PostgreSQL's regular expressions, any case.")
    @click.option("-n", "--lines", default=100, show_default=True, type=click.IntRange(0, 10**6),
                  help="So many of the last.")
    @click.option("-f", "--follow", is_flag=True, help="And what is added, until Ctrl-C.")
    def log(
        services: tuple[str, ...],
        hosts: tuple[str, ...],
        level: str | None,
        since: datetime | None,
        pattern: str,
        lines: int,
        follow: bool,
    ) -> None:
        """Show what the services of all hosts have said, from the database.

        `logs` shows the files of one host instead, also when the database is away.
        """
        wanted = Wanted(services, hosts, level or "", since, pattern)
        database = connect(settings())
        try:
            _show(database, wanted, lines, follow)
        except psycopg2.errors.InvalidRegularExpression as error:
            reason = str(error.diag.message_primary)
            raise click.BadParameter(reason, param_hint="--grep") from error
        finally:
            database.close()

    @click.command()
    def cap() -> None:
        """Delete logs and samples that are too old or too many, as the settings say, now.

        A running site does so by itself ([monitor] keep_days, log_days, status_rows, log_rows).
        """
        chosen = settings()
        database = connect(chosen)
        try:
            done = caps.cap(database, chosen.monitor)
        finally:
            database.close()
        click.echo(f"deleted: {done.status} samples, {done.log} log lines")

    return [log, cap]


def _show(database: Database, wanted: Wanted, count: int, follow: bool) -> None:
    known: deque[int] = deque(maxlen=REMEMBERED)
    with database.reading() as cursor:
        if follow:  # what is older than the last entries is not news
            known.extend(one.id for one in entries.fresh(cursor, wanted, ()))
        for one in entries.latest(cursor, wanted, count):
            known.append(one.id)
            click.echo(_text(one))
    while follow:
        time.sleep(LOOK_SECONDS)
        with database.reading() as cursor:
            for one in entries.fresh(cursor, wanted, known):
                known.append(one.id)
                click.echo(_text(one))


def _text(one: Entry) -> str:
    moment = f"{one.time.astimezone():%Y-%m-%d %H:%M:%S}"
    level = click.style(f"{one.level or '':8}", fg=COLOURS.get(one.level or ""))
    return f"{moment} {one.host} {one.service:12} {level} {one.message}"

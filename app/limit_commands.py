"""The command line's part for limits: raised for one person, for a time."""

from __future__ import annotations

import json

import click

from app import audit, limits
from app.limits import RAISABLE, BadRaise, Raised
from app.people_commands import Connect, changing, find_person


def commands(connect: Connect) -> list[click.Command]:
    """`connect` gives the settings, the database and the address of the site."""
    return [_raise(connect), _raised(connect), _take_back(connect)]


def _raise(connect: Connect) -> click.Command:
    @click.command("raise-limit")
    @click.argument("who")
    @click.argument("limit", type=click.Choice(list(RAISABLE)), metavar="LIMIT")
    @click.argument("value")
    @click.option("--for", "lasting", required=True, metavar="TIME",
                  help='How long, as "90 min", "2h" or "3d".')  # fmt: skip
    @click.option("--reason", required=True, help="Why: WHO is shown it.")
    def raise_limit(who: str, limit: str, value: str, lasting: str, reason: str) -> None:
        """Let WHO use more for a time: "8 GiB", "2h", "500", or "none" for no limit.

        LIMIT is a key of [limits]. A raise in force of the same limit is replaced.
        """
        settings, database, _ = connect()
        try:
            with changing(database) as cursor:
                person = find_person(cursor, who)
                made = limits.raise_limit(
                    cursor, person.id, limit, value, lasting=lasting, reason=reason,
                    actor=audit.OPERATOR, usual=settings.limits_of(person.role),
                )  # fmt: skip
        except BadRaise as error:
            raise click.ClickException(str(error)) from error
        click.echo(_line(made))

    return raise_limit


def _raised(connect: Connect) -> click.Command:
    @click.command("raised-limits")
    @click.option("--who", default="", help="Only of this person.")
    @click.option("--json", "as_json", is_flag=True, help="As JSON.")
    def listed(who: str, as_json: bool) -> None:
        """List the limits that are raised now."""
        _, database, _ = connect()
        with database.reading() as cursor:
            account = find_person(cursor, who).id if who else ""
            found = limits.raised(cursor, account)
        if as_json:
            click.echo(json.dumps([one.as_json() for one in found], indent=2))
            return
        for one in found:
            click.echo(_line(one))

    return listed


def _take_back(connect: Connect) -> click.Command:
    @click.command("take-back-limit")
    @click.argument("who")
    @click.argument("limit", type=click.Choice(list(RAISABLE)), metavar="LIMIT")
    def take_back(who: str, limit: str) -> None:
        """End a raise of WHO's LIMIT now. A session that runs keeps what it has."""
        _, database, _ = connect()
        with changing(database) as cursor:
            person = find_person(cursor, who)
            if not limits.take_back(cursor, person.id, limit, actor=audit.OPERATOR):
                raise click.ClickException(
                    f"{limit} of {person.name} is not raised; `raised-limits` lists all that are"
                )
        click.echo(f"{person.name} has the usual limit of {limit} again.")

    return take_back


def _line(one: Raised) -> str:
    return (
        f"{one.person}: {one.name} {one.words} until {one.expires:%Y-%m-%d %H:%M %Z},"
        f" by {one.by}: {one.reason}"
    )

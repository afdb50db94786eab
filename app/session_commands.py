"""The command line's part for sessions: those that run now, and their end."""

from __future__ import annotations

import json
from collections.abc import Callable

import click

from app import commands, live_sessions
from app.db import Database
from app.people_commands import find_person
from app.quantities import duration, size
from app.settings import Settings

Connect = Callable[[], tuple[Settings, Database, str]]


def all_commands(connect: Connect) -> list[click.Command]:
    """`connect` gives the settings, the database and the address of the site."""
    return [_sessions(connect), _end_session(connect)]


def _sessions(connect: Connect) -> click.Command:
    @click.command()
    @click.option("--person", "--who", default="", metavar="WHO", help="Only of this person.")
    @click.option("--json", "as_json", is_flag=True, help="As JSON.")
    def sessions(person: str, as_json: bool) -> None:
        """List the Sage sessions that run now on all servers of the site, the busiest first."""
        _, database, _ = connect()
        with database.reading() as cursor:
            account = find_person(cursor, person).id if person else ""
            found = live_sessions.listed(cursor, account=account)
        if as_json:
            click.echo(json.dumps([one.as_json() for one in found], indent=2))
            return
        for one in found:
            silent = "  (its server is silent)" if one.silent else ""
            click.echo(
                f"{one.id[:8]}  {one.name or 'a tool of the site':25}  {one.state or '–':8}  "
                f"{one.percent_cpu:5.0f} %  {duration(one.cpu_seconds):>12} CPU  "
                f"{size(one.memory):>8}  unused for {duration(one.idle):>10}  "
                f"since {one.started:%Y-%m-%d %H:%M}  {one.server}{silent}"
            )

    return sessions


def _end_session(connect: Connect) -> click.Command:
    @click.command("end-session")
    @click.argument("session")
    @click.argument("why", metavar="[REASON]", default="")
    @click.option("--reason", default="", help="What its person is told; also as last argument.")
    def end_session(session: str, why: str, reason: str) -> None:
        """End a Sage session; its open pages show the reason.

        SESSION is the beginning of its id, which `sessions` lists, or of its worksheet's, which
        is the last part of its address.
        """
        said = reason or why
        if not said.strip():
            raise click.UsageError("say why with --reason: its person is told")
        settings, database, _ = connect()
        with database.reading() as cursor:
            found = live_sessions.listed(cursor, id=session) if session else []
        if not found:
            raise click.ClickException(
                f"no session, and no worksheet that has one, begins with {session!r};"
                " `sessions` lists all"
            )
        if len(found) > 1 and found[0].worksheet != session.lower():
            listed = ", ".join(f"{one.id} ({one.name})" for one in found[:10])
            raise click.ClickException(f"{session} may be any of {listed}: say more of the id")
        if not commands.ask(settings, f"/sessions/{found[0].id}/end", reason=said)["ended"]:
            raise click.ClickException("it has just ended by itself")
        click.echo("ended")

    return end_session

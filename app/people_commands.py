"""The command line's part for people: who there is, and what the operator does to them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import IO

import click
from psycopg2.extensions import cursor as Cursor

from app import accounts, audit, join_codes, people, roles
from app.db import Database
from app.moments import Moment
from app.quantities import size
from app.settings import Settings

Connect = Callable[[], tuple[Settings, Database, str]]


def commands(connect: Connect) -> list[click.Command]:
    """`connect` gives the settings, the database and the address of the site."""
    return [
        _people(connect), _invite(connect), _join_code(connect), _reset(connect), _role(connect),
        _disable(connect), _enable(connect), _sign_out(connect), _delete(connect), _export(connect),
        _audit(connect),
    ]  # fmt: skip


def find_person(cursor: Cursor, who: str) -> people.Person:
    """The one person that `who` means: a login, a name, or the beginning of an id."""
    found = people.find(cursor, who)
    if not found:
        raise click.ClickException(f"nobody is called {who}; `people` lists all")
    if len(found) > 1:
        listed = ", ".join(f"{one.id} ({one.name})" for one in found[:10])
        raise click.ClickException(f"{who} may be any of {listed}: say the id")
    return found[0]


@contextmanager
def changing(database: Database) -> Iterator[Cursor]:
    """A transaction whose refusals are the operator's mistakes."""
    try:
        with database.transaction() as cursor:
            yield cursor
    except people.LastOwner as error:
        raise click.ClickException(str(error)) from error


def _people(connect: Connect) -> click.Command:
    @click.command("people")
    @click.argument("words", nargs=-1)
    @click.option("--role", type=click.Choice(roles.ROLES), default=None, help="Only these.")
    @click.option("--state", type=click.Choice(list(people.STATES)), default=None,
                  help="Only who is so now.")  # fmt: skip
    @click.option("--json", "as_json", is_flag=True, help="As JSON.")
    def listed(words: tuple[str, ...], role: str | None, state: str | None, as_json: bool) -> None:
        """List people, what they have and when they were last here.

        With WORDS those in whose name, login or e-mail each of them is.
        """
        _, database, _ = connect()
        with database.reading() as cursor:
            found = people.everybody(cursor, words=" ".join(words), role=role or "",
                                     state=state or "")  # fmt: skip
            usage = people.usage(cursor, [one.id for one in found])
        if as_json:
            rows = [one.as_json() | asdict(usage[one.id]) for one in found]
            click.echo(json.dumps(rows, indent=2))
            return
        for one in found:
            seen = one.seen.strftime("%Y-%m-%d %H:%M") if one.seen else "never"
            state = "disabled" if one.disabled else f"last here {seen}"
            used = usage[one.id]
            click.echo(
                f"{one.id[:8]}  {one.role:13}  {one.login or '–':20}  {one.name:30}  "
                f"{one.worksheets:4} worksheets  {size(used.files):>10}  "
                f"{one.sessions:3} sessions  {used.runs:5} runs in a day  {state}"
            )

    return listed


def _invite(connect: Connect) -> click.Command:
    @click.command()
    @click.option("--role", type=click.Choice(roles.ROLES[1:4]), default="member",
                  show_default=True, help="Of the account that is made.")  # fmt: skip
    def invite(role: str) -> None:
        """Print a link by which one person makes an account."""
        settings, database, site = connect()
        with changing(database) as cursor:
            token = accounts.invite(
                cursor, None, settings.sign_in.invitation_hours, purpose="join", role=role
            )
            audit.note(cursor, actor=audit.OPERATOR, action="invited", detail=role)
        click.echo(f"{site}/join/{token}")

    return invite


def _join_code(connect: Connect) -> click.Command:
    @click.group("join-code")
    def group() -> None:
        """Codes by which many people, such as a class, make accounts."""

    @group.command()
    @click.option("--seats", type=click.IntRange(1, 100_000), default=30, show_default=True,
                  help="How many people it is good for.")  # fmt: skip
    @click.option("--days", type=click.FloatRange(0.01, 3650), default=14.0, show_default=True,
                  help="For how long.")  # fmt: skip
    @click.option("--role", type=click.Choice(roles.ROLES[2:4]), default="member",
                  show_default=True, help="Of the accounts that are made.")  # fmt: skip
    @click.argument("title", default="")
    def create(seats: int, days: float, role: str, title: str) -> None:
        """Print a code; TITLE: whom it is for, as they are told."""
        _, database, site = connect()
        with changing(database) as cursor:
            made = join_codes.create(cursor, seats=seats, days=days, role=role, title=title)
            audit.note(cursor, actor=audit.OPERATOR, action="made a join code",
                       detail=f"{role}, {seats} seats {title}".strip())  # fmt: skip
        click.echo(f"{made.shown}  ({site}/join/{made.code})")

    @group.command("list")
    def show() -> None:
        """List the codes that are good."""
        _, database, _ = connect()
        with database.reading() as cursor:
            found = join_codes.listed(cursor)
        for one in found:
            click.echo(
                f"{one.shown}  {one.role:8}  {one.used:4} of {one.seats:4} seats  "
                f"until {one.expires:%Y-%m-%d %H:%M}  {one.title}"
            )

    @group.command()
    @click.argument("code")
    def revoke(code: str) -> None:
        """Have nobody join by CODE any more."""
        _, database, _ = connect()
        with changing(database) as cursor:
            if not join_codes.revoke(cursor, code):
                raise click.ClickException(f"there is no code {code}; `join-code list` has all")
            audit.note(cursor, actor=audit.OPERATOR, action="revoked a join code")
        click.echo("Nobody joins by it any more.")

    return group


def _reset(connect: Connect) -> click.Command:
    @click.command("reset-password")
    @click.argument("who")
    def reset(who: str) -> None:
        """Print a link by which WHO chooses another password."""
        settings, database, site = connect()
        with changing(database) as cursor:
            person = find_person(cursor, who)
            token = accounts.invite(
                cursor, person.id, settings.sign_in.reset_hours, purpose="password"
            )
            audit.note(cursor, actor=audit.OPERATOR, action="made a password link",
                       subject=person.id)  # fmt: skip
        click.echo(f"{site}/password/{token}")

    return reset


def _role(connect: Connect) -> click.Command:
    @click.command("role")
    @click.argument("who")
    @click.argument("role", type=click.Choice(roles.LASTING))
    def change(who: str, role: str) -> None:
        """Give WHO another role. Open pages are loaded anew."""
        _, database, _ = connect()
        with changing(database) as cursor:
            person = find_person(cursor, who)
            people.set_role(cursor, person.id, role, actor=audit.OPERATOR)
        click.echo(f"{person.name} is {role} now.")

    return change


def _disable(connect: Connect) -> click.Command:
    @click.command()
    @click.argument("who")
    @click.option("--because", default="", help="What WHO is told.")
    def disable(who: str, because: str) -> None:
        """Keep WHO out until `enable`; nothing is deleted."""
        _, database, _ = connect()
        with changing(database) as cursor:
            person = find_person(cursor, who)
            people.disable(cursor, person.id, because, actor=audit.OPERATOR)
        click.echo(f"{person.name} is kept out.")

    return disable


def _enable(connect: Connect) -> click.Command:
    @click.command()
    @click.argument("who")
    def enable(who: str) -> None:
        """Let WHO come in again."""
        _, database, _ = connect()
        with changing(database) as cursor:
            person = find_person(cursor, who)
            people.enable(cursor, person.id, actor=audit.OPERATOR)
        click.echo(f"{person.name} may come in.")

    return enable


def _sign_out(connect: Connect) -> click.Command:
    @click.command("sign-out")
    @click.argument("who")
    def sign_out(who: str) -> None:
        """Sign WHO out everywhere."""
        _, database, _ = connect()
        with changing(database) as cursor:
            person = find_person(cursor, who)
            ended = accounts.end_sign_ins(cursor, person.id)
            audit.note(cursor, actor=audit.OPERATOR, action="signed out everywhere",
                       subject=person.id, detail=f"{ended} browsers")  # fmt: skip
        click.echo(f"{person.name} was signed in in {ended} browsers.")

    return sign_out


def _delete(connect: Connect) -> click.Command:
    @click.command()
    @click.argument("who")
    @click.option("--yes", is_flag=True, help="Do not ask.")
    def delete(who: str, yes: bool) -> None:
        """Delete WHO with all their worksheets and output, for ever."""
        from app import dropbox_accounts  # slow, and of no use to other commands

        settings, database, _ = connect()
        app = settings.providers.get("dropbox")
        with database.reading() as cursor:
            person = find_person(cursor, who)
        if not yes:
            click.confirm(
                f"Delete {person.name} ({person.role}) with {person.worksheets} worksheets,"
                " for ever?",
                abort=True,
            )
        with changing(database) as cursor:
            tokens = dropbox_accounts.held(cursor, person.id, app)
            people.delete(cursor, person.id, actor=audit.OPERATOR)
        click.echo(f"{person.name} is deleted.")
        if app and tokens and not dropbox_accounts.give_back(app, tokens):
            click.echo(
                "Dropbox could not be told so: they may remove this site there, among their"
                " connected apps.",
                err=True,
            )

    return delete


def _export(connect: Connect) -> click.Command:
    @click.command("export-person")
    @click.argument("who")
    @click.argument("file", type=click.File("xb"))
    def export(who: str, file: IO[bytes]) -> None:
        """Write all that the site has of WHO to a new zip FILE."""
        from app import takeout  # slow, and of no use to other commands

        _, database, _ = connect()
        with changing(database) as cursor:
            person = find_person(cursor, who)
            takeout.write(cursor, person.id, file)
            audit.note(cursor, actor=audit.OPERATOR, action="exported the account",
                       subject=person.id)  # fmt: skip
        click.echo(f"{person.name}: {person.worksheets} worksheets.")

    return export


def _audit(connect: Connect) -> click.Command:
    @click.command("audit")
    @click.option("--person", "--who", default="", metavar="WHO",
                  help="Only what this person did, or was done to them.")  # fmt: skip
    @click.option("--kind", type=click.Choice(audit.KINDS), default=None, help="Only these.")
    @click.option("--since", type=Moment(), help="10min, 2h, 7d ago; or a time.")
    @click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 100_000),
                  help="At most so many lines.")  # fmt: skip
    @click.option("--json", "as_json", is_flag=True, help="As JSON.")
    def shown(
        person: str, kind: str | None, since: datetime | None, limit: int, as_json: bool
    ) -> None:
        """Show the log of sign-ins and administration, the latest last.

        A person who is deleted is known by their id only.
        """
        _, database, _ = connect()
        with database.reading() as cursor:
            account = person
            if person and not people.is_id(person):
                account = find_person(cursor, person).id
            found = audit.entries(
                cursor, account=account, kind=kind or "", since=since, limit=limit
            )
        found.reverse()
        if as_json:
            click.echo(json.dumps([one.as_json() for one in found], indent=2))
            return
        for one in found:
            words = " ".join(filter(None, (one.actor, one.action, one.subject, one.detail)))
            where = f" from {one.address}" if one.address else ""
            click.echo(f"{one.time:%Y-%m-%d %H:%M:%S}  {words}{where}")

    return shown

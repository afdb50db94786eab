"""The command line's part for classes: which there are, and to whom one is given."""

from __future__ import annotations

import json

import click
from psycopg2.extensions import cursor as Cursor

from app import audit, classes, roles
from app.classes import Class
from app.people_commands import Connect, changing, find_person


def commands(connect: Connect) -> list[click.Command]:
    """`connect` gives the settings, the database and the address of the site."""
    return [_classes(connect), _class_teacher(connect), _delete_class(connect)]


def find_class(cursor: Cursor, which: str) -> Class:
    """The one class that `which` means: a title, or the beginning of an id."""
    found = [
        one
        for one in classes.listed(cursor, "", roles.ROLES[0])
        if which and (one.title.lower() == which.lower() or one.id.startswith(which.lower()))
    ]
    if not found:
        raise click.ClickException(f"no class is called {which}; `classes` lists all")
    if len(found) > 1:
        listed = ", ".join(f"{one.id} ({one.title})" for one in found[:10])
        raise click.ClickException(f"{which} may be any of {listed}: say the id")
    return found[0]


def _classes(connect: Connect) -> click.Command:
    @click.command("classes")
    @click.option("--json", "as_json", is_flag=True, help="As JSON.")
    def listed(as_json: bool) -> None:
        """List classes, their teachers and how many attend them."""
        _, database, _ = connect()
        with database.reading() as cursor:
            found = classes.listed(cursor, "", roles.ROLES[0])
        if as_json:
            click.echo(json.dumps([one.as_json() for one in found], indent=2))
            return
        for one in found:
            teachers = ", ".join(one.teachers) or "no teacher"
            state = "  archived" if one.archived else ""
            click.echo(
                f"{one.id[:8]}  {one.title:30}  {teachers:30}  {one.students:4} students{state}"
            )

    return listed


def _class_teacher(connect: Connect) -> click.Command:
    @click.command("class-teacher")
    @click.option("--too", is_flag=True, help="Beside the teachers that it has.")
    @click.argument("which", metavar="CLASS")
    @click.argument("who")
    def give(too: bool, which: str, who: str) -> None:
        """Give CLASS to the teacher WHO."""
        _, database, _ = connect()
        with changing(database) as cursor:
            one, person = find_class(cursor, which), find_person(cursor, who)
            if person.role not in roles.TEACHERS:
                raise click.ClickException(
                    f"{person.name} is {person.role}: `role {who} teacher` first"
                )
            classes.give_to(cursor, one.id, person.id, actor=audit.OPERATOR, alone=not too)
        click.echo(f"{person.name} teaches {one.title}.")

    return give


def _delete_class(connect: Connect) -> click.Command:
    @click.command("delete-class")
    @click.argument("which", metavar="CLASS")
    @click.option("--yes", is_flag=True, help="Do not ask.")
    def delete(which: str, yes: bool) -> None:
        """Delete the archived CLASS with all that was collected in it, for ever."""
        _, database, _ = connect()
        with database.reading() as cursor:
            one = find_class(cursor, which)
        if not one.archived:
            raise click.ClickException(f"{one.title} is not archived: its teachers may do that")
        if not yes:
            click.confirm(
                f"Delete {one.title} with what was collected of its students, for ever?", abort=True
            )
        with changing(database) as cursor:
            classes.delete(cursor, one.id, actor=audit.OPERATOR)
        click.echo(f"{one.title} is deleted.")

    return delete

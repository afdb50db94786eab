"""The command line of the app role. `salvus.py` adds these to its own and hands in what they
need.
"""

from __future__ import annotations

from collections.abc import Callable

import click

from app import token
from app.db import Database
from app.settings import Settings

GRACE = 3600.0  # seconds


def token_group(
    read: Callable[[], Settings], connect: Callable[[Settings], Database]
) -> click.Group:
    """`token rotate`; the site's settings and database are asked for when it runs."""

    @click.group("token")
    def group() -> None:
        """The secret by which the site's own servers know each other."""

    @group.command()
    @click.option(
        "--grace",
        default=GRACE,
        show_default=True,
        type=click.FloatRange(min=0),
        help="Seconds for which the token before stays good. 0, if somebody may have it:"
        " servers that have not heard of the new one then connect a few seconds late.",
    )
    def rotate(grace: float) -> None:
        """Make a new token. Nothing stops: servers hear of it within seconds."""
        settings = read()
        with connect(settings).transaction() as cursor:
            made = token.rotate(cursor, grace)
        token.keep(settings.data_dir, made)
        click.echo(f"The site has a new token; the one before is good for {grace:g} s more.")

    return group

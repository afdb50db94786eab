"""The command line of the app role. `salvus.py` adds these to its own and hands in what they
need.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable

import click

from app import layout, token
from app.db import Database
from app.settings import Settings

GRACE = 3600.0  # seconds
PATIENCE = 30.0  # seconds an app server may take to answer


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


def notify_command(read: Callable[[], Settings]) -> click.Command:
    """`notify TEXT`; the settings are asked for when it runs."""

    @click.command()
    @click.argument("text")
    def notify(text: str) -> None:
        """Show a notice on every open page of the site."""
        reached = ask(read(), "/notices", text=text)["browsers"]
        click.echo(f"shown on {reached} open pages")

    return notify


def ask(settings: Settings, path: str, **form: str) -> dict[str, int]:
    """What the first app server answers that is there. Raises ClickException."""
    silent = []
    for server in layout.app_servers(settings):
        where = layout.bracketed(layout.asked_at(server.address))
        try:
            return _post(f"http://{where}:{server.port}{path}", settings, **form)
        except urllib.error.HTTPError as error:
            raise click.ClickException(error.read().decode(errors="replace").strip()) from error
        except OSError as error:
            silent.append(f"{server.at}: {error}")
    raise click.ClickException("no app server answers: " + "; ".join(silent))


def _post(address: str, settings: Settings, **form: str) -> dict[str, int]:
    """What an app server answers to one of the site's tools. Raises OSError."""
    request = urllib.request.Request(
        address,
        data=urllib.parse.urlencode(form).encode(),
        headers={"Authorization": f"Bearer {token.site_token(settings.data_dir)}"},
    )
    with urllib.request.urlopen(request, timeout=PATIENCE) as response:
        found: dict[str, int] = json.load(response)
        return found

"""The commands with which a site's hosts are operated: `status`, `restart app`, `logs -f` …"""

from __future__ import annotations

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from app import layout, words
from app import settings as settings_file
from app.settings import Settings, SettingsError
from app.token import site_token
from app.wire.messages_pb2 import Message, Order
from app.wire.tls import client_context
from supervisor import catalog, certs, configuration, locations, unit
from supervisor.client import Client, NoSupervisor
from supervisor.console import coloured
from supervisor.control import SUPERVISOR
from supervisor.logs import Follower
from supervisor.overview import Overview, prefixed

WATCH_SECONDS = 2.0
LOOK_SECONDS = 0.2  # between looks at a log that is followed
SITE_SECONDS = 5.0  # that an app server may take to say how it fares

on_host = click.option("--host", metavar="NAME", default="", help="On another host of the site.")
services_named = click.argument("services", nargs=-1, metavar="[SERVICE|TYPE]…")


def client(settings: Settings) -> Client:
    """Of this site's supervisors."""
    return Client(
        settings=settings,
        token=lambda: site_token(settings.data_dir),
        context=lambda: client_context(certs.identity(settings)),
    )


def _answers(settings: Settings, order: Order, host: str) -> Iterator[Message]:
    """What comes before Done. Raises ClickException, NoSupervisor."""
    for message in client(settings).ask(order, host):
        if not message.HasField("done"):
            yield message
        elif message.done.failure:
            raise click.ClickException(message.done.failure)


# --- What runs --------------------------------------------------------------------


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option("--watch", is_flag=True, help="Again and again, until Ctrl-C.")
@click.option("--host", metavar="NAME", default="", help="One host of the site alone.")
def status(as_json: bool, watch: bool, host: str) -> None:
    """Show what runs on all hosts. The exit code is 1 if something should be up and isn't."""
    settings = settings_file.read()
    while True:
        overview = _overview(settings, host)
        if watch and not as_json:
            click.clear()
        if as_json:
            click.echo(json.dumps(overview.as_json(), indent=None if watch else 2))
        else:
            click.echo("\n".join(overview.lines()))
        if not watch:
            sys.exit(0 if overview.is_well else 1)
        time.sleep(WATCH_SECONDS)


@click.command()
@services_named
@on_host
def pids(services: tuple[str, ...], host: str) -> None:
    """Print the process ids of services, a line each: `kill -HUP $(… pids sage-1)`."""
    settings = settings_file.read()
    report = client(settings).report(host)
    known = {word for one in report.services for word in (one.name, one.type)}
    if unknown := set(services) - known:
        raise click.ClickException(f"there is no service {min(unknown)}")
    chosen = [
        one
        for one in report.services
        if one.pid and (not services or {one.name, one.type} & set(services))
    ]
    for one in chosen:
        click.echo(str(one.pid) if len(services) == 1 else f"{one.pid:<8} {one.name}")


def _overview(settings: Settings, host: str) -> Overview:
    reports, silent = [], {}
    for name in (host,) if host else (tuple(settings.hosts) or (settings.host_name,)):
        try:
            reports.append(client(settings).report(name))
        except NoSupervisor as error:
            silent[name] = str(error)
    return Overview(reports, silent, _site(settings))


def _site(settings: Settings) -> dict[str, Any]:
    """What an app server of this host says of the site; nothing if there is none."""
    servers = catalog.app_servers(settings)
    own = {one.at for one in layout.own(settings, layout.app_servers(settings))}
    for server in sorted(servers, key=lambda one: f"{one.host}:{one.port}" not in own):
        request = urllib.request.Request(
            f"http://{layout.bracketed(server.host)}:{server.port}/status",
            headers={
                "Accept": "application/json",
                "Authorization": f"Bearer {site_token(settings.data_dir)}",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=SITE_SECONDS) as response:
                found: dict[str, Any] = json.load(response)
                return found
        except (OSError, ValueError):
            continue
    return {}


# --- What shall run -----------------------------------------------------------------


@click.command()
@services_named
@on_host
def start(services: tuple[str, ...], host: str) -> None:
    """Start services (all, if none is named), also those that were given up."""
    _carry_out(Order(verb=Order.START, services=services), host)


@click.command()
@services_named
@on_host
def stop(services: tuple[str, ...], host: str) -> None:
    """Stop services (all, if none is named) until they are started again."""
    _carry_out(Order(verb=Order.STOP, services=services), host)


@click.command()
@services_named
@click.option("--now", is_flag=True, help="Without waiting for sessions that compute.")
@on_host
def restart(services: tuple[str, ...], now: bool, host: str) -> None:
    """Restart services one after the other (all, if none is named).

    A new app server is up before the old one leaves. A Sage server gets no new sessions and
    is replaced when those that it has are over or idle, or after [sage] drain_seconds. Ctrl-C
    ends the watching, not the restart.
    """
    _carry_out(Order(verb=Order.RESTART, services=services, now=now), host)


@click.command()
@on_host
def reload(host: str) -> None:
    """Take up changed settings: only what they make different is touched.

    A running site does so by itself when the file changes.
    """
    _carry_out(Order(verb=Order.RELOAD), host)


def _carry_out(order: Order, host: str) -> None:
    for message in _answers(settings_file.read(), order, host):
        one = message.progress
        click.echo(f"{one.service:14}{coloured(one.state)}  {one.reason}".rstrip())


# --- What they say --------------------------------------------------------------------


@click.command()
@services_named
@click.option("-f", "--follow", is_flag=True, help="And what is added, until Ctrl-C.")
@click.option("-n", "--lines", default=50, show_default=True, help="So many of the last lines.")
@on_host
def logs(services: tuple[str, ...], follow: bool, lines: int, host: str) -> None:
    """Show the logs of services (of all, if none is named; `supervisor` is one of them)."""
    settings = settings_file.read()
    if host and host != settings.host_name:
        order = Order(verb=Order.LOGS, services=services, lines=lines, follow=follow)
        for message in _answers(settings, order, host):
            one = message.log_text
            _show_text(one.service, one.text, named=len(services) != 1)
        return
    files = _log_files(settings, services)
    followers = {name: Follower(file, lines=lines) for name, file in files.items()}
    while True:
        for name, follower in followers.items():
            _show_text(name, follower.read(), named=len(followers) > 1)
        if not follow:
            return
        time.sleep(LOOK_SECONDS)


def _log_files(settings: Settings, services: tuple[str, ...]) -> dict[str, Path]:
    """Of this host, whether or not it runs."""
    folder = locations.log_file(settings, SUPERVISOR).parent
    known = {file.stem: file for file in sorted(folder.glob("*.log"))}
    chosen = {
        name: file
        for name, file in known.items()
        if not services or name in services or name.rpartition("-")[0] in services
    }
    if not chosen:
        there = ", ".join(known) or "none"
        raise click.ClickException(f"{folder} has no such log; there are: {there}")
    return chosen


def _show_text(name: str, text: bytes, *, named: bool) -> None:
    words = text.decode(errors="replace")
    if named:
        words = "".join(f"{line}\n" for line in prefixed(name, words, 12))
    click.echo(words, nl=False)


# --- Setting up -----------------------------------------------------------------------


@click.command()
def check() -> None:
    """Say what is wrong with the settings and what is made of them, without touching what runs."""
    settings = settings_file.read()
    problems = [*configuration.problems(settings), *_problems_of_words(settings)]
    for notice in catalog.notices(settings):
        click.secho(notice, fg="yellow")
    for problem in problems:
        click.secho(problem, fg="red", err=True)
    if problems:
        sys.exit(1)
    names = ", ".join(one.name for one in catalog.whole_host(settings))
    click.echo(f"{settings.file} is good. {settings.host_name} runs: {names}")


def _problems_of_words(settings: Settings) -> list[str]:
    try:
        words.of_site(settings)
    except SettingsError as error:
        return [str(error)]
    return []


@click.command()
def init() -> None:
    """Make the data folder with the site's token and certificates, and say where they are."""
    settings = settings_file.read()
    locations.make_all(settings)
    site_token(settings.data_dir)
    certs.identity(settings)
    click.echo(f"{settings.data_dir} is ready")
    _show_certificates(settings)


@click.command()
@click.option("--renew", is_flag=True, help="Those that the site's CA signs, before their time.")
def cert(renew: bool) -> None:
    """Show this host's certificates: for whom, and until when."""
    settings = settings_file.read()
    locations.make_all(settings)
    if renew:
        configuration.renew_certificates(settings)
    _show_certificates(settings)


def _show_certificates(settings: Settings) -> None:
    for one in certs.overview(settings.data_dir):
        colour = "red" if one.is_bad else None
        click.secho(f"{one.file.name:14}{one.state:24}{', '.join(one.names)}".rstrip(), fg=colour)
    click.echo(f"in {locations.certificates(settings)}")


@click.command("install-unit")
@click.option("--print", "only_print", is_flag=True, help="Print the unit, install nothing.")
def install_unit(only_print: bool) -> None:
    """Have systemd run this host: as root for the system, else for this user."""
    settings = settings_file.read()
    if only_print:
        click.echo(unit.text(settings), nl=False)
        return
    for line in unit.install(settings):
        click.echo(line)


ALL: tuple[click.Command, ...] = (
    status, pids, start, stop, restart, reload, logs, check, init, cert, install_unit,
)  # fmt: skip

"""Salvus: self-hosted SageMath in the browser.

`gunicorn salvus:app` runs the small form: pages, Sage sessions and monitor in one process,
with PostgreSQL and memcached found or started for it. `python salvus.py supervise` runs a
whole host, each part a process of its own. This file wires the parts and does nothing else.
"""

from app import green  # noqa: I001  (patches; must stay the first import)

import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import click
import gevent
from gevent.event import Event

from app import (
    accounts,
    class_commands,
    commands,
    limit_commands,
    people_commands,
    session_commands,
    words,
)
from app import settings as settings_file
from app.balance import Load
from app.cache import Cache
from app.db import Database, MigrationError, Unavailable
from app.sage import console
from app.sage.pool import PoolError
from app.sage.role import SageRole
from app.settings import MISCONFIGURED, ROOT, Settings, SettingsError
from app.token import Tokens
from app.wire.messages_pb2 import HostReport
from app.wire.tls import client_context, server_context
from monitor import commands as monitoring
from monitor import log_commands
from monitor.monitor import Monitor
from monitor.overview import Overview
from monitor.queries import sage_loads
from monitor.ring import Ring
from monitor.samples import HubLag, Watched
from monitor.vitals import Listener, Teller, Vitals
from supervisor import catalog, certs, front, locations, memcached, postgresql, site_commands
from supervisor import commands as operating
from supervisor.client import Client, NoSupervisor
from supervisor.control import service_report
from supervisor.lock import Lock
from supervisor.overview import complaints
from supervisor.renewal import Renewal
from supervisor.reports import Reports
from supervisor.schedule import Schedule
from supervisor.service import CannotStart, State
from supervisor.supervision import Supervision
from supervisor.supervisor import Supervisor

VERSION = "0.1.0"
DATABASE_RETRY = 1.0  # seconds between tries to reach it at start

log = logging.getLogger("salvus")


def prepared() -> Settings:
    """The settings, and the folders they name. Raises SettingsError, CannotStart."""
    settings = settings_file.read()
    words.of_site(settings)  # a catalogue that can't be read is said at once
    locations.make_all(settings)
    return settings


def connect(settings: Settings) -> Database:
    """The site's database, as this process uses it."""
    return Database(
        url=postgresql.database_url(settings),
        connections=settings.database.connections,
        wait_seconds=settings.database.wait_seconds,
        statement_seconds=settings.database.statement_seconds,
    )


def connect_cache(settings: Settings) -> Cache:
    """The site's cache, as this process uses it."""
    servers = memcached.memcached_servers(settings)
    return Cache(servers=servers, timeout=settings.memcached.timeout)


def migrate(database: Database) -> None:
    """Bring the schema up to date, waiting for the database as long as it takes."""
    complained = False
    while True:
        try:
            database.migrate(ROOT / "app" / "schema")
            return
        except Unavailable as error:
            if not complained:
                log.warning("waiting for the database: %s", error)
            complained = True
            gevent.sleep(DATABASE_RETRY)


def first_address(settings: Settings, database: Database) -> str:
    """A new address that signs the owner's browser in, once. Raises Unavailable."""
    with database.transaction() as cursor:
        token = accounts.invite(
            cursor, accounts.owner(cursor), settings.app.first_address_hours
        )
    return f"{front.origin(settings)}/?token={token}"


def sage_role(settings: Settings, database: Database, tokens: Tokens) -> SageRole:
    return SageRole(
        settings=settings,
        database=database,
        tokens=tokens,
        context=server_context(certs.identity(settings)),
    )


def sage_vitals(role: SageRole) -> Vitals:
    """As far as sessions go."""
    return Vitals(sessions=role.pool.used, sessions_free=role.pool.free)


class Site:
    """What `gunicorn salvus:app` runs: the app role and, in the small form, the others."""

    def __init__(self, settings: Settings) -> None:
        from app.role import AppRole  # Flask and all pages: of no use to commands, Sage servers …

        self.settings = settings
        self._database = connect(settings)
        self._tokens = Tokens(data_dir=settings.data_dir, database=self._database)
        self._cache = connect_cache(settings)
        self._lag = HubLag(window=settings.monitor.interval)
        self._overview = Overview(
            database=self._database, cache=self._cache, site=settings.site.name
        )
        context = client_context(certs.identity(settings))
        self._supervisors = Reports(
            settings=settings,
            client=Client(
                settings=settings,
                token=lambda: self._tokens.current,
                context=lambda: context,
            ),
        )
        self._ring = Ring(
            database=self._database,
            cache=self._cache,
            site=settings.site.name,
            interval=settings.monitor.interval,
        )
        self._app = AppRole(
            settings=settings,
            version=VERSION,
            database=self._database,
            cache=self._cache,
            tokens=self._tokens,
            context=context,
            served=server_context(certs.identity(settings)),
            watching=self._overview,
            loads=self._loads,
            reports=self._reports,
            notices=self._notices,
            lag=lambda: self._lag.seconds,
        )
        self.wsgi = self._app.wsgi
        self._renewal = Renewal(settings=settings, renewed=lambda: None)
        self._sage: SageRole | None = None
        self._support: Supervisor | None = None
        self._monitor: Monitor | None = None
        self._teller: Teller | None = None
        self._lock: Lock | None = None

    def start(self) -> None:
        """Start everything, without waiting for it: pages say what is not yet there."""
        green.activate()
        self._lag.start()
        self._tokens.start()
        self._app.start()
        if "monitor" not in self.settings.app.roles:
            at = f"{self.settings.app.host}:{self.settings.app.port}"
            self._teller = teller(self.settings, at, self._vitals)
            self._teller.start()
            self._ring.start()
        gevent.spawn(self._start_rest)

    def leave(self) -> None:
        """Tell the open pages to come back, elsewhere or later."""
        self._app.leave()

    def stop(self) -> None:
        self._ring.stop()
        self._app.stop()
        self._tokens.stop()
        if self._teller is not None:
            self._teller.stop()
        if self._monitor is not None:
            self._monitor.stop()
        if self._sage is not None:
            self._sage.stop()
        self._renewal.stop()
        self._database.close()
        self._cache.close()
        if self._support is not None:
            self._support.stop()
        if self._lock is not None:
            self._lock.release()

    def _loads(self) -> dict[str, Load]:
        """Of the site's sage servers. Raises Unavailable."""
        return sage_loads(self._overview.services())

    def _reports(self) -> tuple[Sequence[HostReport], Mapping[str, str]]:
        """What supervisors say; in the small form we are it."""
        if "monitor" not in self.settings.app.roles:
            return self._supervisors.ask()
        support = self._support.snapshot() if self._support is not None else []
        host = self.settings.host_name
        services = [service_report(one) for one in support]
        notices = catalog.notices(self.settings)
        return [HostReport(host=host, services=services, notices=notices)], {}

    def _notices(self) -> Sequence[str]:
        """What is wrong on this host and what it does without."""
        reports, _ = self._reports()
        own = [one for one in reports if one.host == self.settings.host_name]
        return complaints(own[0]) if own else catalog.notices(self.settings)

    def _start_rest(self) -> None:
        try:
            if "sage" in self.settings.app.roles:
                self._start_support()
            migrate(self._database)
            if "sage" in self.settings.app.roles:
                print(f"Salvus: {first_address(self.settings, self._database)}", flush=True)
                self._sage = sage_role(self.settings, self._database, self._tokens)
                self._renewal.start()
                self._sage.start()
            if "monitor" in self.settings.app.roles:
                self._start_monitor()
        except (CannotStart, MigrationError, PoolError, OSError) as error:
            log.critical("%s", error)
            os.kill(os.getpid(), signal.SIGTERM)

    def _start_support(self) -> None:
        """Bring up the PostgreSQL and memcached that the settings leave to us."""
        self._lock = Lock(self.settings.data_dir, wait_seconds=10)
        self._support = Supervisor(
            services=catalog.support(self.settings),
            rules=catalog.rules(self.settings),
            on_change=_log_change,
        )
        self._support.start()
        if failures := self._support.wait_settled():
            raise CannotStart("; ".join(f"{name}: {why}" for name, why in failures.items()))

    def _start_monitor(self) -> None:
        this = Watched(
            type="salvus",
            name="salvus",
            pid=os.getpid(),
            address=self.settings.app.host,
            port=self.settings.app.port,
        )
        support = self._support
        self._monitor = Monitor(
            database=self._database,
            cache=self._cache,
            settings=self.settings,
            services=lambda: [this, *(watched(support) if support else ())],
            vitals=lambda at: self._vitals() if at == this.at else None,
        )
        self._monitor.start()

    def _vitals(self) -> Vitals:
        sessions = sage_vitals(self._sage) if self._sage is not None else Vitals()
        return replace(sessions, browsers=len(self._app.browsers), hub_lag=self._lag.seconds)


def teller(settings: Settings, at: str, vitals: Callable[[], Vitals]) -> Teller:
    """Lets the monitor of this host know how the server at host:port fares."""
    return Teller(
        path=locations.vitals(settings), at=at, interval=settings.monitor.interval, vitals=vitals
    )


def watched(host: Supervisor) -> list[Watched]:
    """A host's services as the monitor takes them."""
    return [
        Watched(
            type=one["type"],
            name=one["name"],
            pid=one["pid"],
            address=one["address"],
            port=one["port"],
            reason=one["reason"],
        )
        for one in host.snapshot()
    ]


def _log_change(name: str, state: State, reason: str) -> None:
    log.info("%s: %s%s", name, state.value, f" ({reason})" if reason else "")


# --- The command line -----------------------------------------------------------


class Misconfigured(click.ClickException):
    exit_code = MISCONFIGURED  # which says to a supervisor that another try is in vain


class Commands(click.Group):
    """Shows the operator's mistakes as a line, not as a traceback."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except SettingsError as error:
            raise Misconfigured(str(error)) from error
        except (
            CannotStart, MigrationError, PoolError, Unavailable, NoSupervisor
        ) as error:  # fmt: skip
            raise click.ClickException(str(error)) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, "--version", prog_name="salvus")
@click.option("-v", "--verbose", is_flag=True, help="Say more about what happens.")
def main(verbose: bool) -> None:
    """Salvus: self-hosted SageMath in the browser."""
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    green.activate()


@main.command()
def supervise() -> None:
    """Run this host: PostgreSQL, memcached, Sage and the web site, until Ctrl-C."""
    settings = prepared()
    stopping = Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        gevent.signal_handler(number, stopping.set)
    database = connect(settings)
    cache = connect_cache(settings)
    tokens = Tokens(data_dir=settings.data_dir, database=database)
    supervision = Supervision(settings=settings, read=settings_file.read, tokens=tokens)
    host = supervision.services
    this = Watched(type="supervisor", name="supervisor", pid=os.getpid(), alone=True)
    listener = Listener(path=locations.vitals(settings), interval=settings.monitor.interval)
    monitor = Monitor(
        database=database,
        cache=cache,
        settings=settings,
        services=lambda: [this, *watched(host)],
        vitals=listener.of,
    )
    for notice in catalog.notices(settings):
        supervision.console.say(notice)
    listener.start()
    supervision.start()
    tokens.start()
    telling = gevent.spawn(_tell_address, supervision, settings, database, monitor)
    backups = Schedule(settings=settings_file.read)
    backups.start()
    stopping.wait()
    supervision.console.say("stopping …")
    backups.stop()
    telling.kill()
    tokens.stop()
    monitor.stop()
    supervision.stop()
    listener.stop()
    database.close()
    cache.close()


def _tell_address(
    supervision: Supervision, settings: Settings, database: Database, monitor: Monitor
) -> None:
    """Once everything is up, print where the site is; watch it from then on."""
    say = supervision.console.say
    failures = supervision.services.wait_settled()
    for name, why in failures.items():
        say(click.style(f"{name}: {why}", fg="red"))
    migrate(database)
    monitor.start()
    if failures:
        return
    while not front.is_open(settings):
        gevent.sleep(0.05)
    address = first_address(settings, database)
    supervision.console.show(
        f"\nSalvus is up. Open this address; it signs one browser in:\n\n  {address}\n"
    )
    say("Ctrl-C stops everything; `python salvus.py address` makes another address.")


@main.command()
def sage() -> None:
    """Run a sage server: warm Sage, and the sessions forked from it.

    SIGHUP has it warm a new Sage, from which the next sessions come; SIGUSR1 has it end when
    nobody uses its sessions any more, and take no new ones.
    """
    logging.getLogger().setLevel(logging.INFO)
    settings = prepared()
    database = connect(settings)
    tokens = Tokens(data_dir=settings.data_dir, database=database)
    role = sage_role(settings, database, tokens)
    renewal = Renewal(settings=settings, renewed=lambda: None)
    stopping = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        gevent.signal_handler(number, stopping.set)
    gevent.signal_handler(signal.SIGHUP, role.pool.replace_zygote)
    gevent.signal_handler(signal.SIGUSR1, _leave_gently, role, stopping)
    lag = HubLag(window=settings.monitor.interval)
    telling = teller(
        settings,
        role.address,
        lambda: replace(sage_vitals(role), hub_lag=lag.seconds),
    )
    preparing = gevent.spawn(migrate, database)
    tokens.start()
    failures: list[Exception] = []
    starting = gevent.spawn(_start, role, failures, stopping)
    try:
        lag.start()
        telling.start()
        renewal.start()
        stopping.wait()
    finally:
        starting.kill()
        preparing.kill()
        telling.stop()
        lag.stop()
        tokens.stop()
        renewal.stop()
        role.stop()
    for failure in failures:
        raise click.ClickException(getattr(failure, "strerror", "") or str(failure)) from failure


def _start(role: SageRole, failures: list[Exception], stopping: Event) -> None:
    """In a greenlet of its own, as it takes a while, in which it may be wanted no more."""
    try:
        role.start()
    except (PoolError, OSError) as error:
        failures.append(error)
        stopping.set()


def _leave_gently(role: SageRole, stopping: Event) -> None:
    role.drain()
    stopping.set()


@main.command()
def address() -> None:
    """Print a new address that signs one browser in."""
    settings = settings_file.read()
    click.echo(first_address(settings, connect(settings)))


for command in (*operating.ALL, *site_commands.ALL):
    main.add_command(command)
for command in log_commands.commands(settings_file.read, connect):
    main.add_command(command)
main.add_command(commands.token_group(settings_file.read, connect))
main.add_command(commands.notify_command(settings_file.read))
main.add_command(console.command(settings_file.read, certs.made_identity))


def _database_and_cache(settings: Settings) -> tuple[Database, Cache]:
    return connect(settings), connect_cache(settings)


for command in monitoring.commands(settings_file.read, _database_and_cache):
    main.add_command(command)


def _site_of_operator() -> tuple[Settings, Database, str]:
    settings = settings_file.read()
    return settings, connect(settings), front.origin(settings)


for command in (
    *people_commands.commands(_site_of_operator),
    *session_commands.all_commands(_site_of_operator),
    *limit_commands.commands(_site_of_operator),
    *class_commands.commands(_site_of_operator),
):
    main.add_command(command)

if __name__ == "__main__":
    main()
else:
    try:
        site = Site(prepared())
    except (SettingsError, CannotStart, OSError) as error:
        sys.exit(f"salvus: {error}")
    app = site.wsgi

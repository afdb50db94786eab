"""What runs on a host: the services, what each needs, and how it is asked whether it is up."""

from __future__ import annotations

import secrets
import signal
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from app import layout
from app.layout import Server
from app.settings import ROOT, Settings
from supervisor import (
    basis,
    conf,
    database_access,
    free_port,
    front,
    http_probe,
    inheritance,
    locations,
    memcached,
    openvpn,
    postgresql,
    schedule,
)
from supervisor.haproxy import AppServer
from supervisor.hello_probe import HelloProbe
from supervisor.service import Command, Reload, Rules, Service

PATIENCE = 10.0  # seconds in which the sage server can say itself that Sage was too slow


def rules(settings: Settings) -> Rules:
    chosen = settings.supervisor
    return Rules(
        start_seconds=chosen.start_seconds,
        stop_seconds=chosen.stop_seconds,
        probe_seconds=chosen.probe_seconds,
        hung_seconds=chosen.hung_seconds,
        restarts=chosen.restarts,
        restart_window=chosen.restart_window,
    )


def notices(settings: Settings) -> tuple[str, ...]:
    """What this host does without, in words."""
    found = front.notices(settings)
    if not settings.memcached.servers and memcached.find_binary(settings) is None:
        missing = "memcached is not installed: nothing is cached (`apt-get install memcached`)"
        found = (missing, *found)
    return (*found, *schedule.notices(settings, time.time()))


def support(settings: Settings) -> tuple[Service, ...]:
    """The services that Salvus itself asks, unless the settings or roles leave them to others."""
    services = []
    folder = postgresql.socket_folder(settings)
    is_shared = database_access.is_shared(settings)
    if not settings.database.url and "database" in settings.here.roles:
        services.append(
            Service(
                name="postgresql",
                prepare=partial(postgresql.prepare, settings),
                probe=partial(postgresql.probe, settings),
                reload=Reload(
                    postgresql.RELOAD,
                    partial(postgresql.content, settings),
                    partial(postgresql.renew, settings),
                ),
                address=settings.here.address if is_shared else str(folder),
                port=settings.database.port if is_shared else None,
                basis=basis.of_postgresql(settings),
            )
        )
    has_cache = not settings.memcached.servers and "cache" in settings.here.roles
    if has_cache and memcached.find_binary(settings):
        services.append(
            Service(
                name="memcached",
                prepare=partial(memcached.prepare, settings),
                probe=partial(memcached.probe, settings),
                address=memcached.address(settings),
                port=settings.memcached.port if memcached.is_shared(settings) else None,
                basis=basis.of_memcached(settings),
            )
        )
    return tuple(services)


def whole_host(settings: Settings) -> tuple[Service, ...]:
    """All that this host runs."""
    services = [*openvpn.services(settings)]
    network = tuple(service.name for service in services)
    services += [replace(one, after=network) for one in support(settings)]
    below = tuple(service.name for service in services)
    own_sage = layout.own(settings, layout.sage_servers(settings))
    ports = [server.port for server in own_sage]
    services += [_sage_server(settings, server, ports, below) for server in own_sage]
    below = tuple(service.name for service in services)
    own_apps = layout.own(settings, layout.app_servers(settings))
    services += [_app_server(settings, server, below) for server in own_apps]
    return (*services, *front.services(settings, app_servers(settings)))


def app_servers(settings: Settings) -> tuple[AppServer, ...]:
    """Those of the site, as HAProxy sees them from here."""
    return tuple(
        AppServer(
            f"{one.host}-{one.name}" if settings.hosts else one.name,
            layout.asked_at(one.address),
            one.port,
        )
        for one in layout.app_servers(settings)
    )


def _sage_server(
    settings: Settings, server: Server, ports: Sequence[int], after: tuple[str, ...]
) -> Service:
    """`ports`: of all on this host."""
    asked = layout.asked_at(server.address)
    told = {
        **environment(settings),
        "SALVUS_SAGE_HOST": server.address,
        "SALVUS_SAGE_PORT": str(server.port),
    }

    def prepare() -> Command:
        free_port.require(server.address, server.port, "[sage] port")
        _write_settings(settings)
        if server.port == ports[0]:
            inheritance.gather(settings, ports)
        return Command(
            arguments=(sys.executable, str(ROOT / "salvus.py"), "sage"),
            log=locations.log_file(settings, server.name),
            environment=told,
            folder=ROOT,
            drain_signal=signal.SIGUSR1,
        )

    return Service(
        name=server.name,
        type="sage",
        prepare=prepare,
        probe=HelloProbe(settings, f"{asked}:{server.port}"),
        after=after,
        address=server.address,
        port=server.port,
        start_seconds=settings.sage.start_seconds + PATIENCE,
        drain_seconds=settings.sage.drain_seconds,
        basis=basis.of_sage_server(settings, told),
    )


def _app_server(settings: Settings, server: Server, after: tuple[str, ...]) -> Service:
    """Each process of it has a socket of its own, besides the port that it shares with the
    one it replaces: there it is asked whether it is up."""
    file = locations.sockets(settings) / "app" / f"{server.name}-{secrets.token_hex(4)}"
    told = {
        **environment(settings),
        "SALVUS_APP_HOST": server.address,
        "SALVUS_APP_PORT": str(server.port),
        "SALVUS_APP_ROLES": "app",
        "SALVUS_SAGE_SERVERS": ",".join(layout.sage_addresses(settings)),
        "SALVUS_APP_PROXIES": ",".join(front.proxies(settings)),
    }

    def prepare() -> Command:
        free_port.require(server.address, server.port, "[app] port", shared=True)
        _write_settings(settings)
        front.publish(settings)
        locations.make_folder(file.parent, 0o700)
        _remove_unused(file.parent)
        gunicorn = (sys.executable, "-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py"))
        return Command(
            arguments=(*gunicorn, "salvus:app"),
            log=locations.log_file(settings, server.name),
            environment={**told, "SALVUS_APP_SOCKET": str(file)},
            folder=ROOT,
        )

    return Service(
        name=server.name,
        type="app",
        prepare=prepare,
        probe=partial(http_probe.over_unix, file, "/alive", 200),
        after=after,
        address=server.address,
        port=server.port,
        basis=basis.of_app_server(settings, told),
        successor=partial(_app_server, settings, server, after),
    )


def _write_settings(settings: Settings) -> None:
    """For our own programs; passwords may be in it."""
    conf.write_if_changed(locations.settings_in_use(settings), settings.text, 0o600)


def _remove_unused(folder: Path) -> None:
    """Sockets that nobody listens at."""
    for path in folder.iterdir():
        with socket.socket(socket.AF_UNIX) as asking:
            try:
                asking.connect(str(path))
            except OSError:
                path.unlink(missing_ok=True)


def environment(settings: Settings) -> dict[str, str]:
    """What our own programs are told, so that they need not look for it. Raises CannotStart."""
    host = {"SALVUS_SITE_HOST": settings.host_name} if settings.hosts else {}
    return {
        **host,
        "SALVUS_CONFIG": str(locations.settings_in_use(settings)),
        "SALVUS_SITE_DATA_DIR": str(settings.data_dir),
        "SALVUS_DATABASE_URL": postgresql.database_url(settings),
        "SALVUS_MEMCACHED_SERVERS": ",".join(memcached.memcached_servers(settings)),
        "PYTHONUNBUFFERED": "1",
    }

"""What runs on a host: the services, what each needs, and how it is asked whether it is up."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial

from app import layout
from app.layout import Server
from app.settings import ROOT, Settings
from supervisor import (
    database_access,
    front,
    inheritance,
    locations,
    memcached,
    postgresql,
    probes,
)
from supervisor.haproxy import AppServer
from supervisor.service import Command, Reload, Rules, Service

PATIENCE = 10.0  # seconds in which the sage server can say itself that Sage was too slow
ASKED_AT = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # listened on → asked at


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
    return found


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
            )
        )
    return tuple(services)


def whole_host(settings: Settings) -> tuple[Service, ...]:
    """All that this host runs."""
    services = [*support(settings)]
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
            ASKED_AT.get(one.address, one.address),
            one.port,
        )
        for one in layout.app_servers(settings)
    )


def _sage_server(
    settings: Settings, server: Server, ports: Sequence[int], after: tuple[str, ...]
) -> Service:
    """`ports`: of all on this host."""

    def prepare() -> Command:
        probes.require_free_port(server.address, server.port, "[sage] port")
        if server.port == ports[0]:
            inheritance.gather(settings, ports)
        return Command(
            arguments=(sys.executable, str(ROOT / "salvus.py"), "sage"),
            log=locations.log_file(settings, server.name),
            environment={
                **environment(settings),
                "SALVUS_SAGE_HOST": server.address,
                "SALVUS_SAGE_PORT": str(server.port),
            },
            folder=ROOT,
        )

    return Service(
        name=server.name,
        type="sage",
        prepare=prepare,
        probe=partial(probes.tcp, ASKED_AT.get(server.address, server.address), server.port),
        after=after,
        address=server.address,
        port=server.port,
        start_seconds=settings.sage.start_seconds + PATIENCE,
    )


def _app_server(settings: Settings, server: Server, after: tuple[str, ...]) -> Service:
    def prepare() -> Command:
        probes.require_free_port(server.address, server.port, "[app] port")
        front.publish(settings)
        gunicorn = (sys.executable, "-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py"))
        return Command(
            arguments=(*gunicorn, "salvus:app"),
            log=locations.log_file(settings, server.name),
            environment={
                **environment(settings),
                "SALVUS_APP_HOST": server.address,
                "SALVUS_APP_PORT": str(server.port),
                "SALVUS_APP_ROLES": "app",
                "SALVUS_SAGE_SERVERS": ",".join(layout.sage_addresses(settings)),
                "SALVUS_APP_PROXIES": ",".join(front.proxies(settings)),
            },
            folder=ROOT,
        )

    asked = ASKED_AT.get(server.address, server.address)
    return Service(
        name=server.name,
        type="app",
        prepare=prepare,
        probe=partial(probes.http_ok, asked, server.port, "/alive"),
        after=after,
        address=server.address,
        port=server.port,
    )


def environment(settings: Settings) -> dict[str, str]:
    """What our own programs are told, so that they need not look for it. Raises CannotStart."""
    host = {"SALVUS_SITE_HOST": settings.host_name} if settings.hosts else {}
    return {
        **host,
        "SALVUS_CONFIG": settings.file,
        "SALVUS_SITE_DATA_DIR": str(settings.data_dir),
        "SALVUS_DATABASE_URL": postgresql.database_url(settings),
        "SALVUS_MEMCACHED_SERVERS": ",".join(memcached.memcached_servers(settings)),
        "PYTHONUNBUFFERED": "1",
    }

"""What runs on a host: the services, what each needs, and how it is asked whether it is up."""

from __future__ import annotations

import sys
from functools import partial

from app.settings import ROOT, Settings
from supervisor import front, locations, memcached, postgresql, probes
from supervisor.haproxy import AppServer
from supervisor.service import Command, Rules, Service

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
    """The services that Salvus itself asks, unless the settings name others."""
    services = []
    if not settings.database.url:
        services.append(
            Service(
                name="postgresql",
                prepare=partial(postgresql.prepare, settings),
                probe=partial(postgresql.probe, settings),
                address=str(postgresql.socket_folder(settings)),
            )
        )
    if not settings.memcached.servers and memcached.find_binary(settings):
        services.append(
            Service(
                name="memcached",
                prepare=partial(memcached.prepare, settings),
                probe=partial(memcached.probe, settings),
                address=str(memcached.socket_path(settings)),
            )
        )
    return tuple(services)


def whole_site(settings: Settings) -> tuple[Service, ...]:
    """All of a single-host site."""
    below = support(settings)
    names = tuple(service.name for service in below)
    services = [*below]
    if "sage" in settings.app.roles and not settings.sage.servers:
        services.append(_sage_server(settings, after=names))
    services.append(_app_server(settings, after=tuple(service.name for service in services)))
    host = settings.app.host
    app_servers = (AppServer("app", ASKED_AT.get(host, host), settings.app.port),)
    return (*services, *front.services(settings, app_servers))


def _sage_server(settings: Settings, after: tuple[str, ...]) -> Service:
    host, port = settings.sage.host, settings.sage.port

    def prepare() -> Command:
        probes.require_free_port(host, port, "[sage] port")
        return Command(
            arguments=(sys.executable, str(ROOT / "salvus.py"), "sage"),
            log=locations.log_file(settings, "sage"),
            environment=environment(settings),
            folder=ROOT,
        )

    probe = partial(probes.tcp, ASKED_AT.get(host, host), port)
    patience = settings.sage.start_seconds + PATIENCE
    return Service("sage server", prepare, probe, after, host, port, start_seconds=patience)


def _app_server(settings: Settings, after: tuple[str, ...]) -> Service:
    host, port = settings.app.host, settings.app.port

    def prepare() -> Command:
        probes.require_free_port(host, port, "[app] port")
        front.publish(settings)
        gunicorn = (sys.executable, "-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py"))
        return Command(
            arguments=(*gunicorn, "salvus:app"),
            log=locations.log_file(settings, "app"),
            environment={
                **environment(settings),
                "SALVUS_APP_ROLES": "app",
                "SALVUS_SAGE_SERVERS": ",".join(settings.sage_servers),
                "SALVUS_APP_PROXIES": ",".join(front.proxies(settings)),
            },
            folder=ROOT,
        )

    probe = partial(probes.http_ok, ASKED_AT.get(host, host), port, "/alive")
    return Service("app server", prepare, probe, after, host, port)


def environment(settings: Settings) -> dict[str, str]:
    """What our own programs are told, so that they need not look for it."""
    return {
        "SALVUS_CONFIG": settings.file,
        "SALVUS_SITE_DATA_DIR": str(settings.data_dir),
        "SALVUS_DATABASE_URL": postgresql.database_url(settings),
        "SALVUS_MEMCACHED_SERVERS": ",".join(memcached.memcached_servers(settings)),
        "PYTHONUNBUFFERED": "1",
    }

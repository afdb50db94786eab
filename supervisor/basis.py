"""What of the settings a service depends on in a way that only its restart takes up.

Two settings of the same basis need none. Our own servers read the settings file themselves,
when they start; what others read is their `Reload`'s affair, so only their command counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from app import settings as defaults
from app.settings import Settings
from supervisor import database_access, haproxy, memcached, nginx, public, sizing


def of_app_server(settings: Settings, environment: Mapping[str, str]) -> str:
    """All but what is surely not theirs: whoever adds a section must not think of this."""
    blind = replace(
        settings,
        app=replace(settings.app, count=1, first_address_hours=1),
        sage=defaults.Sage(servers_file=settings.sage.servers_file),
        database=_client_s(settings),
        memcached=defaults.Memcached(timeout=settings.memcached.timeout),
        haproxy=defaults.Haproxy(),
        nginx=defaults.Nginx(),
        tls=defaults.Tls(),
        backup=defaults.Backup(),
        vpn=defaults.Vpn(),
        supervisor=defaults.Supervisor(),
        hosts={},
    )
    return repr((blind, sorted(environment.items())))


def of_sage_server(settings: Settings, environment: Mapping[str, str]) -> str:
    """What is theirs alone, as a restart ends sessions."""
    sage = replace(settings.sage, count=1, servers=(), servers_file="")
    theirs = (settings.limits, settings.kinds, settings.service, settings.wire, _client_s(settings))
    return repr((sage, theirs, sorted(environment.items())))


def _client_s(settings: Settings) -> defaults.Database:
    """What concerns who asks PostgreSQL, and not PostgreSQL itself."""
    return replace(settings.database, binaries="", memory=0)


def of_postgresql(settings: Settings) -> str:
    """What it says of itself that a reload does not change."""
    sizes = sizing.of(settings)
    listens = settings.here.address if database_access.is_shared(settings) else ""
    wanted = settings.database
    return repr(
        (wanted.binaries, listens, wanted.port, sizes.connections, sizes.shared_buffers)
    )


def of_memcached(settings: Settings) -> str:
    wanted = settings.memcached
    where = memcached.find_binary(settings), memcached.address(settings), wanted.port
    return repr((where, wanted.memory, wanted.connections))


def of_haproxy(settings: Settings) -> str:
    """Its rights to ports; the rest it takes up while it runs."""
    return repr((haproxy.find_binary(settings), public.ports(settings).are_low))


def of_nginx(settings: Settings) -> str:
    """It runs without a master, so it can't reload."""
    return repr((nginx.find_binary(settings), nginx.content(settings)))


def of_stunnel(settings: Settings) -> str:
    return repr((public.find_stunnel(settings), public.ports(settings).are_low))

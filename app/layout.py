"""Which host of the site runs what, and where: it follows from the settings.

Without `[hosts]` the site is this host, with all roles, and parts that need not be reached
from elsewhere are not. What a supervisor starts is told its own address and port, and those
of others that it needs, in its environment: these functions are for the supervisor's settings.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.settings import Host, Settings


@dataclass(frozen=True)
class Server:
    """An app server or a sage server."""

    name: str  # on its host: app-1
    host: str  # the host's name
    address: str
    port: int

    @property
    def at(self) -> str:
        return f"{self.address}:{self.port}"


def app_servers(settings: Settings) -> tuple[Server, ...]:
    """Of the whole site."""
    return tuple(
        Server(f"app-{number + 1}", name, address, settings.app.port + number)
        for name, host, address in _hosts(settings, "app", settings.app.host)
        for number in range(host.app_servers)
    )


def node_ports(settings: Settings) -> tuple[int, ...]:
    """Where an app server may listen for others: at the first that is free. There are enough
    for all of this host and for those that replace them. Raises SettingsError."""
    first = settings.app.node_port
    return tuple(range(first, first + 2 * settings.here.app_servers)) if first else (0,)


def sage_servers(settings: Settings) -> tuple[Server, ...]:
    """Of the whole site, as far as we run them."""
    if settings.sage.servers or "sage" not in settings.app.roles:
        return ()
    return tuple(
        Server(f"sage-{number + 1}", name, address, settings.sage.port + number)
        for name, host, address in _hosts(settings, "sage", settings.sage.host)
        for number in range(host.sage_servers)
    )


def sage_addresses(settings: Settings) -> tuple[str, ...]:
    """Where (host:port) sessions may be placed, besides the servers of `servers_file`."""
    ours = tuple(server.at for server in sage_servers(settings))
    if settings.sage.servers or settings.sage.servers_file or ours:
        return settings.sage.servers or ours
    return (f"{settings.sage.host}:{settings.sage.port}",)


def own(settings: Settings, servers: tuple[Server, ...]) -> tuple[Server, ...]:
    """Those of `servers` that run here. Raises SettingsError."""
    name = settings.host_name
    return tuple(server for server in servers if server.host == name)


def database_address(settings: Settings) -> str:
    """Of the host that has the site's PostgreSQL; empty if it is this one, or not ours."""
    return _elsewhere(settings, "database") if not settings.database.url else ""


def cache_addresses(settings: Settings) -> tuple[str, ...]:
    """Where (host:port) the hosts of the site have memcached; empty if only this host asks it,
    through a unix socket."""
    if len(settings.hosts) < 2:
        return ()
    found = [host.address for host in settings.hosts.values() if "cache" in host.roles]
    return tuple(f"{address}:{settings.memcached.port}" for address in found)


def front_addresses(settings: Settings) -> tuple[str, ...]:
    """Of the hosts where browsers arrive; empty without [hosts]."""
    return tuple(host.address for host in settings.hosts.values() if "front" in host.roles)


def addresses_here(settings: Settings) -> tuple[str, ...]:
    """At which this host's app and sage servers are reached. Raises SettingsError."""
    if settings.hosts:
        return addresses_of(settings, settings.host_name)
    return (settings.sage.host, settings.app.host)


def addresses_of(settings: Settings, name: str) -> tuple[str, ...]:
    """At which a host of the site is reached by the others; its certificates are for these."""
    return tuple(dict.fromkeys((settings.hosts[name].address, name)))


def asked_at(address: str) -> str:
    """Where a server that listens at `address`, maybe at all there are, is asked on its host."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)


def bracketed(host: str) -> str:
    """`host` as it stands in front of a port: addresses of IPv6 in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _hosts(settings: Settings, role: str, listens: str) -> list[tuple[str, Host, str]]:
    """Those with a role: name, host and the address at which it plays it."""
    if not settings.hosts:
        return [(settings.host_name, settings.here, listens)]
    return [
        (name, host, host.address)
        for name, host in settings.hosts.items()
        if role in host.roles
    ]


def _elsewhere(settings: Settings, role: str) -> str:
    if role in settings.here.roles:
        return ""
    return next(host.address for host in settings.hosts.values() if role in host.roles)

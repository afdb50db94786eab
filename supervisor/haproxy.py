"""HAProxy, between browsers and app servers.

A master process keeps the configuration; SIGUSR2 has it start a worker with the new one,
which takes the listening sockets over, so nobody is refused, while the one before serves
its connections to their end. Traps: `maxconn` needs two files a connection, which
`haproxy -c` does not look at; `redirect scheme` keeps the old port. The unix sockets'
paths get a suffix while they are made, and may have 107 bytes with it.
"""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from app import layout
from app.settings import Settings
from supervisor import conf, free_port, http_probe, locations, nginx, privileges, programs, public
from supervisor.service import CannotStart, Command

RELOAD = signal.SIGUSR2
RESERVED_FILES = 200  # besides connections: listeners, checks, logs
SLOWEST_ANSWER = 60.0  # seconds a page may take, besides what code may
UNKNOWN_CLIENT = b"PROXY UNKNOWN\r\n"
STATIC = """\
backend static
    default-server check inter 500ms fall 2 rise 1
    # The first failure tells enough, as app servers stand in
    server nginx "unix@{socket}" observe layer4 error-limit 1 on-error mark-down
    {stand_ins}
"""
ACME_PATH = "{ path_beg /.well-known/acme-challenge/ }"
ACME = """\
backend acme
    server client 127.0.0.1:{port}
"""


@dataclass(frozen=True)
class AppServer:
    name: str  # letters, digits, - and _
    host: str
    port: int


def find_binary(settings: Settings) -> Path | None:
    return programs.find(settings.haproxy.binary, "haproxy")


def prepare(settings: Settings, app_servers: Sequence[AppServer]) -> Command:
    """Raises CannotStart."""
    binary = _binary(settings)
    user = public.user()
    ports = public.ports(settings)
    _require_ports(settings, ports)
    locations.make_folder(_sockets(settings), 0o700, user)
    if not public.stunnel_is_used(settings):
        with conf.old_one_will_do(public.certificate(settings)):
            public.write_certificate(settings)
    with conf.old_one_will_do(_file(settings)):
        configure(settings, app_servers)
    return Command(
        arguments=privileges.confined(
            (str(binary), "-W", "-f", str(_file(settings))), user, low_ports=ports.are_low
        ),
        log=locations.log_file(settings, "haproxy"),
    )


def content(settings: Settings, app_servers: Sequence[AppServer]) -> str:
    """What it would read now."""
    return text(settings, app_servers) + (
        "" if public.stunnel_is_used(settings) else public.certificate_now(settings)
    )


def renew(settings: Settings, app_servers: Sequence[AppServer]) -> None:
    """Bring what it reads up to date, if it will take that. Raises CannotStart."""
    if not public.stunnel_is_used(settings):
        public.write_certificate(settings)
    configure(settings, app_servers)


def configure(settings: Settings, app_servers: Sequence[AppServer]) -> None:
    """Raises CannotStart, with the file as it was."""
    conf.install(_file(settings), text(settings, app_servers), checker=checker(settings))


def text(settings: Settings, app_servers: Sequence[AppServer]) -> str:
    return conf.render("haproxy.cfg", values(settings, app_servers))


def checker(settings: Settings) -> conf.Checker:
    """Raises CannotStart."""
    binary, user = str(_binary(settings)), public.user()
    return lambda file: privileges.confined((binary, "-c", "-f", str(file)), user)


def probe(settings: Settings) -> str | None:
    """Whether it answers browsers. That no app server is up is their fault, not its own."""
    return _ask(settings, 200, 503)


def lets_through(settings: Settings) -> bool:
    """Whether it has found an app server that is up."""
    return _ask(settings, 200) is None


def _ask(settings: Settings, *statuses: int) -> str | None:
    if public.stunnel_is_used(settings):
        return http_probe.over_unix(
            stunnel_socket(settings), "/alive", *statuses, before=UNKNOWN_CLIENT
        )
    host, port = layout.asked_at(settings.haproxy.host), public.ports(settings).https
    return http_probe.over_tls(host, port, "/alive", *statuses)


def values(settings: Settings, app_servers: Sequence[AppServer]) -> dict[str, str | int]:
    """What conf/haproxy.cfg is filled in with."""
    wanted, ports = settings.haproxy, public.ports(settings)
    service = settings.service
    has_nginx = nginx.find_binary(settings) is not None
    hsts = settings.tls.hsts_seconds
    servers = [f"server {one.name} {layout.bracketed(one.host)}:{one.port}" for one in app_servers]
    return {
        "control": str(_sockets(settings) / "cli"),
        "connections": connections(wanted.connections),
        "drain_seconds": wanted.drain_seconds,
        "server_seconds": round(service.seconds + service.wait_seconds + SLOWEST_ANSWER),
        "bind": _bind(settings, ports),
        "requests_per_minute": wanted.requests_per_minute,
        "connections_per_address": wanted.connections_per_address,
        "remember_tls": (
            f'http-response set-header Strict-Transport-Security "max-age={hsts}"' if hsts else ""
        ),
        "use_static": "use_backend static if static" if has_nginx else "",
        "redirect_frontend": _redirect(settings, ports),
        "servers": _lines(servers),
        "followers": _lines(
            f"{server} track pages/{one.name}"
            for server, one in zip(servers, app_servers, strict=True)
        ),
        "static_backend": (
            STATIC.format(
                socket=nginx.socket_path(settings),
                stand_ins=_lines(f"{server} backup" for server in servers),
            )
            if has_nginx
            else ""
        ),
        "acme_backend": ACME.format(port=settings.tls.acme_port) if settings.tls.acme_port else "",
    }


def _lines(found: Iterable[str]) -> str:
    return "\n    ".join(found)


def connections(wanted: int) -> int:
    """As many as the host allows us files for."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return max(1, min(wanted, (files - RESERVED_FILES) // 2))


def stunnel_socket(settings: Settings) -> Path:
    """Where stunnel hands its connections on; in a folder that others cannot enter, as
    whoever reaches it is believed who the browser is."""
    return _sockets(settings) / "in"


def _bind(settings: Settings, ports: public.Ports) -> str:
    if public.stunnel_is_used(settings):
        return f'bind "unix@{stunnel_socket(settings)}" accept-proxy mode 600'
    certificate = public.certificate(settings)
    return f'bind {_listen(settings, ports.https)} ssl crt "{certificate}" alpn h2,http/1.1'


def _redirect(settings: Settings, ports: public.Ports) -> str:
    if ports.redirect is None:
        return ""
    acme = settings.tls.acme_port
    return conf.render(
        "haproxy-redirect.cfg",
        {
            "bind": _listen(settings, ports.redirect),
            "port": "" if ports.https == public.HTTPS else f":{ports.https}",
            "unless_acme": f"unless {ACME_PATH}" if acme else "",
            "use_acme": f"use_backend acme if {ACME_PATH}" if acme else "",
        },
    )


def _listen(settings: Settings, port: int) -> str:
    host = settings.haproxy.host
    return f"{layout.bracketed(host)}:{port}" + (" v4v6" if host == "::" else "")


def _require_ports(settings: Settings, ports: public.Ports) -> None:
    host = settings.haproxy.host
    for port, setting in ((ports.https, "port"), (ports.redirect, "redirect_port")):
        if port is None or (setting == "port" and public.stunnel_is_used(settings)):
            continue
        require_port(host, port, f"[haproxy] {setting}")


def require_port(host: str, port: int, setting: str) -> None:
    """Raise CannotStart if `port` cannot be listened on."""
    if not privileges.may_listen(port):
        raise CannotStart(
            f"{setting} = {port}: only root may listen on a port below 1024; choose another,"
            " or run Salvus as root (what speaks with browsers gives up all else of it)"
        )
    free_port.require(host, port, setting)


def _binary(settings: Settings) -> Path:
    binary = find_binary(settings)
    if binary is None:
        raise CannotStart("HAProxy is not installed any more: `apt-get install haproxy`")
    return binary


def _file(settings: Settings) -> Path:
    return locations.rendered(settings) / "haproxy.cfg"


def _sockets(settings: Settings) -> Path:
    return locations.sockets(settings) / "haproxy"

"""stunnel, which speaks TLS with browsers in front of HAProxy, if the settings say so.

It has no way to check a configuration without using it. Asked to reload one that is no
good, it says so in its log and goes on with the one before; connections live on in any case.
"""

from __future__ import annotations

import signal
from pathlib import Path

from app import layout
from app.settings import Settings
from supervisor import conf, haproxy, http_probe, locations, privileges, public
from supervisor.service import CannotStart, Command

RELOAD = signal.SIGHUP


def prepare(settings: Settings) -> Command:
    """Raises CannotStart."""
    binary = public.find_stunnel(settings)
    if binary is None:
        raise CannotStart("stunnel is not installed any more: `apt-get install stunnel4`")
    ports = public.ports(settings)
    haproxy.require_port(settings.haproxy.host, ports.https, "[haproxy] port")
    with conf.old_one_will_do(public.certificate(settings)):
        public.write_certificate(settings)
    configure(settings)
    return Command(
        arguments=privileges.confined(
            (str(binary), str(_file(settings))), public.user(), low_ports=ports.are_low
        ),
        log=locations.log_file(settings, "stunnel"),
    )


def content(settings: Settings) -> str:
    """What it would read now."""
    return conf.render("stunnel.conf", values(settings)) + public.certificate_now(settings)


def renew(settings: Settings) -> None:
    """Bring what it reads up to date. Raises CannotStart, having changed nothing."""
    public.write_certificate(settings)
    configure(settings)


def configure(settings: Settings) -> None:
    conf.write_if_changed(_file(settings), conf.render("stunnel.conf", values(settings)))


def probe(settings: Settings) -> str | None:
    """Whether HAProxy answers through it."""
    host, port = layout.asked_at(settings.haproxy.host), public.ports(settings).https
    return http_probe.over_tls(host, port, "/alive", 200, 503)


def values(settings: Settings) -> dict[str, str | int]:
    """What conf/stunnel.conf is filled in with."""
    host, port = settings.haproxy.host, public.ports(settings).https
    return {
        "accept": f"{host}:{port}",
        "socket": str(haproxy.stunnel_socket(settings)),
        "certificate": str(public.certificate(settings)),
    }


def _file(settings: Settings) -> Path:
    return locations.rendered(settings) / "stunnel.conf"

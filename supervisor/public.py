"""The site as browsers see it: its address, and the certificate that they are shown."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from pathlib import Path

import psutil

from app import layout
from app.settings import Settings, is_host_name
from supervisor import certs, conf, locations, privileges, programs
from supervisor.service import CannotStart

HTTPS, HTTP = 443, 80
HIGH_HTTPS = 8443  # where we may not listen on low ports
USERS = ("haproxy", "nobody")  # who may read the certificate's key


@dataclass(frozen=True)
class Ports:
    """`redirect` sends people on to `https`; None: nobody does."""

    https: int
    redirect: int | None

    @property
    def are_low(self) -> bool:
        return min(self.https, self.redirect or self.https) < 1024


def ports(settings: Settings) -> Ports:
    wanted = settings.haproxy
    https = wanted.port or (HTTPS if privileges.may_listen(HTTPS) else HIGH_HTTPS)
    redirect = wanted.redirect_port or (HTTP if privileges.may_listen(HTTP) else None)
    return Ports(https, redirect)


def origin(settings: Settings) -> str:
    """What addresses of the site begin with, with HAProxy in front."""
    host = next((name for name in names(settings) if not name.startswith("*")), "localhost")
    port = ports(settings).https
    return f"https://{layout.bracketed(host)}" + (f":{port}" if port != HTTPS else "")


def names(settings: Settings) -> tuple[str, ...]:
    """By which the site is reached, the best first."""
    own = socket.gethostname()
    found = [*settings.tls.names]
    if "front" not in settings.here.roles:
        found += layout.front_addresses(settings)
    elif not is_wildcard(settings.haproxy.host):
        found.append(settings.haproxy.host)
    elif is_host_name(own):
        found.append(own)
    return tuple(found)


def is_wildcard(host: str) -> bool:
    return ipaddress.ip_address(host).is_unspecified


def find_stunnel(settings: Settings) -> Path | None:
    return programs.find(settings.tls.stunnel, "stunnel4", "stunnel")


def stunnel_is_used(settings: Settings) -> bool:
    """Whether stunnel and not HAProxy speaks TLS with browsers."""
    return settings.tls.terminator == "stunnel" and find_stunnel(settings) is not None


def user() -> str:
    """Who runs what speaks TLS with browsers. Raises CannotStart."""
    return privileges.system_user("HAProxy", *USERS)


def folder(settings: Settings) -> Path:
    """For that user alone."""
    return settings.data_dir / "front"


def certificate(settings: Settings) -> Path:
    """The certificate, its chain and its key in one file, as HAProxy and stunnel want them."""
    return folder(settings) / "site.pem"


def write_certificate(settings: Settings) -> None:
    """Bring that file up to date. One that is no good does not replace one that was: raises
    conf.Refused, and the reason is with `conf.refusals`."""
    owner = user()
    if owner:
        locations.check_reachable(folder(settings), owner)
    locations.make_folder(folder(settings), 0o700, owner)
    file = certificate(settings)
    try:
        renew(settings)
        text = certificate_text(settings)
    except CannotStart as error:
        conf.refuse(file, str(error))
        raise conf.Refused(str(error)) from error
    conf.write_if_changed(file, text, 0o600, owner)
    conf.accept(file)


def renew(settings: Settings) -> None:
    """Renew the certificate, if need be, unless it is the operator's own affair."""
    if not _given(settings):
        addresses = _addresses(settings)
        certs.ensure_public(settings.data_dir, (*names(settings), *addresses))


def certificate_text(settings: Settings) -> str:
    """The certificate, its chain and its key. Raises CannotStart if they are no good."""
    if given := _given(settings):
        return certs.bundle(*given)
    paths = certs.public_paths(settings.data_dir)
    return certs.bundle(paths.certificate, paths.key)


def certificate_now(settings: Settings) -> str:
    """What would be shown, for comparison; if it is no good, why."""
    try:
        return certificate_text(settings)
    except CannotStart as error:
        return str(error)


def _given(settings: Settings) -> tuple[Path, Path] | None:
    """The files that the settings name. Raises CannotStart."""
    named = settings.tls.certificate, settings.tls.certificate_key
    if any(named) and not all(named):
        raise CannotStart("[tls] certificate and certificate_key need each other: name both")
    return (Path(named[0]).expanduser(), Path(named[1]).expanduser()) if all(named) else None


def _addresses(settings: Settings) -> list[str]:
    """Ours, if we listen at all of them. Those of IPv6 change too often to be certified."""
    if not is_wildcard(settings.haproxy.host):
        return []
    found = (address for each in psutil.net_if_addrs().values() for address in each)
    return sorted(one.address for one in found if one.family == socket.AF_INET)

"""OpenVPN, which makes a network of their own of hosts that have none: `[vpn]` in the settings.

One host is the server, the others connect to it, and each has the address by which the site's
hosts reach it anyway (`[hosts.NAME] address`). Who is who follows from certificates: the
server gives the address in a certificate and no other.

It needs the right to set up networks, and nothing else of root. Where only root may open
/dev/net/tun it keeps root's user id, which then is all it has of root. There is no way to check a
configuration without using it.
"""

from __future__ import annotations

import ipaddress
import math
import os
import secrets
import signal
import socket
import stat
from functools import partial
from pathlib import Path

from app import layout
from app.settings import Settings
from supervisor import certs, conf, locations, privileges, programs
from supervisor.service import CannotStart, Command, Reload, Service

TUN = Path("/dev/net/tun")
USERS = ("openvpn", "nobody")
PROBE_SECONDS = 2.0
KEY_BYTES = 256
LONGEST_DEVICE = 15  # characters that the kernel allows
COMPRESSION = {"none": "", "lz4": "lz4-v2", "lzo": "lzo"}


def is_used(settings: Settings) -> bool:
    return bool(settings.vpn.server and settings.hosts) and "vpn" in settings.here.roles


def is_server(settings: Settings) -> bool:
    return settings.vpn.server == settings.host_name


def services(settings: Settings) -> tuple[Service, ...]:
    if not is_used(settings):
        return ()
    vpn = Service(
        name="vpn",
        prepare=partial(prepare, settings),
        probe=partial(probe, settings),
        address=settings.here.address,
        # The server may be away for long; there is nothing to be had from starting again.
        start_seconds=None if is_server(settings) else math.inf,
        reload=Reload(signal.SIGHUP, partial(content, settings), partial(renew, settings)),
        basis=repr(find_binary(settings)),
    )
    return (vpn,)


def find_binary(settings: Settings) -> Path | None:
    return programs.find(settings.vpn.binary, "openvpn")


def prepare(settings: Settings) -> Command:
    """Raises CannotStart."""
    binary = find_binary(settings)
    if binary is None:
        raise CannotStart("OpenVPN is not installed: `apt-get install openvpn`")
    if os.geteuid() != 0:
        raise CannotStart("[vpn]: only root may set up networks: run Salvus as root on this host")
    if not TUN.exists():
        raise CannotStart(f"[vpn]: {TUN} is missing: `modprobe tun`, or let the container have it")
    renew(settings)
    return Command(
        arguments=privileges.confined(
            (str(binary), "--config", str(_file(settings))), _user(), capability="net_admin"
        ),
        log=locations.log_file(settings, "vpn"),
    )


def content(settings: Settings) -> str:
    """What it would read now. Raises CannotStart."""
    copies = _copies(settings)
    return "".join((_text(settings), *(copies[name] for name in sorted(copies))))


def renew(settings: Settings) -> None:
    """Bring what it reads up to date. Raises CannotStart, OSError."""
    renew_certificate(settings)
    user, own = _user(), folder(settings)
    locations.check_reachable(own, user)
    for each in (own, own / "hosts"):
        locations.make_folder(each, 0o700, user)
    copies = _copies(settings)
    for name, text in copies.items():
        conf.write_if_changed(own / name, text, 0o600, user)
    for path in (own / "hosts").iterdir():
        if f"hosts/{path.name}" not in copies:
            path.unlink()  # a host that is none of the site any more
    conf.write_if_changed(_file(settings), _text(settings))


def probe(settings: Settings) -> str | None:
    """Whether it is connected: None if so, else why not."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(PROBE_SECONDS)
        said = b""
        try:
            asking.connect(str(folder(settings) / "management"))
            asking.sendall(b"state\n")
            while b"\nEND" not in said and (more := asking.recv(4096)):
                said += more
        except OSError as error:
            return f"it does not say how it is: {error.strerror or error}"
    return trouble(said.decode(errors="replace"))


def trouble(said: str) -> str | None:
    """What keeps it from being connected, by its answer to `state`:
    time,NAME,explanation,address,…"""
    for line in said.splitlines():
        fields = line.split(",")
        if fields[0].isdigit() and len(fields) > 2:
            if fields[1] == "CONNECTED" and fields[2] == "SUCCESS":
                return None
            return " ".join(filter(None, (fields[1].lower().replace("_", " "), fields[2])))
    return "it does not say how it is"


def renew_certificate(settings: Settings) -> None:
    """Renew its certificate if need be, and make the key that the site's hosts share. Raises
    CannotStart, OSError."""
    ensure = certs.ensure_server if is_server(settings) else certs.ensure_client
    ensure(settings.data_dir, "vpn", layout.addresses_here(settings))
    make_crypt_key(settings)


def make_crypt_key(settings: Settings) -> None:
    """Where the site's CA is. Raises CannotStart if it is missing elsewhere, OSError."""
    file = crypt_key(settings)
    if file.exists():
        return
    if not (locations.certificates(settings) / "ca.key").exists():
        raise CannotStart(f"{file} is missing: deploy to this host again from the one with the CA")
    conf.write_if_changed(file, static_key(secrets.token_bytes(KEY_BYTES)), 0o600)


def crypt_key(settings: Settings) -> Path:
    return locations.certificates(settings) / "vpn-crypt.key"


def static_key(key: bytes) -> str:
    """As OpenVPN writes keys of 2048 bits."""
    lines = [key[at : at + 16].hex() for at in range(0, len(key), 16)]
    begin, end = (f"-----{word} OpenVPN Static key V1-----" for word in ("BEGIN", "END"))
    return "\n".join((begin, *lines, end, ""))


def folder(settings: Settings) -> Path:
    """Its own copies of certificates, and its socket."""
    return settings.data_dir / "vpn"


def _copies(settings: Settings) -> dict[str, str]:
    """What that folder shall hold: text by name."""
    own = certs.service_paths(settings.data_dir, "vpn")
    paths = {
        "ca.pem": own.ca,
        "vpn.pem": own.certificate,
        "vpn.key": own.key,
        "vpn-crypt.key": crypt_key(settings),
    }
    try:
        found = {name: path.read_text(encoding="ascii") for name, path in paths.items()}
    except OSError as error:
        raise CannotStart(f"{error.filename}: {error.strerror}") from error
    if is_server(settings):
        netmask = _network(settings).netmask
        for name, host in settings.hosts.items():
            if "vpn" in host.roles and name != settings.vpn.server:
                found[f"hosts/{host.address}"] = f"ifconfig-push {host.address} {netmask}\n"
    return found


def _text(settings: Settings) -> str:
    vpn = settings.vpn
    values: dict[str, str | int] = {
        "device": f"vpn-{settings.site.name}"[:LONGEST_DEVICE],
        "protocol": vpn.protocol,
        "folder": str(folder(settings)),
        "cipher": vpn.cipher,
        "compression": _compression(settings),
        "port": vpn.port,
        "server": vpn.address,
        "server_name": settings.hosts[vpn.server].address,
        "address": settings.here.address,
        "netmask": str(_network(settings).netmask),
    }
    side = "openvpn-server.conf" if is_server(settings) else "openvpn-client.conf"
    return conf.render("openvpn.conf", {**values, "side": conf.render(side, values)})


def _compression(settings: Settings) -> str:
    method = COMPRESSION[settings.vpn.compression]
    return f"allow-compression yes\ncompress {method}" if method else "allow-compression no"


def _network(settings: Settings) -> ipaddress.IPv4Network:
    return ipaddress.IPv4Network(settings.vpn.network)


def _file(settings: Settings) -> Path:
    return locations.rendered(settings) / "openvpn.conf"


def _user() -> str:
    """Whom it runs as. Raises CannotStart."""
    if not stat.S_IMODE(TUN.stat().st_mode) & stat.S_IWOTH:
        return "root"
    return privileges.system_user("OpenVPN", *USERS) or "root"

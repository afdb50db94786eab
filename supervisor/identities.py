"""What another host of the site needs to be one: the token, and certificates that the site's CA,
whose key is here and stays here, signs for it.

They are kept below our data directory, a folder for each host, so that a host gets the same
ones again until they are to be renewed.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace

from app import layout
from app.settings import Settings
from app.token import site_token
from supervisor import certs, database_access, locations, openvpn
from supervisor.service import CannotStart

OF_THE_SITE = ("ca.pem", "ca.key", "vpn-crypt.key")  # the same for all; links there


def of(settings: Settings, name: str) -> dict[str, str]:
    """The text of each file by its place in the data directory of the host called `name`.

    `settings`: this host's. Raises CannotStart, OSError.
    """
    own = locations.certificates(settings)
    certs.ensure(settings.data_dir, layout.addresses_here(settings))
    if not (own / "ca.key").exists():
        raise CannotStart(
            f"{own / 'ca.key'} is not here: certificates for other hosts are made where the site's"
            " CA is"
        )
    openvpn.make_crypt_key(settings)
    there = replace(
        settings,
        site=replace(settings.site, host=name, data_dir=str(settings.data_dir / "hosts" / name)),
    )
    folder = locations.certificates(there)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file in OF_THE_SITE:
        with contextlib.suppress(FileExistsError):
            os.symlink(own / file, folder / file)
    _renew(there, name)
    found = {"token": site_token(settings.data_dir)}
    for path in sorted(folder.iterdir()):
        if path.suffix in (".pem", ".key") and path.name != "ca.key":
            found[f"certificates/{path.name}"] = path.read_text(encoding="ascii")
    return found


def _renew(there: Settings, name: str) -> None:
    names = layout.addresses_of(there, name)
    certs.ensure(there.data_dir, names)
    if database_access.is_shared(there):
        database_access.renew(there)
    if openvpn.is_used(there):
        openvpn.renew_certificate(there)
    else:
        openvpn.crypt_key(there).unlink()
    if there.haproxy.host and "front" in there.here.roles:
        certs.ensure_public(there.data_dir, tuple(dict.fromkeys((*there.tls.names, *names))))

"""How other hosts of the site reach the PostgreSQL of the one that has it: with TLS 1.3, and
both sides show a certificate of the site's CA.

PostgreSQL takes a host's certificate for as long as the host is in the settings, and gives it
the role `salvus` and no other. What PostgreSQL itself shows is good for a server alone, as
whoever takes that key shall be no host of the site. The key is copied to a folder of the
user that PostgreSQL runs as; who may read it is what PostgreSQL checks before it starts.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

from app import layout
from app.settings import Settings
from supervisor import certs, conf, locations
from supervisor.service import CannotStart

TLS = """\
ssl = on
ssl_min_protocol_version = 'TLSv1.3'
ssl_ca_file = '{folder}/ca.pem'
ssl_cert_file = '{folder}/server.pem'
ssl_key_file = '{folder}/server.key'
"""
OTHERS = "hostssl salvus salvus all cert map=hosts"
# A host that is gone without a word is noticed within a minute.
PATIENCE = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


def is_shared(settings: Settings) -> bool:
    """Whether this host's PostgreSQL is there for other hosts, too."""
    ours = "database" in settings.here.roles and not settings.database.url
    return ours and len(settings.hosts) > 1


def url(settings: Settings, address: str) -> str:
    """The URL of the database at `address`, for the other hosts. Raises CannotStart."""
    own = certs.ensure(settings.data_dir, layout.addresses_here(settings))
    wanted = {
        "sslmode": "verify-full",
        "sslrootcert": own.ca,
        "sslcert": own.certificate,
        "sslkey": own.key,
        **PATIENCE,
    }
    return f"postgresql://salvus@{address}:{settings.database.port}/salvus?{urlencode(wanted)}"


def values(settings: Settings) -> dict[str, str | int]:
    """What PostgreSQL's templates are filled in with about this."""
    if not is_shared(settings):
        return {"listen": "", "tls": "", "others": "", "hosts": ""}
    names = [certs.common_name(layout.addresses_of(settings, name)) for name in settings.hosts]
    return {
        "listen": settings.here.address,
        "tls": TLS.format(folder=conf.single_quoted(folder(settings))),
        "others": OTHERS,
        "hosts": "\n".join(f'hosts "{name}" salvus' for name in names),
    }


def folder(settings: Settings) -> Path:
    """PostgreSQL's own copy of certificates."""
    return settings.data_dir / "postgresql-tls"


def renew(settings: Settings) -> None:
    """Renew PostgreSQL's certificate if need be. Raises CannotStart, OSError."""
    certs.ensure_server(settings.data_dir, "database", layout.addresses_here(settings))


def copies(settings: Settings) -> dict[str, str]:
    """What that folder shall hold: text by name."""
    if not is_shared(settings):
        return {}
    found = certs.service_paths(settings.data_dir, "database")
    parts = {"ca.pem": found.ca, "server.pem": found.certificate, "server.key": found.key}
    try:
        return {name: path.read_text(encoding="ascii") for name, path in parts.items()}
    except OSError as error:
        raise CannotStart(f"{error.filename}: {error.strerror}") from error


def install(settings: Settings, user: str) -> None:
    """Bring the copies up to date; they are `user`'s. Raises CannotStart."""
    if not is_shared(settings):
        return
    renew(settings)
    if user:
        locations.check_reachable(folder(settings), user)
    locations.make_folder(folder(settings), 0o700, user)
    for name, text in copies(settings).items():
        conf.write_if_changed(folder(settings) / name, text, 0o600, user)

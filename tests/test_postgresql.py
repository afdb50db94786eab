"""The site's PostgreSQL: its size, its contents, and who reaches it from other hosts."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest

from app import settings as settings_file
from app.settings import Settings
from supervisor import (
    catalog,
    certs,
    conf,
    database_access,
    identities,
    locations,
    postgresql,
    renewal,
    sizing,
)
from supervisor.sizing import Sizes
from supervisor.supervisor import Supervisor
from tests import host

GIB = 1 << 30


@pytest.mark.parametrize(
    ("memory", "connections", "expected"),
    [
        (64 * GIB, 100, Sizes(100, 16384, 49152, 1024, 163)),
        (8 * GIB, 60, Sizes(60, 2048, 6144, 512, 34)),
        (1 * GIB, 60, Sizes(60, 256, 768, 64, 4)),
        (256 << 20, 60, Sizes(60, 102, 192, 16, 4)),
        (1 << 20, 60, Sizes(60, 16, 64, 16, 4)),
        (1024 * GIB, 20, Sizes(20, 262144, 786432, 1024, 256)),
    ],
)
def test_sizes(memory: int, connections: int, expected: Sizes) -> None:
    assert sizing.sizes(memory, connections) == expected


def test_a_host_for_the_database_alone_gives_it_all_its_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sizing, "host_memory", lambda: 8 * GIB)
    assert sizing.of(host.settings_in(tmp_path)).shared_buffers == 512
    named = host.settings_in(tmp_path, database_memory="4096")
    assert sizing.of(named).shared_buffers == 1024
    two = two_hosts(tmp_path, 5432)
    assert sizing.of(two("alpha")).shared_buffers == 2048
    # Per process 8: of two servers, each beside its successor, and of two supervisors
    assert sizing.of(two("alpha")).connections == 6 * 8 + sizing.RESERVE


def two_hosts(folder: Path, port: int, extra: str = "") -> Callable[[str], Settings]:
    """The settings of each host of a site, alpha with the database; both are this machine."""
    file = folder / "site.toml"
    file.write_text(f"""
[database]
port = {port}
{extra}
[hosts.alpha]
address = "127.0.0.2"
roles = ["database"]
[hosts.beta]
address = "127.0.0.3"
roles = ["app", "sage", "front", "cache"]
""")

    def of(name: str) -> Settings:
        data_dir = folder / name
        variables = {"SALVUS_SITE_HOST": name, "SALVUS_SITE_DATA_DIR": str(data_dir)}
        return settings_file.read(file, variables)

    return of


@dataclass
class Running:
    settings: Callable[[str], Settings]
    supervisor: Supervisor

    @property
    def log(self) -> str:
        return locations.log_file(self.settings("alpha"), "postgresql").read_text()


@pytest.fixture(scope="module")
def two() -> Iterator[Running]:
    """A site of two hosts, of which the one with PostgreSQL runs."""
    with host.short_folder() as folder:
        settings = two_hosts(folder, host.free_port())
        alpha, beta = settings("alpha"), settings("beta")
        for one in (alpha, beta):
            locations.make_all(one)
        for name, text in identities.of(alpha, "beta").items():
            conf.write_if_changed(beta.data_dir / name, text, 0o600)
        supervisor = Supervisor(
            services=catalog.support(alpha),
            rules=catalog.rules(alpha),
            on_change=lambda name, state, reason: None,
        )
        supervisor.start()
        try:
            if failures := supervisor.wait_settled():
                host.missing(str(failures))
            yield Running(settings, supervisor)
        finally:
            supervisor.stop()


def ask(url: str, question: str) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(url)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(question)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def test_another_host_is_known_by_its_certificate(two: Running) -> None:
    url = postgresql.database_url(two.settings("beta"))
    assert "sslmode=verify-full" in url
    question = "SELECT ssl, version, client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    assert ask(url, question) == [(True, "TLSv1.3", "/CN=127.0.0.3")]
    assert ask(url, "SELECT current_user::text, inet_server_addr()::text") == [
        ("salvus", "127.0.0.2/32")
    ]


def test_nobody_else_is_let_in(two: Running, tmp_path: Path) -> None:
    alpha, beta = two.settings("alpha"), two.settings("beta")
    good = postgresql.database_url(beta)
    public = certs.ensure_public(alpha.data_dir, ["127.0.0.3", "beta"])
    stranger = tmp_path / "stranger"
    certs.ensure(stranger, ["127.0.0.3", "beta"])
    removed = two.settings("alpha").data_dir / "removed"
    locations.make_folder(removed / "certificates", 0o700)
    for name in ("ca.pem", "ca.key"):
        shutil.copy2(locations.certificates(alpha) / name, removed / "certificates" / name)
    certs.ensure(removed, ["127.0.0.9", "gamma"])
    own = locations.certificates(beta)
    for wrong, words in [
        (good.partition("&sslcert")[0] + "&sslcert=&sslkey=", "certificate"),
        (good.replace("sslmode=verify-full", "sslmode=disable"), "no encryption"),
        (as_identity(good, own, public.certificate, public.key), "certificate|closed"),
        (as_identity(good, own, *host_pair(stranger)), "alert|certificate|closed"),
        (as_identity(good, own, *host_pair(removed)), "authentication failed"),
        (good.replace("salvus@", "postgres@"), "no pg_hba.conf entry"),
        (good.replace("@127.0.0.2", "@gamma") + "&hostaddr=127.0.0.2", "does not match host name"),
    ]:
        with pytest.raises(psycopg2.OperationalError, match=words):
            ask(wrong, "SELECT 1")
    # and beta believes none but the site's own server
    other_ca = good.replace(quoted(own / "ca.pem"), quoted(stranger / "certificates" / "ca.pem"))
    with pytest.raises(psycopg2.OperationalError, match="certificate verify failed"):
        ask(other_ca, "SELECT 1")


def host_pair(data_dir: Path) -> tuple[Path, Path]:
    folder = data_dir / "certificates"
    return folder / "host.pem", folder / "host.key"


def as_identity(url: str, own: Path, certificate: Path, key: Path) -> str:
    url = url.replace(quoted(own / "host.pem"), quoted(certificate))
    return url.replace(quoted(own / "host.key"), quoted(key))


def quoted(path: Path) -> str:
    return str(path).replace("/", "%2F")


def test_what_is_absent_is_made_and_nothing_logged_as_an_error(two: Running) -> None:
    """Also in a cluster that is there already."""
    alpha = two.settings("alpha")
    superuser = postgresql.superuser_url(alpha)
    ask(superuser, "ALTER DATABASE salvus RENAME TO kept")
    ask(superuser, "ALTER ROLE salvus RENAME TO somebody")
    while postgresql.probe(alpha):
        pass
    assert ask(postgresql.database_url(alpha), "SELECT current_user::text") == [("salvus",)]
    ask(superuser, "DROP DATABASE kept")
    ask(superuser, "DROP ROLE somebody")
    errors = [line for line in two.log.splitlines() if "ERROR" in line]
    assert errors == []


def test_postgresql_takes_a_renewed_certificate_up_while_it_runs(two: Running) -> None:
    alpha = two.settings("alpha")
    (service,) = catalog.support(alpha)
    assert service.reload
    reloads = renewal.Reloads(lambda: [service], two.supervisor.signal)
    reloads.run()
    before = (database_access.folder(alpha) / "server.pem").read_bytes()
    certs.service_paths(alpha.data_dir, "database").certificate.unlink()
    renewal.renew(alpha)
    reloads.run()
    after = database_access.folder(alpha) / "server.pem"
    assert after.read_bytes() != before
    key = database_access.folder(alpha) / "server.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert ask(postgresql.database_url(two.settings("beta")), "SELECT 1") == [(1,)]


def test_a_configuration_that_it_would_not_take_is_refused(two: Running) -> None:
    alpha = two.settings("alpha")
    file = locations.rendered(alpha) / "postgresql.conf"
    good = file.read_text()
    with pytest.raises(conf.Refused, match="work_mem"):
        conf.install(
            file,
            good.replace("work_mem = ", "work_mem = no"),
            checker=lambda path: postgresql.checker(alpha, path),
        )
    assert file.read_text() == good
    conf.accept(file)

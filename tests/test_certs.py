"""The site's certificates: strict verifiers take them, and they are renewed in time."""

from __future__ import annotations

import socket
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import gevent
import pytest
from cryptography import x509

from app.wire.tls import Context, Identity, client_context, server_context
from supervisor import certs
from supervisor.service import CannotStart
from tests import host

NAMES = ["sage1.example.org", "10.0.0.7"]


@pytest.mark.parametrize("purpose", ["sslserver", "sslclient"])
def test_openssl_takes_them_for_both_ends(tmp_path: Path, purpose: str) -> None:
    paths = certs.ensure(tmp_path, NAMES)
    verify = [host.needs("openssl"), "verify", "-x509_strict", "-purpose", purpose]
    for name in (
        "-verify_hostname=sage1.example.org",
        "-verify_ip=127.0.0.1",
        "-verify_ip=10.0.0.7",
    ):
        flag, _, value = name.partition("=")
        files = ["-CAfile", str(paths.ca), str(paths.certificate)]
        done = subprocess.run([*verify, flag, value, *files], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_keys_are_ours_alone(tmp_path: Path) -> None:
    certs.ensure(tmp_path, NAMES)
    for file in (tmp_path / "certificates").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_good_ones_are_kept_and_a_new_name_gets_a_new_one(tmp_path: Path) -> None:
    paths = certs.ensure(tmp_path, NAMES)
    first = [path.read_bytes() for path in (paths.ca, paths.certificate, paths.key)]
    certs.ensure(tmp_path, NAMES[:1])
    assert [path.read_bytes() for path in (paths.ca, paths.certificate, paths.key)] == first
    certs.ensure(tmp_path, ["another.example.org"])
    assert paths.ca.read_bytes() == first[0]
    assert paths.certificate.read_bytes() != first[1]


@pytest.mark.parametrize("name", ["host.pem", "host.key", "ca.key"])
def test_a_damaged_file_is_made_anew(tmp_path: Path, name: str) -> None:
    certs.ensure(tmp_path, NAMES)
    (tmp_path / "certificates" / name).write_text("not PEM")
    paths = certs.ensure(tmp_path, NAMES)
    done = subprocess.run(
        [host.needs("openssl"), "verify", "-CAfile", str(paths.ca), str(paths.certificate)],
        capture_output=True,
    )
    assert done.returncode == 0


def test_one_that_expires_soon_is_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certs, "HOST_LIFE", certs.RENEW_BEFORE - timedelta(days=1))
    paths = certs.ensure(tmp_path, NAMES)
    old = paths.certificate.read_bytes()
    monkeypatch.undo()
    certs.ensure(tmp_path, NAMES)
    assert paths.certificate.read_bytes() != old


def test_a_renewed_ca_keeps_its_key_so_what_it_signed_stays_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certs, "CA_LIFE", certs.RENEW_BEFORE - timedelta(days=1))
    paths = certs.ensure(tmp_path, NAMES)
    old_ca, old_host = paths.ca.read_bytes(), paths.certificate.read_bytes()
    monkeypatch.undo()
    certs.ensure(tmp_path, NAMES)
    assert paths.ca.read_bytes() != old_ca
    assert paths.certificate.read_bytes() == old_host
    verify(paths.ca, paths.certificate)
    (tmp_path / "old.pem").write_bytes(old_ca)
    fresh = certs.ensure(tmp_path, ["new.example.org"])
    verify(tmp_path / "old.pem", fresh.certificate)


def test_what_browsers_are_shown_makes_nobody_a_node(tmp_path: Path) -> None:
    paths = certs.ensure_public(tmp_path, NAMES)
    verify(paths.ca, paths.certificate, "-purpose", "sslserver", "-verify_hostname", NAMES[0])
    with pytest.raises(AssertionError, match="purpose"):
        verify(paths.ca, paths.certificate, "-purpose", "sslclient")
    assert certs.ensure(tmp_path, NAMES).certificate != paths.certificate


def test_a_host_that_was_given_certificates_makes_no_ca(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = certs.ensure(tmp_path, NAMES)
    (tmp_path / "certificates" / "ca.key").unlink()
    given = [path.read_bytes() for path in (paths.ca, paths.certificate, paths.key)]
    certs.ensure(tmp_path, ["another.example.org"])
    assert [path.read_bytes() for path in (paths.ca, paths.certificate, paths.key)] == given
    paths.certificate.unlink()
    with pytest.raises(CannotStart, match="deploy to it again"):
        certs.ensure(tmp_path, NAMES)


@pytest.mark.parametrize(
    ("certificate", "key", "words"),
    [
        ("public.pem", "host.key", "is not the key of"),
        ("public.pem", "missing.key", "No such file"),
        ("public.key", "public.key", "as PEM"),
        ("public.pem", "ca.pem", "as PEM"),
    ],
)
def test_a_given_certificate_that_is_no_good_is_refused(
    tmp_path: Path, certificate: str, key: str, words: str
) -> None:
    certs.ensure(tmp_path, NAMES)
    paths = certs.ensure_public(tmp_path, NAMES)
    good = certs.bundle(paths.certificate, paths.key)
    assert good.count("-----BEGIN") == 2
    folder = tmp_path / "certificates"
    with pytest.raises(CannotStart, match=words):
        certs.bundle(folder / certificate, folder / key)


def test_an_expired_one_that_was_given_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certs, "HOST_LIFE", timedelta(minutes=-1))
    paths = certs.ensure_public(tmp_path, NAMES)
    with pytest.raises(CannotStart, match="has expired on"):
        certs.bundle(paths.certificate, paths.key)


def test_a_server_takes_a_renewed_certificate_up_while_it_runs(tmp_path: Path) -> None:
    paths = certs.ensure(tmp_path, NAMES)
    identity = Identity(ca=paths.ca, certificate=paths.certificate, key=paths.key)
    server, client = server_context(identity), client_context(identity)
    assert server.current() is server.current()
    first = shown(server, client)
    certs.ensure(tmp_path, ["another.example.org"])
    second = shown(server, client)
    assert second != first
    paths.key.write_text("half a fi")
    assert shown(server, client) == second
    certs.ensure(tmp_path, ["another.example.org"])
    assert shown(server, client) not in (first, second)


def shown(server: Context, client: Context) -> int:
    """The serial number of the certificate that a server shows now."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        accepting = gevent.spawn(server.current().wrap_socket, ours, server_side=True)
        with client.current().wrap_socket(theirs, server_hostname="localhost") as secured:
            found = secured.getpeercert(binary_form=True)
        accepting.get(timeout=10).close()
    assert found
    return x509.load_der_x509_certificate(found).serial_number


def verify(ca: Path, certificate: Path, *more: str) -> None:
    command = [host.needs("openssl"), "verify", "-x509_strict", *more, "-CAfile", str(ca)]
    done = subprocess.run([*command, str(certificate)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_ca_does_not_sign_for_ever() -> None:
    now = datetime.now(UTC)
    assert certs.make_ca(now).certificate.not_valid_after_utc - now <= certs.CA_LIFE

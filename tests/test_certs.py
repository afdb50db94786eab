"""The site's certificates: strict verifiers take them, and they are renewed in time."""

from __future__ import annotations

import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from supervisor import certs
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


def test_a_ca_does_not_sign_for_ever() -> None:
    now = datetime.now(UTC)
    assert certs.make_ca(now).certificate.not_valid_after_utc - now <= certs.CA_LIFE

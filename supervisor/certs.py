"""The site's own certificates: every stream between its parts proves both ends with them.

A site CA signs one certificate per host, good for both ends of a connection, and, unless the
operator has another, the one that browsers are shown; that is good for a server alone, so
whoever has it is not a node of the site. P-256, as a handshake with it costs a tenth of RSA's.
The key identifiers (SKI, AKI) are there because strict verifiers refuse a chain without them.

A CA is renewed with the key it has: what was signed before stays good, on every host.
"""

from __future__ import annotations

import fcntl
import ipaddress
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from app import layout
from app.settings import Settings
from app.wire.tls import Identity
from supervisor.conf import write_if_changed
from supervisor.service import CannotStart

CA_LIFE = timedelta(days=3650)
HOST_LIFE = timedelta(days=365)
RENEW_BEFORE = timedelta(days=60)
CLOCK_SKEW = timedelta(hours=1)  # between hosts
ALWAYS = ("localhost", "127.0.0.1", "::1")
SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH


@dataclass(frozen=True)
class Paths:
    """PEM files."""

    ca: Path
    certificate: Path
    key: Path


@dataclass(frozen=True)
class Summary:
    """A certificate in words."""

    file: Path
    state: str
    is_bad: bool
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pair:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def ensure(data_dir: Path, names: Sequence[str]) -> Paths:
    """The host's certificates under `data_dir`, made or renewed if missing, nearly expired,
    or not for all of `names` (host names and addresses of this host).

    Safe to call from several processes at once. A damaged file is made anew. Raises
    CannotStart where only another host of the site could make them.
    """
    return _ensure(host_paths(data_dir), names, (SERVER, CLIENT))


def identity(settings: Settings) -> Identity:
    """What this host proves itself with, made or renewed if need be. Raises CannotStart."""
    paths = ensure(settings.data_dir, layout.addresses_here(settings))
    return Identity(ca=paths.ca, certificate=paths.certificate, key=paths.key)


def made_identity(settings: Settings) -> Identity:
    """The same, if it has been made; nothing is made or looked at."""
    paths = host_paths(settings.data_dir)
    return Identity(ca=paths.ca, certificate=paths.certificate, key=paths.key)


def host_paths(data_dir: Path) -> Paths:
    return _paths(data_dir, "host")


def ensure_public(data_dir: Path, names: Sequence[str]) -> Paths:
    """The same for what browsers are shown."""
    return ensure_server(data_dir, "public", names)


def ensure_server(data_dir: Path, service: str, names: Sequence[str]) -> Paths:
    """The same for a service that others connect to: good for a server alone."""
    return _ensure(service_paths(data_dir, service), names, (SERVER,))


def ensure_client(data_dir: Path, service: str, names: Sequence[str]) -> Paths:
    """The same for a service that connects to another host's: good for a client alone."""
    return _ensure(service_paths(data_dir, service), names, (CLIENT,))


def public_paths(data_dir: Path) -> Paths:
    return service_paths(data_dir, "public")


def service_paths(data_dir: Path, service: str) -> Paths:
    """Of a service's own certificate."""
    return _paths(data_dir, service)


def common_name(names: Sequence[str]) -> str:
    """Whom a certificate for `names` is for, in the one short name that it has room for."""
    return names[0][:64]


def _paths(data_dir: Path, name: str) -> Paths:
    folder = data_dir / "certificates"
    return Paths(folder / "ca.pem", folder / f"{name}.pem", folder / f"{name}.key")


def _ensure(
    paths: Paths, names: Sequence[str], roles: Sequence[x509.ObjectIdentifier]
) -> Paths:
    folder = paths.ca.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    wanted = tuple(dict.fromkeys((*names, *ALWAYS)))
    with _locked(folder):
        now = datetime.now(UTC)
        found = _read(paths.certificate, paths.key)
        ca = _authority(paths.ca, folder / "ca.key", now)
        if ca is None:
            _require_usable(found, paths, now)
        elif found is None or _expires_soon(found, now) or not _is_for(found, ca, wanted):
            _write(make_host(ca, wanted, now, roles), paths.certificate, paths.key)
    return paths


def _authority(certificate: Path, key: Path, now: datetime) -> Pair | None:
    """The site's CA, made or renewed; None on a host that was given certificates without it."""
    if certificate.exists() and not key.exists():
        return None
    ca = _read(certificate, key)
    if ca is None or _expires_soon(ca, now):
        ca = make_ca(now, ca.key if ca else None)
        _write(ca, certificate, key)
    return ca


def _require_usable(found: Pair | None, paths: Paths, now: datetime) -> None:
    if found is None or found.certificate.not_valid_after_utc <= now:
        state = "is missing or damaged" if found is None else "has expired"
        raise CannotStart(
            f"{paths.certificate} {state}, and this host has no key of the site's CA to make"
            f" another: deploy to it again from the host that has it; or, if there is none,"
            f" remove {paths.ca}, and the site gets a new CA"
        )


def overview(data_dir: Path) -> list[Summary]:
    """The certificates there are."""
    folder = _paths(data_dir, "host").ca.parent
    return [_summary(file) for file in sorted(folder.glob("*.pem"))]


def sign_anew(data_dir: Path) -> None:
    """Forget what this host's CA can sign again. Raises CannotStart if it has no CA's key."""
    ca = _paths(data_dir, "host").ca
    key = ca.with_suffix(".key")
    if not key.exists():
        raise CannotStart(f"{key} is on another host of the site: renew there, and deploy")
    for certificate in ca.parent.glob("*.pem"):
        if certificate != ca:
            certificate.unlink()


def _summary(file: Path) -> Summary:
    try:
        found = x509.load_pem_x509_certificate(file.read_bytes())
    except (OSError, ValueError) as error:
        return Summary(file, f"can't be read: {error}", is_bad=True)
    is_bad = found.not_valid_after_utc <= datetime.now(UTC)
    state = f"{'expired' if is_bad else 'valid until'} {found.not_valid_after_utc:%F}"
    try:
        extension = found.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return Summary(file, state, is_bad)
    return Summary(file, state, is_bad, tuple(str(one.value) for one in extension.value))


def bundle(certificate: Path, key: Path) -> str:
    """A certificate, its chain and its key, as in these PEM files of the operator's, in one
    text. Raises CannotStart if they are no good."""
    try:
        chain = x509.load_pem_x509_certificates(certificate.read_bytes())
        private = serialization.load_pem_private_key(key.read_bytes(), password=None)
    except OSError as error:
        raise CannotStart(f"[tls] {error.filename}: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        raise CannotStart(
            f"[tls] {certificate} and {key} must hold a certificate with its chain, and its"
            f" key without a password, as PEM: {error}"
        ) from error
    if chain[0].public_key() != private.public_key():
        raise CannotStart(f"[tls] {key} is not the key of the first certificate in {certificate}")
    if chain[0].not_valid_after_utc <= datetime.now(UTC):
        raise CannotStart(f"[tls] {certificate} has expired on {chain[0].not_valid_after_utc:%F}")
    text = [one.public_bytes(serialization.Encoding.PEM) for one in chain]
    return b"".join((*text, _pem(private))).decode()


def make_ca(now: datetime, key: ec.EllipticCurvePrivateKey | None = None) -> Pair:
    """`key`: of the CA that is renewed."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Salvus site CA")])
    usage = _usage(sign_certificates=True)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        _builder(subject, subject, key, now, CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(identifier, critical=False)
    )
    return Pair(builder.sign(key, hashes.SHA256()), key)


def make_host(
    ca: Pair,
    names: Sequence[str],
    now: datetime,
    roles: Sequence[x509.ObjectIdentifier] = (SERVER, CLIENT),
) -> Pair:
    """A certificate for `names`, signed by `ca`."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name(names))])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key())
    builder = (
        _builder(subject, ca.certificate.subject, key, now, HOST_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(roles), critical=False)
        .add_extension(x509.SubjectAlternativeName(_general_names(names)), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(issuer, critical=False)
    )
    return Pair(builder.sign(ca.key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    life: timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + life)
    )


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_names(names: Sequence[str]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for name in names:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name))
    return found


def _is_for(host: Pair, ca: Pair, names: Sequence[str]) -> bool:
    """Whether `ca` signed it, for all of `names`, the first of them foremost."""
    try:
        host.certificate.verify_directly_issued_by(ca.certificate)
        extension = host.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (InvalidSignature, ValueError, TypeError, x509.ExtensionNotFound):
        return False
    (called,) = host.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    is_called = called.value == common_name(names)
    return is_called and set(_general_names(names)) <= set(extension.value)


def _expires_soon(pair: Pair, now: datetime) -> bool:
    return pair.certificate.not_valid_after_utc - now < RENEW_BEFORE


def _read(certificate: Path, key: Path) -> Pair | None:
    """The pair in these files; None if they are missing, damaged or not of each other."""
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        private = serialization.load_pem_private_key(key.read_bytes(), password=None)
    except (FileNotFoundError, ValueError):
        return None
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        return None
    return Pair(found, private) if found.public_key() == private.public_key() else None


def _write(pair: Pair, certificate: Path, key: Path) -> None:
    public = pair.certificate.public_bytes(serialization.Encoding.PEM)
    write_if_changed(key, _pem(pair.key).decode(), 0o600)
    write_if_changed(certificate, public.decode(), 0o600)


def _pem(key: PrivateKeyTypes) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)

"""Judges what would be made of the settings, without touching what runs."""

from __future__ import annotations

from collections.abc import Callable

from app.settings import Settings
from supervisor import (
    catalog,
    certs,
    conf,
    front,
    haproxy,
    locations,
    nginx,
    postgresql,
    public,
    renewal,
)
from supervisor.service import CannotStart


def problems(settings: Settings) -> list[str]:
    """What would not do, in words."""
    checks: list[Callable[[], object]] = [lambda: locations.make_all(settings)]
    checks.append(lambda: catalog.whole_host(settings))
    if not settings.database.url and "database" in settings.here.roles:
        checks.append(lambda: postgresql.find_binaries(settings))
    if front.is_used(settings):
        checks.append(lambda: _check_haproxy(settings))
        if nginx.find_binary(settings):
            checks.append(lambda: _check_nginx(settings))
    found = []
    for check in checks:
        try:
            check()
        except CannotStart as error:
            found.append(str(error))
    return found


def renew_certificates(settings: Settings) -> None:
    """Make new ones, where this host can. What runs takes them up by itself. Raises CannotStart."""
    certs.sign_anew(settings.data_dir)
    renewal.renew(settings)


def _check_haproxy(settings: Settings) -> None:
    if not public.certificate(settings).exists():
        public.write_certificate(settings)
    public.certificate_text(settings)
    text = haproxy.text(settings, catalog.app_servers(settings))
    _check(text, haproxy.checker(settings), settings)


def _check_nginx(settings: Settings) -> None:
    nginx.make_folder(settings)
    _check(nginx.content(settings), nginx.checker(settings), settings)


def _check(text: str, checker: conf.Checker, settings: Settings) -> None:
    """Raises Refused."""
    file = locations.rendered(settings) / "check"
    try:
        conf.write_if_changed(file, text)
        if why := conf.failure(checker(file)):
            raise conf.Refused(why)
    finally:
        file.unlink(missing_ok=True)

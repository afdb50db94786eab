"""nginx, which serves the page's static files behind HAProxy, from a copy of its own.

The copy has each file compressed beside it, is readable to nginx wherever the program is,
and keeps some releases from before, for pages that are still open. Traps: a socket that a
killed nginx has left is in the way of the next; and without a master process (see
conf/nginx.conf) it ends at once when asked to end gently.
"""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path

from app import assets
from app.settings import Settings
from supervisor import conf, http_probe, locations, privileges, programs
from supervisor.service import CannotStart, Command

USERS = ("www-data", "nginx", "nobody")
RELEASES = 5  # that are kept


def find_binary(settings: Settings) -> Path | None:
    return programs.find(settings.nginx.binary, "nginx")


def prepare(settings: Settings) -> Command:
    """Raises CannotStart."""
    binary = _binary(settings)
    user = _user()
    if user:
        locations.check_reachable(_root(settings), user)
    publish(settings)
    make_folder(settings)
    socket_path(settings).unlink(missing_ok=True)
    with conf.old_one_will_do(_file(settings)):
        renew(settings)
    return Command(
        arguments=privileges.confined((*_command(binary), "-c", str(_file(settings))), user),
        log=locations.log_file(settings, "nginx"),
    )


def make_folder(settings: Settings) -> None:
    """For its socket. Raises CannotStart."""
    locations.make_folder(socket_path(settings).parent, 0o711, _user())  # HAProxy enters, too


def content(settings: Settings) -> str:
    """What it would read now."""
    return conf.render("nginx.conf", values(settings))


def renew(settings: Settings) -> None:
    """Bring what it reads up to date, if it will take that. Raises CannotStart, having changed
    nothing that it reads."""
    conf.install(_file(settings), content(settings), checker=checker(settings))


def checker(settings: Settings) -> conf.Checker:
    """Raises CannotStart."""
    command, user = (*_command(_binary(settings)), "-q", "-t", "-c"), _user()
    return lambda file: privileges.confined((*command, str(file)), user)


def probe(settings: Settings) -> str | None:
    """Whether it serves a file."""
    releases = _releases(_root(settings) / "static")
    if not releases:
        return f"{_root(settings)} holds no files to serve"
    return http_probe.over_unix(
        socket_path(settings), assets.address("icon.svg", releases[-1].name), 200
    )


def publish(settings: Settings) -> None:
    """Copy the files as they are now, whole or not at all. Raises CannotStart."""
    folder = _root(settings) / "static"
    fresh = folder / f".{os.getpid()}"
    try:
        shutil.rmtree(fresh, ignore_errors=True)
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        copy(assets.FOLDER, fresh)
        place = folder / assets.hash_of(fresh)
        if place.exists():
            os.utime(place)
        else:
            fresh.rename(place)
        for old in _releases(folder)[:-RELEASES]:
            shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise CannotStart(f"{error.filename or folder}: {error.strerror}") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def copy(source: Path, target: Path) -> None:
    """Copy what may be served, and beside it compressed what gains by that."""
    for file in assets.files(source):
        content = file.read_bytes()
        place = target / file.relative_to(source)
        place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        _write(place, content)
        if file.suffix in assets.COMPRESSED:
            _write(place.with_name(place.name + ".gz"), gzip.compress(content, 9, mtime=0))


def values(settings: Settings) -> dict[str, str | int]:
    """What conf/nginx.conf is filled in with."""
    return {
        "folder": str(socket_path(settings).parent),
        "socket": str(socket_path(settings)),
        "root": str(_root(settings)),
        "connections": settings.nginx.connections,
        "types": "\n        ".join(f"{kind} {end[1:]};" for end, kind in assets.TYPES.items()),
        "suffixes": "|".join(end[1:] for end in assets.TYPES),
    }


def socket_path(settings: Settings) -> Path:
    return locations.sockets(settings) / "nginx" / "socket"


def _write(place: Path, content: bytes) -> None:
    place.write_bytes(content)
    place.chmod(0o644)


def _releases(folder: Path) -> list[Path]:
    """The latest is last."""
    found = [each for each in folder.iterdir() if assets.HASH.fullmatch(each.name)]
    return sorted(found, key=lambda each: each.stat().st_mtime)


def _command(binary: Path) -> tuple[str, ...]:
    """With nginx's word before it reads where its errors go: on standard error, too."""
    return (str(binary), "-e", "stderr")


def _binary(settings: Settings) -> Path:
    binary = find_binary(settings)
    if binary is None:
        raise CannotStart("nginx is not installed any more: `apt-get install nginx-light`")
    return binary


def _user() -> str:
    return privileges.system_user("nginx", *USERS)


def _file(settings: Settings) -> Path:
    return locations.rendered(settings) / "nginx.conf"


def _root(settings: Settings) -> Path:
    return settings.data_dir / "served"

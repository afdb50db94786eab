"""Where a host keeps what: the folders under the data directory, made with care.

Trap: a unix socket's path may have 107 bytes. Where the data directory is too deep for
that, sockets go to a short folder named by a hash of it, so that every process of the
host finds them by the settings alone.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import stat
from pathlib import Path

from app.settings import Settings
from supervisor.service import CannotStart

SOCKET_PATH_LIMIT = 107
LONGEST_SOCKET = "postgresql/.s.PGSQL.65535"


def certificates(settings: Settings) -> Path:
    return settings.data_dir / "certificates"


def cluster(settings: Settings) -> Path:
    """PostgreSQL's data directory."""
    return settings.data_dir / "postgresql"


def rendered(settings: Settings) -> Path:
    """Configuration made from the templates in conf/."""
    return settings.data_dir / "conf"


def settings_in_use(settings: Settings) -> Path:
    """A copy of the settings file as it was when it was taken up: whatever becomes of the
    file, what is restarted meanwhile reads this."""
    return rendered(settings) / "salvus.toml"


def log_file(settings: Settings, service: str) -> Path:
    return settings.logs_dir / f"{service}.log"


def sockets(settings: Settings) -> Path:
    """The folder that holds a folder for each service's unix socket."""
    folder = settings.data_dir / "run"
    if len(os.fsencode(folder / LONGEST_SOCKET)) <= SOCKET_PATH_LIMIT:
        return folder
    name = "salvus-" + hashlib.sha256(os.fsencode(settings.data_dir)).hexdigest()[:12]
    return Path("/run" if os.geteuid() == 0 else "/tmp") / name


def vitals(settings: Settings) -> Path:
    """The socket at which this host's monitor hears from our own servers."""
    return sockets(settings) / "vitals"


def make_all(settings: Settings) -> None:
    """Make the folders that every host needs. Raises CannotStart.

    Root's services run as other users: these may pass through the data directory but
    not list it, and each enters only its own folder.
    """
    make_folder(settings.data_dir, 0o711)
    make_folder(certificates(settings), 0o700)
    make_folder(rendered(settings), 0o711)
    make_folder(log_file(settings, "").parent, 0o700)
    make_folder(sockets(settings), 0o711)


def make_folder(folder: Path, mode: int, user: str = "") -> None:
    """Make `folder` belong to `user` (default: us) with `mode`. Raises CannotStart."""
    owner = pwd.getpwnam(user).pw_uid if user else os.geteuid()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (owner, os.geteuid()):
            raise CannotStart(
                f"{folder} is not a folder of ours: somebody else has made it; move it away"
                " or choose another [site] data_dir"
            )
        if found.st_uid != owner:
            os.chown(folder, owner, pwd.getpwuid(owner).pw_gid)
        if stat.S_IMODE(found.st_mode) != mode:
            folder.chmod(mode)
    except OSError as error:
        raise CannotStart(
            f"{error.filename or folder}: {error.strerror}; choose another [site] data_dir"
        ) from error


def check_reachable(folder: Path, user: str) -> None:
    """Raise CannotStart if `user` may not pass through every parent of `folder`."""
    entry = pwd.getpwnam(user)
    groups = set(os.getgrouplist(user, entry.pw_gid))
    for parent in folder.absolute().parents:
        found = parent.stat()
        if found.st_uid == entry.pw_uid:
            allowed = found.st_mode & stat.S_IXUSR
        elif found.st_gid in groups:
            allowed = found.st_mode & stat.S_IXGRP
        else:
            allowed = found.st_mode & stat.S_IXOTH
        if not allowed:
            raise CannotStart(
                f"{parent}: the user {user} may not pass through it to {folder};"
                f" chmod o+x {parent}, or choose another [site] data_dir"
            )

"""A private PostgreSQL under the data directory, for hosts that were given no other.

It listens on a unix socket in a folder that only its owner (and root) can enter, and
believes the kernel about who asks (peer authentication): user code in a sandbox runs
under other uids, so it neither reaches the socket nor would be let in, and there is no
password to leak. Roles: `postgres` (superuser) and `salvus`, which owns the database; the
probe makes what of these is absent. `database_access.py` is about other hosts.

Traps: started by root it must run as another user, one with a passwd entry; after a
`kill -9` of the postmaster its backends live on and block a restart, and they are in
sessions of their own, so they are found by their working directory.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from urllib.parse import quote

import gevent
import psutil
import psycopg2
from gevent import subprocess
from psycopg2.extensions import connection as Connection

from app import layout
from app.settings import Settings
from supervisor import conf, database_access, free_port, locations, privileges, sizing
from supervisor.process import identity
from supervisor.service import CannotStart, Command

DEBIAN = Path("/usr/lib/postgresql")
RELOAD = signal.SIGHUP


def database_url(settings: Settings) -> str:
    """The URL of the database: the one in the settings, else of the site's own PostgreSQL.

    Raises CannotStart.
    """
    if settings.database.url:
        return settings.database.url
    if address := layout.database_address(settings):
        return database_access.url(settings, address)
    return _url(settings, "salvus", "salvus")


def superuser_url(settings: Settings, database: str = "postgres") -> str:
    """To the private cluster of this host."""
    return _url(settings, "postgres", database)


def _url(settings: Settings, role: str, database: str) -> str:
    folder = quote(str(socket_folder(settings)), safe="")
    return f"postgresql://{role}@/{database}?host={folder}&port={settings.database.port}"


def socket_folder(settings: Settings) -> Path:
    return locations.sockets(settings) / "postgresql"


def prepare(settings: Settings) -> Command:
    """Make the cluster ready to be started. Raises CannotStart."""
    cluster = locations.cluster(settings)
    binaries = find_binaries(settings)
    user = system_user()
    if user:
        locations.check_reachable(cluster, user)
    locations.make_folder(socket_folder(settings), 0o700, user)
    if not (cluster / "PG_VERSION").exists():
        make_cluster(cluster, binaries, user)
    end_leftovers(cluster, settings.supervisor.stop_seconds)
    if database_access.is_shared(settings):
        free_port.require(settings.here.address, settings.database.port, "[database] port")
    file = locations.rendered(settings) / "postgresql.conf"
    with conf.old_one_will_do(file):
        renew(settings)
    return Command(
        arguments=(str(binaries / "postgres"), "-D", str(cluster), "-c", f"config_file={file}"),
        log=locations.log_file(settings, "postgresql"),
        user=user,
        stop_signal=signal.SIGINT,  # "fast": ends sessions, finishes with a checkpoint
        death_signal=signal.SIGINT,
    )


def content(settings: Settings) -> str:
    """What it would read now."""
    return "".join((*_files(settings).values(), *database_access.copies(settings).values()))


def renew(settings: Settings) -> None:
    """Bring what it reads up to date, if it will take that. Raises CannotStart."""
    folder, files = locations.rendered(settings), _files(settings)
    database_access.install(settings, system_user())
    text = files.pop("postgresql.conf")
    conf.install(folder / "postgresql.conf", text, checker=partial(checker, settings))
    for name, text in files.items():
        conf.write_if_changed(folder / name, text)


def checker(settings: Settings, file: Path) -> tuple[str, ...]:
    """The command that fails if PostgreSQL would not take `file` as its configuration."""
    program = str(find_binaries(settings) / "postgres")
    asked = (program, "-D", str(locations.cluster(settings)), "-C", "max_connections")
    return privileges.confined((*asked, "-c", f"config_file={file}"), system_user())


def probe(settings: Settings) -> str | None:
    """Whether it answers, and has our role and database: None if so, else why not.

    It asks as the superuser, for whom some connections are kept: that all others are in use
    would not be cured by a restart.
    """
    try:
        connection = psycopg2.connect(superuser_url(settings), application_name="salvus probe")
        with contextlib.closing(connection):
            make_absent(connection)
    except psycopg2.Error as error:
        return str(error).strip().partition("\n")[0]
    return None


def make_absent(connection: Connection) -> None:
    """Make our role and database if they are absent, which is asked first: nothing that is
    there already is an error in the server's log."""
    connection.autocommit = True  # a database can't be made within a transaction
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'salvus'),"
            " EXISTS (SELECT FROM pg_database WHERE datname = 'salvus')"
        )
        has_role, has_database = cursor.fetchone() or (False, False)
        if not has_role:
            cursor.execute("CREATE ROLE salvus LOGIN")
        if not has_database:
            cursor.execute("CREATE DATABASE salvus OWNER salvus")


def find_binaries(settings: Settings) -> Path:
    """The folder of `postgres` and `initdb`: the cluster's version, else the newest.

    Raises CannotStart.
    """
    if settings.database.binaries:
        folder = Path(settings.database.binaries).expanduser()
        if not _is_complete(folder):
            raise CannotStart(f"[database] binaries = {str(folder)!r}: has no postgres and initdb")
        return folder
    candidates = _candidates()
    if not candidates:
        raise CannotStart(
            "PostgreSQL is not installed: `make run` installs it where it may, else"
            " `apt-get install postgresql`; or name another server in [database] url,"
            " or its programs' folder in [database] binaries"
        )
    version_file = locations.cluster(settings) / "PG_VERSION"
    with contextlib.suppress(FileNotFoundError):
        version = version_file.read_text(encoding="ascii").strip()
        for folder in candidates:
            if _major_version(folder) == version:
                return folder
        raise CannotStart(
            f"{version_file.parent} was made by PostgreSQL {version}, which is not installed:"
            f" `apt-get install postgresql-{version}`, or name its folder in [database] binaries"
        )
    return candidates[0]


def find_program(settings: Settings, name: str) -> Path:
    """One that goes with the cluster, as pg_dump does. Raises CannotStart."""
    program = find_binaries(settings) / name
    if not os.access(program, os.X_OK):
        raise CannotStart(f"{program} is missing: `apt-get install postgresql-client`")
    return program


def system_user() -> str:
    """Who runs PostgreSQL: nobody else (empty) unless we are root. Raises CannotStart."""
    if os.geteuid() != 0:
        try:
            pwd.getpwuid(os.geteuid())
        except KeyError:
            raise CannotStart(
                f"PostgreSQL needs its user to have a name, but uid {os.geteuid()} has none"
                " in /etc/passwd; run as another user, or use [database] url"
            ) from None
        return ""
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise CannotStart("PostgreSQL refuses to run as root, and there is no user postgres or nobody")


def make_cluster(cluster: Path, binaries: Path, user: str) -> None:
    """Make an empty cluster, whole or not at all."""
    fresh = cluster.with_name(cluster.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    locations.make_folder(fresh, 0o700, user)
    initdb = [str(binaries / "initdb"), "--pgdata", str(fresh), "--username", "postgres"]
    initdb += ["--encoding", "UTF8", "--locale", "C.UTF-8", "--auth", "reject"]
    _run(initdb, user)
    with contextlib.suppress(FileNotFoundError):
        cluster.rmdir()
    fresh.rename(cluster)


def _files(settings: Settings) -> dict[str, str]:
    """Text by name. Raises CannotStart, SettingsError."""
    values: dict[str, str | int] = {
        **asdict(sizing.of(settings)),
        **database_access.values(settings),
        "port": settings.database.port,
        "sockets": conf.single_quoted(socket_folder(settings)),
        "folder": conf.single_quoted(locations.rendered(settings)),
        "user": pwd.getpwuid(os.geteuid()).pw_name,
    }
    names = ("postgresql.conf", "pg_hba.conf", "pg_ident.conf")
    return {name: conf.render(name, values) for name in names}


def end_leftovers(cluster: Path, stop_seconds: float) -> None:
    """End what an earlier supervisor's PostgreSQL has left running on `cluster`.

    A postmaster is asked first and may take `stop_seconds`; backends without one are not.
    """
    postmaster = _postmaster(cluster)
    if postmaster:
        postmaster.send_signal(signal.SIGINT)
        deadline = time.monotonic() + stop_seconds
        while postmaster.is_running() and time.monotonic() < deadline:
            gevent.sleep(0.05)
    while leftovers := _processes_in(cluster):
        for process in leftovers:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        gevent.sleep(0.02)


def _postmaster(cluster: Path) -> psutil.Process | None:
    """The living postmaster that postmaster.pid names, if it is one of `cluster`."""
    try:
        first = (cluster / "postmaster.pid").read_text(encoding="utf-8").split("\n")[0]
        return next(p for p in _processes_in(cluster) if p.pid == int(first))
    except (FileNotFoundError, ValueError, StopIteration):
        return None


def _processes_in(cluster: Path) -> list[psutil.Process]:
    """PostgreSQL's processes whose working directory is `cluster`."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.name() == "postgres" and process.cwd() == str(cluster.resolve()):
                found.append(process)
    return found


def _run(arguments: list[str], user: str) -> None:
    try:
        done = subprocess.run(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            **identity(user),
        )
    except OSError as error:
        raise CannotStart(f"{arguments[0]}: cannot be run: {error.strerror}") from error
    if done.returncode != 0:
        said = done.stdout.decode(errors="replace").strip()
        raise CannotStart(f"{arguments[0]} failed: {said}")


def _candidates() -> list[Path]:
    """Folders with PostgreSQL's programs: of PATH's pg_config, then Debian's, newest first."""
    folders = []
    if shutil.which("pg_config"):
        asked = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True)
        folders.append(Path(asked.stdout.strip()))
    versions = [folder for folder in DEBIAN.glob("*/bin") if folder.parent.name.isdigit()]
    folders += sorted(versions, key=lambda folder: int(folder.parent.name), reverse=True)
    return [folder for folder in folders if _is_complete(folder)]


def _is_complete(folder: Path) -> bool:
    return all(os.access(folder / name, os.X_OK) for name in ("postgres", "initdb"))


def _major_version(folder: Path) -> str:
    """As in PG_VERSION: of "postgres (PostgreSQL) 15.14 (Debian …)" the 15."""
    said = subprocess.run([str(folder / "postgres"), "--version"], capture_output=True, text=True)
    words = said.stdout.split()
    return words[2].partition(".")[0] if len(words) > 2 else ""

"""A private PostgreSQL under the data directory, for hosts that were given no other.

It listens on a unix socket in a folder that only its owner (and root) can enter, and
believes the kernel about who asks (peer authentication): user code in a sandbox runs
under other uids, so it neither reaches the socket nor would be let in, and there is no
password to leak. Roles: `postgres` (superuser) and `salvus`, which owns the database.

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
from pathlib import Path
from urllib.parse import quote

import gevent
import psutil
import psycopg2
from gevent import subprocess

from app import layout
from app.settings import Settings
from supervisor import conf, locations
from supervisor.process import identity
from supervisor.service import CannotStart, Command

DEBIAN = Path("/usr/lib/postgresql")
FIRST_STATEMENTS = """\
CREATE ROLE salvus LOGIN;
CREATE DATABASE salvus OWNER salvus;
"""
PROCESSES_OF_A_HOST = 4  # app, sage and monitor, and one being replaced
RESERVE = 20  # connections for the operator, probes and migrations


def database_url(settings: Settings) -> str:
    """The URL of the database: the one in the settings, else of our private cluster.

    Raises CannotStart.
    """
    if settings.database.url:
        return settings.database.url
    if address := layout.database_address(settings):
        raise CannotStart(f"PostgreSQL at {address} takes no other host: set [database] url")
    return f"postgresql://salvus@/salvus?host={quote(str(socket_folder(settings)), safe='')}"


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
    file = write_configuration(settings)
    end_leftovers(cluster, settings.supervisor.stop_seconds)
    return Command(
        arguments=(str(binaries / "postgres"), "-D", str(cluster), "-c", f"config_file={file}"),
        log=locations.log_file(settings, "postgresql"),
        user=user,
        stop_signal=signal.SIGINT,  # "fast": ends sessions, finishes with a checkpoint
        death_signal=signal.SIGINT,
    )


def probe(settings: Settings) -> str | None:
    """Whether the database answers: None if so, else why not."""
    try:
        connection = psycopg2.connect(database_url(settings), application_name="salvus probe")
    except psycopg2.Error as error:
        return str(error).strip().partition("\n")[0]
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except psycopg2.Error as error:
        return str(error).strip().partition("\n")[0]
    finally:
        connection.close()
    return None


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
    """Make a cluster with our role and database in it, whole or not at all."""
    fresh = cluster.with_name(cluster.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    locations.make_folder(fresh, 0o700, user)
    initdb = [str(binaries / "initdb"), "--pgdata", str(fresh), "--username", "postgres"]
    initdb += ["--encoding", "UTF8", "--locale", "C.UTF-8", "--auth", "reject"]
    _run(initdb, "", user)
    single = [str(binaries / "postgres"), "--single", "-D", str(fresh), "postgres"]
    _run(single, FIRST_STATEMENTS, user)
    with contextlib.suppress(FileNotFoundError):
        cluster.rmdir()
    fresh.rename(cluster)


def write_configuration(settings: Settings) -> Path:
    """Render PostgreSQL's files; the path of postgresql.conf."""
    folder = locations.rendered(settings)
    values: dict[str, str | int] = {
        "sockets": _quoted(socket_folder(settings)),
        "folder": _quoted(folder),
        "connections": settings.database.connections * PROCESSES_OF_A_HOST + RESERVE,
        "user": pwd.getpwuid(os.geteuid()).pw_name,
    }
    for name in ("postgresql.conf", "pg_hba.conf", "pg_ident.conf"):
        conf.write_if_changed(folder / name, conf.render(name, values))
    return folder / "postgresql.conf"


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


def _run(arguments: list[str], text: str, user: str) -> None:
    try:
        done = subprocess.run(
            arguments,
            input=text.encode(),
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


def _quoted(path: Path) -> str:
    """For between single quotes in postgresql.conf."""
    return str(path).replace("'", "''")

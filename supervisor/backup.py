"""Backups: the database, and what else a site could not be made of again.

`pg_dump` is the usual one: small, for any later PostgreSQL, and of one moment while the site
runs. `pg_basebackup` copies the cluster's files: faster for very large ones, and for the same
major version alone. Either goes into one file (archive.py) with the token, the certificates
and the settings: whoever has it has the site, so it is for our eyes alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import socket
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import psycopg2.extensions
from gevent import subprocess

from app.settings import Settings
from supervisor import archive, locations, postgresql
from supervisor.service import CannotStart

DUMP, BASE, SETTINGS, TOKEN = "database.dump", "base.tar.gz", "salvus.toml", "token"
CERTIFICATES = "certificates"
MOMENT = "%Y%m%dT%H%M%SZ"


class BackupError(Exception):
    """A backup that could not be made, or restored; the text says why. Nothing has changed."""


def folder(settings: Settings) -> Path:
    """Where backups go unless somebody says otherwise."""
    chosen = settings.backup.folder
    return Path(chosen).expanduser() if chosen else settings.data_dir / "backups"


def take(settings: Settings, into: Path, *, base: bool) -> Path:
    """Make one in the folder `into`. Raises BackupError, CannotStart."""
    command, environment = _base_command(settings) if base else _dump_command(settings)
    now = datetime.now(UTC)
    path = into / file_name(settings.site.name, now, base=base)
    about = {
        "site": settings.site.name,
        "host": socket.gethostname(),
        "made": now.isoformat(timespec="seconds"),
        "kind": "base" if base else "dump",
        "postgresql": major_version(settings) if base else "",
    }
    try:
        into.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(into), archive.written(path) as writer:
            _add_identity(settings, writer)
            with running(command, environment, stdout=subprocess.PIPE) as process:
                writer.add(BASE if base else DUMP, process.stdout)
            writer.finish(about)
    except OSError as error:
        raise BackupError(f"{error.filename or into}: {error.strerror or error}") from error
    return path


def file_name(site: str, moment: datetime, *, base: bool) -> str:
    return f"{site}-{moment:{MOMENT}}{'-base' if base else ''}.backup.zip"


def found_in(into: Path, site: str) -> list[Path]:
    """The backups of `site` there, the oldest first."""
    pattern = re.compile(re.escape(site) + r"-\d{8}T\d{6}Z(-base)?\.backup\.zip")
    if not into.is_dir():
        return []
    return sorted(path for path in into.iterdir() if pattern.fullmatch(path.name))


def remove_old(into: Path, site: str, keep: int) -> list[Path]:
    """Remove all but the latest `keep`; which those were."""
    old = found_in(into, site)[:-keep]
    for path in old:
        path.unlink(missing_ok=True)
    return old


def major_version(settings: Settings) -> str:
    """Of the cluster of this host. Raises CannotStart."""
    file = locations.cluster(settings) / "PG_VERSION"
    try:
        return file.read_text(encoding="ascii").strip()
    except OSError as error:
        raise CannotStart(f"{file}: {error.strerror}: this host has no PostgreSQL") from error


def connection_arguments(url: str) -> tuple[str, dict[str, str]]:
    """A URL as PostgreSQL's programs take it: what other users of the host may see in the list
    of processes, and the environment with the password."""
    parts = psycopg2.extensions.parse_dsn(url)
    password = cast(str, parts.pop("password", ""))
    visible = psycopg2.extensions.make_dsn(**parts)
    return f"--dbname={visible}", {"PGPASSWORD": password} if password else {}


def _dump_command(settings: Settings) -> tuple[list[str], Mapping[str, str]]:
    program = postgresql.find_program(settings, "pg_dump")
    database, environment = connection_arguments(postgresql.database_url(settings))
    return [str(program), "--format=custom", "--no-password", database], environment


def _base_command(settings: Settings) -> tuple[list[str], Mapping[str, str]]:
    if settings.database.url or "database" not in settings.here.roles:
        raise CannotStart(
            "--base copies the files of the PostgreSQL that Salvus runs on this host, and it runs"
            " none here: leave --base away, or back up on the host that has the role database"
        )
    program = postgresql.find_program(settings, "pg_basebackup")
    database, environment = connection_arguments(postgresql.superuser_url(settings, "replication"))
    how = ["--pgdata=-", "--format=tar", "--wal-method=fetch", "--compress=1"]
    return [str(program), *how, "--checkpoint=fast", "--no-password", database], environment


def _add_identity(settings: Settings, writer: archive.Writer) -> None:
    """The small things, by which a site is the one it is."""
    paths = {SETTINGS: Path(settings.file), TOKEN: settings.data_dir / TOKEN}
    for path in sorted(locations.certificates(settings).glob("*.*")):
        if path.suffix in (".pem", ".key"):
            paths[f"{CERTIFICATES}/{path.name}"] = path
    for name, path in paths.items():
        if path.exists():
            with open(path, "rb") as file:
                writer.add(name, file)


@contextmanager
def running(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    stdin: int = subprocess.DEVNULL,
    stdout: int | None = None,
) -> Iterator[Any]:
    """One of PostgreSQL's programs, to its end. Raises BackupError if it fails, with its words."""
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command,
            stdin=stdin,
            stdout=stdout,
            stderr=errors,
            cwd="/",
            env={**os.environ, "LC_ALL": "C", **environment},
        )
        try:
            with contextlib.suppress(BrokenPipeError):  # it has ended early, and says why
                yield process
                if process.stdin:
                    process.stdin.close()
            code = process.wait()
        finally:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()
        if code != 0:
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip()
            raise BackupError(f"{Path(command[0]).name} failed: {said or f'exit code {code}'}")


@contextmanager
def _alone(into: Path) -> Iterator[None]:
    """Only one at a time in a folder, so what is not complete there is nobody's."""
    descriptor = os.open(into / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for path in into.glob(".*.backup.zip.part"):
            path.unlink(missing_ok=True)
        yield
    except BlockingIOError:
        raise BackupError(f"another backup is being made in {into}") from None
    finally:
        os.close(descriptor)

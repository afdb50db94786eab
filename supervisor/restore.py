"""Making a site of a backup again.

The database is restored into a cluster of its own, beside the one there is, and looked at.
Only when it is good the two change places, so nothing is lost when something is wrong with
the backup, the disk is too small, or we are killed: the old one stays in a folder of its own,
whose name says when it was put aside.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg2
from gevent import subprocess

from app.settings import Settings
from supervisor import backup, catalog, conf, locations, postgresql
from supervisor.archive import CHUNK, Archive
from supervisor.backup import BackupError
from supervisor.lock import Lock, holder
from supervisor.service import CannotStart
from supervisor.supervisor import Supervisor

WORKSHOP = "restoring"  # a data directory within ours, so that its cluster can be renamed
STOP_SECONDS = 600.0  # that a site may take to stop
COUNTED = ("accounts", "worksheets", "runs", "outputs")


@dataclass(frozen=True)
class Restoration:
    """`say` is told what is being done, and has been."""

    settings: Settings
    archive: Archive
    say: Callable[[str], None]

    def run(self, *, stop: bool) -> None:
        """Restore. A site that runs is refused, or stopped if `stop`. Raises BackupError,
        CannotStart, and has changed nothing."""
        locations.make_all(self.settings)
        if not stop:
            Lock(self.settings.data_dir).release()
        try:
            if self.settings.database.url:
                self._restore_elsewhere()
            else:
                self._restore_here(stop=stop)
            self._put_back_identity()
        except psycopg2.Error as error:
            words = str(error).strip().partition("\n")[0]
            raise BackupError(f"the restored database can't be asked: {words}") from error
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            raise BackupError(f"{where}{error.strerror or error}") from error

    def _restore_here(self, *, stop: bool) -> None:
        if "database" not in self.settings.here.roles:
            raise CannotStart("restore on the host with the role database: this one has not")
        with self._workshop() as inner:
            self.say("restoring the database beside the one there is …")
            cluster = locations.cluster(inner)
            if backup.BASE in self.archive.members:
                self._extract_base(inner)
            with _running(inner):
                if backup.BASE not in self.archive.members:
                    self._load_dump(inner)
                self.say(f"it holds {_counted(postgresql.database_url(inner))}")
            with self._stopped(stop=stop):
                self._exchange(cluster)

    @contextmanager
    def _workshop(self) -> Iterator[Settings]:
        """The settings of a host that has this cluster alone, and goes when it is done."""
        folder = self.settings.data_dir / WORKSHOP
        _remove(folder)
        inner = replace(
            self.settings,
            site=replace(self.settings.site, data_dir=str(folder), host=""),
            memcached=replace(self.settings.memcached, servers=("none:1",)),
            hosts={},
        )
        locations.make_all(inner)
        try:
            yield inner
        finally:
            _remove(folder)
            if not locations.sockets(inner).is_relative_to(folder):
                _remove(locations.sockets(inner))

    def _load_dump(self, settings: Settings) -> None:
        """Into the empty database of `settings`."""
        program = postgresql.find_program(settings, "pg_restore")
        database, environment = backup.connection_arguments(postgresql.database_url(settings))
        how = ("--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges")
        command = (str(program), *how, "--no-password", database)
        self._feed(command, environment, backup.DUMP)

    def _feed(self, command: Sequence[str], environment: Mapping[str, str], name: str) -> None:
        """Give the member called `name` to a program. Raises BackupError, OSError."""
        with (
            self.archive.open(name) as member,
            backup.running(command, environment, stdin=subprocess.PIPE) as process,
        ):
            shutil.copyfileobj(member, process.stdin, CHUNK)

    def _extract_base(self, inner: Settings) -> None:
        """PostgreSQL's own list tells whether every file is as it was."""
        user, cluster = postgresql.system_user(), locations.cluster(inner)
        locations.make_folder(cluster, 0o700)
        # By this, which is in the copy, too, the programs of that version are found.
        (cluster / "PG_VERSION").write_text(self.archive.about["postgresql"], encoding="ascii")
        verify = postgresql.find_program(inner, "pg_verifybackup")
        unpack = ("tar", "--extract", "--gzip", "--no-same-owner", "--directory", str(cluster))
        self._feed(unpack, {}, backup.BASE)
        with backup.running((str(verify), "--quiet", str(cluster)), {}):
            pass
        for path in (cluster, *cluster.rglob("*")):
            path.chmod(0o700 if path.is_dir() else 0o600)
            if user:
                shutil.chown(path, user, user)

    @contextmanager
    def _stopped(self, *, stop: bool) -> Iterator[None]:
        """The site does not run, and can't be started, meanwhile."""
        pid = holder(self.settings.data_dir) if stop else None
        if pid:
            self.say(f"stopping the site (pid {pid}) …")
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        lock = Lock(self.settings.data_dir, wait_seconds=STOP_SECONDS if pid else 0)
        try:
            yield
        finally:
            lock.release()
        if pid:
            self.say("the site is stopped: start it again as you started it")

    def _exchange(self, fresh: Path) -> None:
        cluster = locations.cluster(self.settings)
        postgresql.end_leftovers(cluster, self.settings.supervisor.stop_seconds)
        if cluster.exists():
            aside = cluster.with_name(f"{cluster.name}.before-{_moment()}")
            cluster.rename(aside)
            self.say(f"the database before is kept in {aside}: remove it when you don't need it")
        fresh.rename(cluster)
        self.say("the restored database is in its place")

    def _restore_elsewhere(self) -> None:
        """Into the empty database that the settings name."""
        if backup.DUMP not in self.archive.members:
            raise BackupError(
                f"{self.archive.path} is a copy of PostgreSQL's files, which [database] url can't"
                " take: restore one made without --base, or leave url empty"
            )
        question = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        if (tables := _ask(self.settings.database.url, question)) and tables[0][0]:
            raise BackupError(
                f"the database of [database] url has {tables[0][0]} tables already: stop all"
                " hosts of the site and name an empty one"
            )
        self.say("restoring into the database of [database] url …")
        self._load_dump(self.settings)
        self.say(f"it holds {_counted(self.settings.database.url)}")

    def _put_back_identity(self) -> None:
        """What is missing here. What is here and differs stays: the backup's goes beside it."""
        beside = self.settings.data_dir / f"restored-{_moment()}"
        for name in self.archive.members:
            if name in (backup.DUMP, backup.BASE):
                continue
            text = self.archive.bytes_of(name)
            place = self.settings.data_dir / name
            if name == backup.SETTINGS:
                place = Path(self.settings.file)
            if place.exists() and place.read_bytes() == text:
                continue
            if place.exists():
                place = beside / name
                self.say(f"what is here differs and stays; the backup's is {place}")
            else:
                self.say(f"put back {place}")
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            conf.write_if_changed(place, text.decode(), 0o600)


@contextmanager
def _running(settings: Settings) -> Iterator[None]:
    """With that cluster's PostgreSQL. Raises CannotStart."""
    host = Supervisor(
        services=catalog.support(settings),
        rules=catalog.rules(settings),
        on_change=lambda name, state, reason: None,
    )
    host.start()
    try:
        if failures := host.wait_settled():
            log = locations.log_file(settings, "postgresql").read_text(errors="replace")
            words = "; ".join(f"{name}: {why}" for name, why in failures.items())
            raise CannotStart(f"{words}; its log ends with:\n{log[-1000:]}")
        yield
    finally:
        host.stop()


def _counted(url: str) -> str:
    """What is in the database, in words."""
    names = [f"'{name}'" for name in COUNTED]
    here = _ask(url, f"SELECT tablename FROM pg_tables WHERE tablename IN ({', '.join(names)})")
    found = [(name, _ask(url, f"SELECT count(*) FROM {name}")) for (name,) in sorted(here)]
    return ", ".join(f"{rows[0][0]} {name}" for name, rows in found) or "nothing"


def _ask(url: str, question: str) -> list[tuple[object, ...]]:
    with contextlib.closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(question)
        return cursor.fetchall()


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _moment() -> str:
    return f"{datetime.now(UTC):{backup.MOMENT}}"

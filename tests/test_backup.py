"""Backups, and what is made of them again."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import gevent
import psycopg2
import pytest

from app import settings as settings_file
from app.settings import ROOT, Settings
from app.token import site_token
from supervisor import archive, backup, catalog, certs, locations, postgresql, schedule
from supervisor.archive import NoBackup
from supervisor.backup import BackupError
from supervisor.lock import Lock
from supervisor.restore import Restoration
from supervisor.service import CannotStart
from supervisor.supervisor import Supervisor
from tests import host
from tests.page_client import Page, SignedIn
from tests.running_site import RunningSite, supervised

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


@contextmanager
def running(settings: Settings) -> Iterator[None]:
    """A host's PostgreSQL."""
    supervisor = Supervisor(
        services=catalog.support(settings),
        rules=catalog.rules(settings),
        on_change=lambda name, state, reason: None,
    )
    supervisor.start()
    try:
        if failures := supervisor.wait_settled():
            host.missing(str(failures))
        yield
    finally:
        supervisor.stop()


def ask(url: str, question: str) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(question)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def administer(url: str, command: str) -> None:
    connection = psycopg2.connect(url.replace("//salvus@/salvus?", "//postgres@/postgres?"))
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(command)
    finally:
        connection.close()


@pytest.fixture(scope="module")
def filled() -> Iterator[Settings]:
    """A host with something in its database and all that a backup takes; it is stopped."""
    with host.short_folder() as folder:
        settings = replace(
            host.settings_in(folder), memcached=settings_file.Memcached(servers=("none:1",))
        )
        locations.make_all(settings)
        site_token(folder)
        certs.ensure(folder, ["127.0.0.1"])
        with running(settings):
            url = postgresql.database_url(settings)
            ask(url, "CREATE TABLE outputs AS SELECT n, repeat('x', n) FROM generate_series(1,9) n")
            for base in (False, True):
                backup.take(settings, folder / "backups", base=base)
        yield settings


@pytest.fixture
def fresh(data_dir: Path, filled: Settings) -> Settings:
    """Another host, without anything."""
    return replace(filled, site=replace(filled.site, data_dir=str(data_dir)))


def taken(settings: Settings, *, base: bool) -> Path:
    found = backup.found_in(backup.folder(settings), settings.site.name)
    return next(path for path in found if path.name.endswith("-base.backup.zip") is base)


def restore(
    settings: Settings, file: Path, *, stop: bool = False, say: Callable[[str], None] = print
) -> None:
    Restoration(settings, archive.read(file), say).run(stop=stop)


@pytest.mark.parametrize("base", [False, True])
def test_a_new_host_becomes_the_one_that_was_backed_up(
    filled: Settings, fresh: Settings, base: bool
) -> None:
    restore(fresh, taken(filled, base=base))
    with running(fresh):
        url = postgresql.database_url(fresh)
        assert ask(url, "SELECT sum(length(repeat)) FROM outputs") == [(45,)]
        owner = "SELECT tableowner::text FROM pg_tables WHERE tablename = 'outputs'"
        assert ask(url, owner) == [("salvus",)]
    assert site_token(fresh.data_dir) == site_token(filled.data_dir)
    for name in ("ca.pem", "ca.key", "host.pem", "host.key"):
        restored = locations.certificates(fresh) / name
        assert restored.read_bytes() == (locations.certificates(filled) / name).read_bytes()
        assert stat.S_IMODE(restored.stat().st_mode) == 0o600
    assert not (fresh.data_dir / "restoring").exists()


def test_a_database_elsewhere_is_filled_if_it_is_empty(
    filled: Settings, fresh: Settings, host_settings: Settings
) -> None:
    """Another server's, that the settings name; what is in one stays."""
    server = postgresql.database_url(host_settings)
    name = f"elsewhere_{os.getpid()}"
    elsewhere = server.replace("/salvus?", f"/{name}?")
    administer(server, f"CREATE DATABASE {name} OWNER salvus")
    try:
        there = replace(fresh, database=replace(fresh.database, url=elsewhere))
        with pytest.raises(BackupError, match="a copy of PostgreSQL's files"):
            restore(there, taken(filled, base=True))
        restore(there, taken(filled, base=False))
        assert ask(elsewhere, "SELECT sum(length(repeat)) FROM outputs") == [(45,)]
        assert site_token(there.data_dir) == site_token(filled.data_dir)
        with pytest.raises(BackupError, match=r"has 1 tables already: .* name an empty one"):
            restore(there, taken(filled, base=False))
        assert ask(elsewhere, "SELECT sum(length(repeat)) FROM outputs") == [(45,)]
    finally:
        administer(server, f"DROP DATABASE {name}")


def test_what_is_here_is_kept_aside(filled: Settings, fresh: Settings) -> None:
    locations.make_all(fresh)
    site_token(fresh.data_dir)
    with running(fresh):
        ask(postgresql.database_url(fresh), "CREATE TABLE precious AS SELECT 42 AS number")
    said: list[str] = []
    restore(fresh, taken(filled, base=False), say=said.append)
    assert any("differs and stays" in line for line in said)
    assert site_token(fresh.data_dir) != site_token(filled.data_dir)
    (beside,) = fresh.data_dir.glob("restored-*/token")
    assert beside.read_text() == site_token(filled.data_dir)
    (aside,) = fresh.data_dir.glob("postgresql.before-*")
    assert any(str(aside) in line for line in said)
    shutil.rmtree(locations.cluster(fresh))
    aside.rename(locations.cluster(fresh))
    with running(fresh):
        assert ask(postgresql.database_url(fresh), "SELECT number FROM precious") == [(42,)]


def test_a_backup_is_for_its_owner_alone_and_lists_what_it_has(filled: Settings) -> None:
    path = taken(filled, base=False)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with zipfile.ZipFile(path) as found:
        about = json.loads(found.read("contents.json"))
    assert about["kind"] == "dump"
    assert set(about["members"]) >= {"database.dump", "token", "salvus.toml", "certificates/ca.key"}
    assert [name for name in os.listdir(path.parent) if name.endswith(".part")] == []


def test_a_running_site_is_not_restored_without_being_told(
    filled: Settings, fresh: Settings
) -> None:
    locations.make_all(fresh)
    lock = Lock(fresh.data_dir)
    with pytest.raises(CannotStart, match=rf"in use by another Salvus \(pid {os.getpid()}\)"):
        restore(fresh, taken(filled, base=False))
    lock.release()
    assert not locations.cluster(fresh).exists()


def test_files_that_are_no_backup_are_named_with_the_reason(
    filled: Settings, tmp_path: Path
) -> None:
    whole = taken(filled, base=False).read_bytes()
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    middle = whole.index(b"PGDMP") + 100
    (tmp_path / "changed").write_bytes(whole[:middle] + b"?" + whole[middle + 1 :])
    (tmp_path / "text").write_text("hello\n")
    with zipfile.ZipFile(tmp_path / "other", "w") as other:
        other.writestr("photo", "x")
    with zipfile.ZipFile(tmp_path / "future", "w") as other:
        other.writestr("contents.json", '{"format": 99, "members": {}}')
    for name, words in [
        ("cut", "is damaged or not complete"),
        ("changed", "is damaged"),
        ("text", "is not a backup of Salvus"),
        ("other", "has no list of contents"),
        ("future", r"made by another Salvus \(format 99\)"),
        ("missing", "No such file"),
        (".", "Is a directory"),
    ]:
        with pytest.raises(NoBackup, match=words):
            archive.read(tmp_path / name)


def test_a_dump_that_cannot_be_loaded_changes_nothing(filled: Settings, fresh: Settings) -> None:
    bad = fresh.data_dir / "bad.zip"
    (fresh.data_dir / "dump").write_bytes(b"PGDMP no more")
    with archive.written(bad) as writer, open(fresh.data_dir / "dump", "rb") as file:
        writer.add("database.dump", file)
        writer.finish({"site": "x"})
    locations.make_all(fresh)
    with running(fresh):
        ask(postgresql.database_url(fresh), "CREATE TABLE precious AS SELECT 42 AS number")
    with pytest.raises(BackupError, match="pg_restore failed: "):
        restore(fresh, bad)
    assert not list(fresh.data_dir.glob("postgresql.before-*"))
    with running(fresh):
        assert ask(postgresql.database_url(fresh), "SELECT number FROM precious") == [(42,)]


def test_a_copy_of_another_version_of_postgresql_is_refused(
    filled: Settings, fresh: Settings
) -> None:
    found = archive.read(taken(filled, base=True))
    found.about["postgresql"] = "9"
    with pytest.raises(CannotStart, match="apt-get install postgresql-9"):
        Restoration(fresh, found, print).run(stop=False)


def test_a_full_disk_leaves_no_half_a_backup(filled: Settings, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        host.missing("root, for a small file system")
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        host.missing("the right to mount")
    try:
        with running(filled), pytest.raises(BackupError, match="No space left on device"):
            backup.take(filled, small, base=True)
        assert [path.name for path in small.iterdir()] == [".lock"]
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_no_database_no_backup(fresh: Settings, tmp_path: Path) -> None:
    locations.make_all(fresh)
    with pytest.raises(BackupError, match=r"pg_dump failed: .*No such file"):
        backup.take(fresh, tmp_path, base=False)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_password_is_not_seen_in_the_list_of_processes() -> None:
    argument, environment = backup.connection_arguments("postgresql://me:secret@db:5433/x?sslmode=require")
    assert "secret" not in argument
    assert {"host=db", "port=5433", "user=me", "sslmode=require"} <= set(
        argument.removeprefix("--dbname=").split()
    )
    assert environment == {"PGPASSWORD": "secret"}


# Those that are made by themselves


def test_the_latest_are_kept_and_others_are_not_touched(tmp_path: Path) -> None:
    moments = [NOON.replace(day=day) for day in (1, 2, 3)]
    names = [backup.file_name("school", each, base=each.day == 2) for each in moments]
    others = ["other-20260101T000000Z.backup.zip", "school-notes.zip"]
    for name in (*names, *others):
        (tmp_path / name).touch()
    assert [path.name for path in backup.remove_old(tmp_path, "school", 2)] == names[:1]
    assert {path.name for path in tmp_path.iterdir()} == {*names[1:], *others}
    assert backup.remove_old(tmp_path, "school", 2) == []


@pytest.mark.parametrize(
    ("every", "age_hours", "expected"),
    [
        (0.0, None, False),
        (24.0, None, True),
        (24.0, 23.9, False),
        (24.0, 24.1, True),
        (24.0, -1.0, True),  # of the future
    ],
)
def test_when_a_backup_is_due(
    tmp_path: Path, every: float, age_hours: float | None, expected: bool
) -> None:
    settings = host.settings_in(tmp_path, backup_every_hours=str(every))
    now = NOON.timestamp()
    if age_hours is not None:
        file = backup.folder(settings) / backup.file_name("salvus", NOON, base=False)
        file.parent.mkdir()
        file.touch()
        os.utime(file, (now - age_hours * 3600,) * 2)
    assert schedule.is_due(settings, now) is expected


def test_a_backup_that_is_overdue_is_said(tmp_path: Path) -> None:
    settings = host.settings_in(tmp_path, backup_every_hours="10")
    file = backup.folder(settings) / backup.file_name("salvus", NOON, base=False)
    file.parent.mkdir()
    file.touch()
    made = file.stat().st_mtime
    assert schedule.notices(settings, made + 14 * 3600) == ()
    (notice,) = schedule.notices(settings, made + 16 * 3600)
    assert notice.startswith("the latest backup is 16 hours old")


# A whole site


def test_a_site_whose_database_is_destroyed_comes_back(data_dir: Path) -> None:
    """A run's output is there again, and so is the browser that was signed in."""
    plain = ROOT / ".venv-plain" / "bin" / "python"
    if not plain.exists():
        host.missing(".venv-plain")
    site = supervised(data_dir, sage_python=str(plain))
    url = postgresql.database_url(settings_file.read(environment=site.environment))
    cell = str(uuid.uuid4())
    site.start()
    try:
        person = SignedIn(site.address)
        worksheet = person.new_worksheet()
        page = Page(person, worksheet)
        page.save(cell, "print(6 * 7)")
        page.run("print(6 * 7)", cell=cell)
        assert page.printed() == "42\n"
        page.close()
        while not ask(url, "SELECT 1 FROM runs WHERE finished IS NOT NULL"):
            gevent.sleep(0.02)
        file = Path(site.run("backup").partition(": ")[0])
        refused = command(site, "restore", str(file))
        assert refused.returncode != 0
        assert "in use by another Salvus" in refused.stderr
        told = command(site, "restore", "--stop", str(file))
        assert told.returncode == 0, told.stderr
        assert "stopping the site" in told.stdout
    finally:
        site.stop()
    shutil.rmtree(data_dir / "postgresql")
    shutil.rmtree(data_dir / "sage")
    done = command(site, "restore", str(file))
    assert done.returncode == 0, done.stderr
    assert "it holds 1 accounts, " in done.stdout
    site.start()
    try:
        page = Page(person, worksheet)
        page.until(lambda message: message.frame.HasField("finished"))
        assert page.printed() == "42\n"
        page.close()
    finally:
        site.stop()


def command(site: RunningSite, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "salvus.py", *arguments],
        cwd=ROOT,
        env=site.environment,
        capture_output=True,
        text=True,
    )

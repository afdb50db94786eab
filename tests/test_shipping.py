"""Log lines reach the database once each: files that rotate, are cut off, are full; kills."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import gevent
import pytest

from app.db import Database, Unavailable
from app.settings import ROOT, Settings
from monitor import entries, logs
from monitor.entries import Wanted
from monitor.lines import UNKNOWN_GAP
from monitor.logs import Contested, Shipper
from supervisor.logs import LogFile
from supervisor.postgresql import database_url, socket_folder
from tests import host
from tests.running_site import RunningSite

Ship = Callable[[], int]
ROUNDS = 100
# Ships what is there for ever. For each line of its input another process of the same
# program does so, and the one before is killed.
SHIPPER = """
import os, signal, sys
from app import green
from app.db import Database
from monitor.logs import Shipper
green.activate()
url, folder = sys.argv[1:]

def ship():
    database = Database(url=url, connections=1, wait_seconds=10, statement_seconds=10)
    shipper = Shipper(database=database, folder=__import__("pathlib").Path(folder),
                      host="here", interval=1)
    while True:
        try:
            shipper.ship()
        except Exception as error:
            print(error, file=sys.stderr)

def end(pid):
    if pid:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)

pid = 0
for line in sys.stdin:
    end(pid)
    pid = os.fork()
    if not pid:
        ship()
    print("ready", flush=True)
end(pid)
"""


@pytest.fixture
def folder(data_dir: Path) -> Path:
    made = data_dir / "logs"
    made.mkdir()
    return made


@pytest.fixture
def ship(database: Database, folder: Path) -> Ship:
    """Ships all that is there, as a monitor does that has just been started."""
    return lambda: shipper(database, folder).ship()


def shipper(database: Database, folder: Path, host: str = "here") -> Shipper:
    return Shipper(database=database, folder=folder, host=host, interval=1)


def shipped(database: Database, wanted: Wanted | None = None) -> list[str]:
    with database.reading() as cursor:
        return [one.message for one in entries.latest(cursor, wanted or Wanted(), 100_000)]


def is_gap(text: str) -> bool:
    return text.startswith(UNKNOWN_GAP)


def test_lines_come_once_with_what_is_known_of_them(
    database: Database, folder: Path, ship: Ship
) -> None:
    (folder / "app-1.log").write_text("2026-11-25 04:50:33.5 UTC [7] LOG:  hello\nhalf a li")
    assert ship() == 1
    with (folder / "app-1.log").open("a") as file:
        file.write("ne\n")
    assert ship() == 1
    assert ship() == 0
    with database.reading() as cursor:
        cursor.execute('SELECT service, logfile, "offset", level, message, time FROM log'
                       " ORDER BY id")
        first, second = cursor.fetchall()
    logfile = f"here:{folder}/app-1.log"
    assert first[:5] == ("app-1", logfile, 0, "INFO", "2026-11-25 04:50:33.5 UTC [7] LOG:  hello")
    assert first[5] == datetime(2026, 11, 25, 4, 50, 33, 500_000, tzinfo=UTC)
    assert second[:5] == ("app-1", logfile, 42, None, "half a line")
    assert datetime.now(UTC) - second[5] < timedelta(minutes=1)


def test_rotated_files_are_followed(database: Database, folder: Path, ship: Ship) -> None:
    log = LogFile(folder / "a.log", size=50, count=50)
    for number in range(60):
        log.write(f"line {number}\n".encode())
        if number % 7 == 0:
            ship()
    ship()
    assert shipped(database) == [f"line {number}" for number in range(60)]
    assert len(list(folder.iterdir())) > 5


def test_a_file_that_rotated_without_a_line_end_is_read_to_its_end(
    database: Database, folder: Path, ship: Ship
) -> None:
    (folder / "a.log").write_text("one\ntw")
    ship()
    (folder / "a.log").rename(folder / "a.log.1")
    assert ship() == 0  # what writes it may not be done
    (folder / "a.log").write_text("three\n")
    ship()
    assert shipped(database) == ["one", "tw", "three"]


def test_a_log_that_was_cut_off_says_so(database: Database, folder: Path, ship: Ship) -> None:
    (folder / "a.log").write_text("one\ntwo\n")
    (folder / "a.log.1").write_text("zero\n")
    ship()
    (folder / "a.log").write_text("new\n")  # the same file, its content replaced
    ship()
    ship()
    zero, one, two, gap, new = shipped(database)
    assert (zero, one, two, new) == ("zero", "one", "two", "new")
    assert is_gap(gap)


def test_lines_that_were_rotated_away_unread_are_declared(
    database: Database, folder: Path, ship: Ship
) -> None:
    log = LogFile(folder / "a.log", size=10, count=1)
    log.write(b"first line\n")
    ship()
    for number in range(5):
        log.write(f"then number {number}\n".encode())
    ship()
    first, gap, *rest = shipped(database)
    assert first == "first line"
    assert is_gap(gap)
    assert rest == ["then number 3", "then number 4"]


def test_an_inode_that_is_used_again_is_another_file(
    database: Database, folder: Path, ship: Ship
) -> None:
    """A file in the place of another, with its inode and longer, but with other bytes."""
    path = folder / "a.log"
    path.write_text("the first file\n")
    ship()
    with path.open("r+") as file:
        file.write("another file, longer\n")
    ship()
    first, gap, second = shipped(database)
    assert (first, second) == ("the first file", "another file, longer")
    assert is_gap(gap)


def test_what_is_no_text_is_kept_readable(database: Database, folder: Path, ship: Ship) -> None:
    (folder / "a.log").write_bytes(b"caf\xe9 \0 caf\xc3\xa9\n" + b"x" * (logs.LONGEST + 5) + b"\n")
    ship()
    first, *long = shipped(database)
    assert first == r"caf\xe9 \x00 café"
    assert [len(part) for part in long] == [logs.LONGEST, 5]


@pytest.fixture
def small_disk(data_dir: Path) -> Iterator[Path]:
    """A folder on a disk of its own, of 64 KiB."""
    if os.geteuid() != 0:
        host.missing("root, to mount a small disk")
    made = data_dir / "logs"
    made.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", made], check=True)
    yield made
    subprocess.run(["umount", "--lazy", made], check=True)


def test_a_full_disk_is_declared(database: Database, small_disk: Path) -> None:
    log = LogFile(small_disk / "a.log", size=1 << 20, count=1)
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * (60 << 10))
    log.write(b"a full page of lines\n" * 400)  # of which some fit
    log.write(b"lost\n")
    filler.unlink()
    log.write(b"found\n")
    shipper(database, small_disk).ship()
    *_, gap, found = shipped(database)
    assert gap.endswith("bytes are missing here: they could not be written]")
    assert found == "found"
    assert shipped(database, Wanted(level="WARNING")) == [gap]


def test_a_database_that_is_down_gets_everything_later(
    database: Database, host_settings: Settings, data_dir: Path, folder: Path
) -> None:
    way = data_dir / "way"  # to the sockets of the database
    way.symlink_to(socket_folder(host_settings))
    pool = Database(
        url=f"postgresql://salvus@/salvus?host={quote(str(way), safe='')}",
        connections=1, wait_seconds=5, statement_seconds=5,
    )  # fmt: skip
    log = LogFile(folder / "a.log", size=50, count=100)
    one = shipper(pool, folder)
    for number in range(50):
        log.write(f"line {number}\n".encode())
        if number == 10:
            one.ship()
            way.unlink()
            with database.transaction() as cursor:  # idle connections go, too
                cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                               " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'")
        if number in (20, 30):
            with pytest.raises(Unavailable):
                one.ship()
    way.symlink_to(socket_folder(host_settings))
    one.ship()
    pool.close()
    assert shipped(database) == [f"line {number}" for number in range(50)]


def test_of_two_monitors_that_ship_the_same_log_one_gives_way(
    database: Database, folder: Path
) -> None:
    (folder / "a.log").write_text("one\n")
    first, second = shipper(database, folder), shipper(database, folder)
    first.ship()
    second.ship()
    with (folder / "a.log").open("a") as file:
        file.write("two\n")
    first.ship()
    with pytest.raises(Contested, match="another monitor"):
        second.ship()
    second.ship()  # knows by now what the other has done
    assert shipped(database) == ["one", "two"]


def test_hosts_and_services_are_told_apart(database: Database, folder: Path) -> None:
    (folder / "app-1.log").write_text("2025-11-25 04:50:33,1 ERROR a: broken\n")
    (folder / "sage-1.log").write_text("Fine\n")
    shipper(database, folder).ship()
    shipper(database, folder, host="there").ship()
    broken = "2025-11-25 04:50:33,1 ERROR a: broken"
    assert shipped(database, Wanted(services=("app",))) == [broken] * 2
    assert shipped(database, Wanted(services=("sage-1",), hosts=("there",))) == ["Fine"]
    assert shipped(database, Wanted(pattern="f.ne$")) == ["Fine"] * 2
    recently = datetime.now(UTC) - timedelta(hours=1)
    assert shipped(database, Wanted(since=recently, services=("app", "sage"))) == ["Fine"] * 2


def test_kills_lose_nothing_and_double_nothing(
    database: Database, host_settings: Settings, folder: Path
) -> None:
    log = LogFile(folder / "a.log", size=2000, count=1000)
    chance = random.Random(1)
    process = subprocess.Popen(
        [sys.executable, "-c", SHIPPER, database_url(host_settings), str(folder)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
    )  # fmt: skip
    assert process.stdin
    assert process.stdout
    count = 0
    for _ in range(ROUNDS):
        process.stdin.write("next\n")
        process.stdout.readline()
        for _ in range(chance.randrange(30)):  # connecting takes some 10 ms, a transaction 2
            log.write(f"line {count}\n".encode())
            count += 1
            gevent.sleep(chance.uniform(0, 0.003))
    process.stdin.close()
    process.wait(30)
    process.stdout.close()
    began = len(shipped(database))
    assert began > 0
    shipper(database, folder).ship()
    assert shipped(database) == [f"line {number}" for number in range(count)]


def test_files_stay_open_no_longer_than_needed(folder: Path, ship: Ship) -> None:
    (folder / "a.log").write_text("one\n")
    ship()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        ship()
    assert len(os.listdir("/proc/self/fd")) == before


# --- A whole site ----------------------------------------------------------------------


def test_the_command_shows_what_services_have_said(site: RunningSite) -> None:
    words = ("log", "--service", "sage", "--grep", "IS (WARM|READY)", "--since", "1d", "-n", "5")
    with gevent.Timeout(60):
        while not (said := site.run(*words)):
            gevent.sleep(0.2)
    assert "SageMath" in said
    assert "sage-1" in said
    assert "INFO" in said


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--grep", "(", "parentheses () not balanced"),
        ("--since", "yesterday", "expected how long ago"),
        ("--level", "loud", "is not one of"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(
    site: RunningSite, option: str, value: str, words: str
) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        site.run("log", option, value)
    assert words in caught.value.stderr


def test_the_command_follows(site: RunningSite) -> None:
    """A line that comes while it waits is shown, once."""
    process = subprocess.Popen(
        [sys.executable, "salvus.py", "log", "-f", "-n", "0", "--service", "marked"],
        cwd=ROOT, env=site.environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout
    lines = gevent.spawn(process.stdout.readline)
    path = site.data_dir / "logs" / "marked.log"
    with gevent.Timeout(60):
        number = 0
        while not lines.ready():  # one that is there before it looks is no news
            number += 1
            with path.open("a") as file:
                file.write(f"number {number}\n")
            gevent.sleep(0.5)
    assert "marked" in lines.get()
    process.terminate()
    process.wait(10)
    process.stdout.close()

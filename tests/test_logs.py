"""Logs: rotation, a full disk, following; and a service that nobody ever holds up."""

from __future__ import annotations

import os
from pathlib import Path

import gevent
import pytest

from supervisor.logs import Follower, LogFile, old


def log_in(folder: Path, *, size: int = 100, count: int = 2) -> LogFile:
    return LogFile(folder / "x.log", size=size, count=count)


def test_files_rotate_at_the_end_of_lines_and_some_are_kept(tmp_path: Path) -> None:
    log = log_in(tmp_path)
    for number in range(60):
        log.write(f"line {number}\n".encode())
    assert sorted(os.listdir(tmp_path)) == ["x.log", "x.log.1", "x.log.2"]
    kept = [old(log.path, number).read_text() for number in (2, 1, 0)]
    lines = "".join(kept).splitlines()
    assert lines == [f"line {number}" for number in range(60 - len(lines), 60)]
    assert all(text.endswith("\n") and len(text) <= 108 for text in kept)


def test_a_large_piece_is_cut_where_a_line_ends(tmp_path: Path) -> None:
    log = log_in(tmp_path)
    log.write(b"a" * 90 + b"\n" + b"b" * 50)
    log.write(b"c\n")
    log.write(b"d\n")
    assert old(log.path, 1).read_bytes() == b"a" * 90 + b"\n" + b"b" * 50 + b"c\n"
    assert log.path.read_bytes() == b"d\n"


def test_what_never_ends_a_line_rotates_too(tmp_path: Path) -> None:
    log = log_in(tmp_path, count=1)
    for _ in range(100):
        log.write(b"=" * 50)
    assert log.path.stat().st_size <= 300
    assert sorted(os.listdir(tmp_path)) == ["x.log", "x.log.1"]


def test_a_deleted_file_is_made_again(tmp_path: Path) -> None:
    log = log_in(tmp_path)
    log.write(b"one\n")
    log.path.unlink()
    log.write(b"two\n")
    assert log.path.read_bytes() == b"two\n"


def test_a_full_disk_is_said_when_there_is_room_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = log_in(tmp_path, size=1000)
    log.write(b"half a")
    full = os.open("/dev/full", os.O_WRONLY)
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr("os.write", lambda descriptor, data: write(full, data))
        log.write(b" line\n")
        log.write(b"lost\n")
    os.close(full)
    log.write(b"again\n")
    said = "[11 bytes are missing here: they could not be written]"
    assert log.path.read_text() == f"half a\n{said}\nagain\n"


def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    log = log_in(tmp_path, size=1 << 30)
    reader, writer = os.pipe()
    log.take_over(reader)
    text = b"".join(b"%d\n" % number for number in range(100_000))
    gevent.get_hub().threadpool.apply(_write_all, (writer, text))
    os.close(writer)
    with gevent.Timeout(30):
        while not log.path.exists() or log.path.stat().st_size < len(text):
            gevent.sleep(0.01)
    assert log.path.read_bytes() == text


def _write_all(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


@pytest.mark.parametrize(("lines", "first"), [(0, 40), (3, 37), (20, 20), (1000, None)])
def test_a_follower_begins_with_the_last_lines_and_misses_none(
    tmp_path: Path, lines: int, first: int | None
) -> None:
    log = log_in(tmp_path, count=9)
    for number in range(40):
        log.write(f"line {number}\n".encode())
    follower = Follower(log.path, lines=lines)
    found = follower.read()
    for number in range(40, 100):
        log.write(f"line {number}\n".encode())
        found += follower.read()
    follower.close()
    numbers = [int(line.split()[1]) for line in found.decode().splitlines()]
    assert numbers == list(range(numbers[0] if first is None else first, 100))


def test_a_log_that_is_not_there_yet_can_be_followed(tmp_path: Path) -> None:
    follower = Follower(tmp_path / "x.log", lines=10)
    assert follower.read() == b""
    log_in(tmp_path).write(b"first\n")
    assert follower.read() == b"first\n"
    follower.close()

"""Configuration files: written when changed, whole, and never one that its service refuses."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from supervisor import conf

GOOD, BAD = "good\n", "bad\n"


def checker(file: Path) -> tuple[str, ...]:
    """Takes what does not have the word bad."""
    return ("sh", "-c", f"! grep -n bad {file}")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.conf"


def test_a_file_is_written_only_when_its_bytes_change(file: Path) -> None:
    assert conf.write_if_changed(file, GOOD)
    first = file.stat()
    assert not conf.write_if_changed(file, GOOD)
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (first.st_ino, first.st_mtime_ns)
    assert conf.write_if_changed(file, "other\n", mode=0o600)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert os.listdir(file.parent) == [file.name]


def test_what_the_checker_takes_is_installed_once(file: Path) -> None:
    assert conf.install(file, GOOD, checker=checker)
    assert not conf.install(file, GOOD, checker=checker)
    assert os.listdir(file.parent) == [file.name]


def test_what_it_refuses_leaves_the_old_one_and_says_why(file: Path) -> None:
    conf.install(file, GOOD, checker=checker)
    with pytest.raises(conf.Refused, match="1:bad"):
        conf.install(file, BAD, checker=checker)
    assert file.read_text() == GOOD
    assert (file.parent / "a.conf.refused").read_text() == BAD
    (words,) = conf.refusals(file.parent)
    assert words == "a.conf is refused, the one before is in use: 1:bad"


def test_a_good_one_forgets_the_refusal(file: Path) -> None:
    conf.install(file, GOOD, checker=checker)
    with conf.old_one_will_do(file):
        conf.install(file, BAD, checker=checker)
    assert conf.refusals(file.parent)
    assert not conf.install(file, GOOD, checker=checker)
    assert conf.refusals(file.parent) == ()
    assert os.listdir(file.parent) == [file.name]


def test_without_an_old_one_there_is_nothing_to_keep(file: Path) -> None:
    with pytest.raises(conf.Refused, match="1:bad"), conf.old_one_will_do(file):
        conf.install(file, BAD, checker=checker)
    assert not file.exists()


def test_a_checker_that_cannot_be_run_is_named(file: Path) -> None:
    with pytest.raises(conf.Refused, match="no-such-program: cannot be run"):
        conf.install(file, GOOD, checker=lambda checked: ("/no-such-program", str(checked)))


def test_a_value_that_is_missing_is_named() -> None:
    with pytest.raises(KeyError, match="listen"):
        conf.render("postgresql.conf", {})

"""The zygote's memory is laid out for forks, and everything still works in it and in a child."""

from __future__ import annotations

import subprocess
import sys

import pytest

from app.sage.mappings import Mapping, rights_to_join
from app.settings import ROOT
from tests import host

LIBRARY, OTHER = 7, 8  # inodes
# A process that has as much as a small Sage, laid out, and a child that reads and writes it.
PROGRAM = """
import os, sys
from app.sage.mappings import Layout, mappings

def figure(name):
    lines = open("/proc/self/smaps_rollup").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))

layout = Layout()
import email.mime.text, json, sqlite3, ssl, xml.dom.minidom
values = [[i, str(i)] for i in range(300_000)]
before = len(list(mappings()))
layout.settle()
print(before, len(list(mappings())), figure("AnonHugePages:"), figure("Anonymous:"))
reading, writing = os.pipe()
sys.stdout.flush()
if os.fork() == 0:
    values[1234][1] += "!"
    values += [[i, str(i)] for i in range(100_000)]
    ssl.create_default_context()
    os.write(writing, json.dumps([values[1234], len(values)]).encode())
    os._exit(0)
os.wait()
print(os.read(reading, 1000).decode(), values[1234], len(values))
"""


def mapping(rights: str, *, start: int = 10, end: int = 20, inode: int = LIBRARY) -> Mapping:
    return Mapping(start, end, rights, inode, "/usr/lib/a.so" if inode else "")


@pytest.mark.parametrize(
    ("before", "this", "behind", "rights"),
    [
        pytest.param("---p", "r--p", "r-xp", "rx", id="constants before code"),
        pytest.param("r-xp", "r--p", "---p", "rx", id="constants behind code"),
        pytest.param("r-xp", "r--p", "rw-p", "rw", id="what was relocated, before data"),
        pytest.param("---p", "r--p", "---p", "", id="a file of constants alone"),
        pytest.param("r--p", "rw-p", "r-xp", "", id="data"),
        pytest.param("r--p", "r-xp", "rw-p", "", id="code"),
    ],
)
def test_what_is_joined_with_what(before: str, this: str, behind: str, rights: str) -> None:
    around = (mapping(before, start=0, end=10), mapping(this), mapping(behind, start=20, end=30))
    assert rights_to_join(*around) == rights


@pytest.mark.parametrize(
    ("behind"),
    [
        pytest.param(mapping("r-xp", start=20, inode=OTHER), id="of another file"),
        pytest.param(mapping("r-xp", start=24), id="not at its end"),
    ],
)
def test_nothing_is_joined_with_a_stranger(behind: Mapping) -> None:
    assert rights_to_join(mapping("---p", start=0, end=5), mapping("r--p"), behind) == ""


def test_memory_that_is_no_file_s_is_not_joined() -> None:
    around = [mapping(rights, start=i * 10, end=i * 10 + 10, inode=0)
              for i, rights in enumerate(("r-xp", "r--p", "r-xp"))]
    assert rights_to_join(*around) == ""


def test_a_process_that_is_laid_out_works_and_so_does_its_child() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    layout, child = done.stdout.splitlines()
    mappings_before, mappings_after, large, anonymous = map(int, layout.split())
    assert mappings_after < mappings_before
    if not large:
        host.missing("a kernel that makes large pages when asked (Linux 6.1)")
    assert large > anonymous / 2
    assert child == "[[1234, \"1234!\"], 400000] [1234, '1234'] 300000"

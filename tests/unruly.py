"""Services that end when they are told to, with an exit code that is asked for.

PostgreSQL, memcached, HAProxy and nginx run below a shell that passes signals on to them; our
own servers have a module that Python loads at its start. So each is the real one, and a
signal makes it exit with a code that it would have for some failure of its own.
"""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

from app.settings import Settings
from supervisor import postgresql
from tests import host

EXIT_1, EXIT_0 = signal.SIGRTMIN + 1, signal.SIGRTMIN + 2
WRAPPER = """\
#!/bin/bash
setpriv --pdeathsig KILL -- {program} "$@" <&0 &
child=$!
for name in TERM INT QUIT HUP USR1 USR2; do trap "kill -$name $child" $name; done
trap "exit 1" RTMIN+1
trap "exit 0" RTMIN+2
while wait $child; code=$?; kill -0 $child 2>/dev/null; do :; done
exit $code
"""
MODULE = """\
import os, signal
signal.signal(signal.SIGRTMIN + 1, lambda *_: os._exit(1))
signal.signal(signal.SIGRTMIN + 2, lambda *_: os._exit(0))
"""


def keys(folder: Path) -> dict[str, str]:
    """Settings, as in the environment, by which a site uses such services; what they need is
    written to `folder`."""
    folder.mkdir()
    found = {}
    for name in ("memcached", "haproxy", "nginx"):
        found[f"{name}_binary"] = str(_wrap(folder / name, host.needs(name)))
    programs = folder / "postgresql"
    programs.mkdir()
    for program in postgresql.find_binaries(Settings()).iterdir():
        if program.name != "postgres":
            (programs / program.name).symlink_to(program)
    _wrap(programs / "postgres", str(postgresql.find_program(Settings(), "postgres")))
    return {**found, "database_binaries": str(programs)}


def python_path(folder: Path) -> str:
    """What PYTHONPATH must be for our own servers."""
    (folder / "sitecustomize.py").write_text(MODULE)
    return os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))


def _wrap(file: Path, program: str) -> Path:
    if shutil.which("setpriv") is None:
        host.missing("setpriv")
    file.write_text(WRAPPER.format(program=program))
    file.chmod(0o755)
    return file

"""A whole site that an ordinary user starts."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator

import psutil
import pytest

from app.settings import ROOT
from app.wire.messages_pb2 import Finished
from tests import host
from tests.page_client import Page, SignedIn
from tests.running_site import RunningSite

USER = "nobody"  # where we are root; else we are an ordinary user ourselves


def as_user(*command: str) -> tuple[str, ...]:
    if os.geteuid() != 0:
        return command
    user = pwd.getpwnam(USER)
    setpriv = host.needs("setpriv")
    identity = (f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")
    return (setpriv, *identity, "--", *command)


@pytest.fixture(scope="module")
def ordinary() -> Iterator[RunningSite]:
    for program in ("haproxy", "nginx", "memcached"):
        host.needs(program)
    host.needs_sage()
    python = str(ROOT / ".venv" / "bin" / "python")
    if subprocess.run(as_user(python, "-c", ""), cwd="/", stderr=subprocess.DEVNULL).returncode:
        pytest.skip("this checkout can't be read by other users")
    with host.short_folder() as folder:
        if os.geteuid() == 0:
            shutil.chown(folder, USER)
        site = RunningSite(
            folder,
            as_user(python, "salvus.py", "supervise"),
            haproxy_host="127.0.0.1",
            haproxy_port=str(host.free_port()),
        )
        site.environment |= {"HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
        site.start()
        yield site
        assert site.stop() == 0


def test_everything_runs_as_that_user(ordinary: RunningSite) -> None:
    user = pwd.getpwnam(USER).pw_uid if os.geteuid() == 0 else os.geteuid()
    processes = ordinary.processes()
    names = {process.name() for process in processes}
    assert {"postgres", "memcached", "haproxy", "nginx"} <= names
    for process in processes:
        with process.oneshot():
            if process.status() != psutil.STATUS_ZOMBIE:
                assert process.uids().real == user, process.cmdline()


def test_people_compute(ordinary: RunningSite) -> None:
    person = SignedIn(ordinary.address, ca=ordinary.data_dir / "certificates" / "ca.pem")
    page = Page(person, person.new_worksheet())
    assert page.run("print(factor(2026))").status == Finished.OK
    assert page.printed() == "2 * 1013\n"
    assert page.run("open('/etc/shadow')").status == Finished.ERROR
    page.close()

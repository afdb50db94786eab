"""The pool of Sage sessions, in this process: what is hard to time from outside."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gevent
import psutil

from app.db import Database
from app.sage.cgroups import Cgroups
from app.sage.consumption import Consumption
from app.sage.keeper import Keeper
from app.sage.places import Person
from app.sage.pool import Pool
from app.sage.protections import Protections
from app.settings import ROOT
from tests import host
from tests.page_client import PATIENCE


@contextmanager
def running_pool(database: Database, **keys: str) -> Iterator[Pool]:
    """Of plain Python, with a warm zygote; `keys`: settings as in the environment."""
    plain = ROOT / ".venv-plain" / "bin" / "python"
    if not plain.exists():
        host.missing(".venv-plain")
    with host.short_folder() as folder:
        settings = host.settings_in(folder, sage_python=str(plain), **keys)
        pool = Pool(
            settings=settings,
            address="127.0.0.1:1",
            protections=Protections((), {}, {}),
            cgroups=Cgroups([], {}),
            keeper=Keeper(database),
            consumption=Consumption(slice_seconds=600),
        )
        pool.start()
        try:
            pool.wait_ready(PATIENCE)
            yield pool
        finally:
            pool.stop()


def test_a_session_asked_for_while_the_zygote_dies_comes_from_the_next_one(
    database: Database,
) -> None:
    """Whoever notices first that it is gone is asked to make a session."""
    with running_pool(database, sage_spares="1") as pool:
        zygote = _zygote()
        _wait_until_alone_at_its_socket(zygote)
        spare, _ = pool.lend(Person("", "guest"), 10)
        zygote.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, zygote.pid, os.WEXITED | os.WNOWAIT)  # and nobody is told of it
        session, _ = pool.lend(Person("", "guest"), 10)
        assert session.spawner is None
        pool.wait_ready(PATIENCE)
        assert spare.end_reason == "the Sage zygote it came from has died"
        assert session.spawner is not None
        assert session.end_reason is None


def test_a_session_asked_for_once_the_death_is_told_is_no_dead_spare(database: Database) -> None:
    with running_pool(database, sage_spares="4") as pool:
        told, _ = pool.lend(Person("", "guest"), 10)
        _wait_until_alone_at_its_socket(zygote := _zygote())
        zygote.send_signal(signal.SIGKILL)
        with gevent.Timeout(PATIENCE):
            while told.end_reason is None:
                gevent.sleep(0)
        session, _ = pool.lend(Person("", "guest"), 10)
        assert session.spawner is None
        pool.wait_ready(PATIENCE)
        assert session.end_reason is None


def _zygote() -> psutil.Process:
    children = psutil.Process().children()
    return next(each for each in children if "app.sage.zygote" in each.cmdline())


def _wait_until_alone_at_its_socket(zygote: psutil.Process) -> None:
    """Sessions have what the zygote had until they have closed it."""
    descriptor = zygote.environ()["SALVUS_CONTROL"]
    link = Path(f"/proc/{zygote.pid}/fd/{descriptor}").readlink()
    with gevent.Timeout(PATIENCE):
        while any(link in _open_files(child) for child in zygote.children(recursive=True)):
            gevent.sleep(0.05)


def _open_files(process: psutil.Process) -> list[Path]:
    found = []
    for each in Path(f"/proc/{process.pid}/fd").glob("*"):
        with contextlib.suppress(FileNotFoundError):
            found.append(each.readlink())
    return found

"""Backups that are made by themselves, every so many hours.

When the next is due follows from the files there are, so a restart of ours changes nothing. A
process of its own makes it, as that is work for seconds or minutes and we have others to watch.
"""

from __future__ import annotations

import logging
import os
import subprocess as standard
import sys
import time
from collections.abc import Callable
from pathlib import Path

import gevent
from gevent import subprocess

from app.loop import Loop
from app.settings import ROOT, Settings
from supervisor import backup, locations

LOOK_SECONDS = 60.0  # between looks at whether one is due
RETRY_SECONDS = 600.0  # after one that failed
OVERDUE = 1.5  # of the time between two: then it is said

log = logging.getLogger(__name__)


class Schedule(Loop):
    """From `start` to `stop`. `settings` gives them as they are by then."""

    def __init__(self, *, settings: Callable[[], Settings]) -> None:
        self._settings = settings
        self._process: standard.Popen[bytes] | None = None

    def stop(self) -> None:
        super().stop()
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def _run(self) -> None:
        while True:
            try:
                succeeded = not is_due(self._settings(), time.time()) or self._make()
            except Exception:
                # Settings that are being edited, a full disk: no reason to stop looking.
                log.exception("can't back up")
                succeeded = False
            gevent.sleep(LOOK_SECONDS if succeeded else RETRY_SECONDS)

    def _make(self) -> bool:
        """Whether it went well."""
        settings = self._settings()
        command = [sys.executable, str(ROOT / "salvus.py"), "backup"]
        command += ["--keep", str(settings.backup.keep)]
        command += ["--base"] if settings.backup.base else []
        environment = {
            **os.environ,
            "SALVUS_CONFIG": settings.file,
            "SALVUS_SITE_DATA_DIR": str(settings.data_dir),
        }
        with open(locations.log_file(settings, "backup"), "ab") as output:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/",
                env=environment,
            )  # fmt: skip
            code = self._process.wait()
        self._process = None
        if code != 0:
            log.error("no backup could be made: %s says why", output.name)
        return code == 0


def is_due(settings: Settings, now: float) -> bool:
    """`now`: of the wall clock, as backups are named by it."""
    if not _is_wanted(settings):
        return False
    latest = _latest(settings)
    # One of the future is a clock's mistake, and no reason to wait for that day.
    return not latest or not 0 <= now - latest < settings.backup.every_hours * 3600


def notices(settings: Settings, now: float) -> tuple[str, ...]:
    """That there should be a newer one, in words."""
    if not _is_wanted(settings) or not (latest := _latest(settings)):
        return ()
    hours = (now - latest) / 3600
    if hours < OVERDUE * settings.backup.every_hours:
        return ()
    log_file = locations.log_file(settings, "backup")
    return (f"the latest backup is {hours:.0f} hours old: {log_file} says why",)


def _is_wanted(settings: Settings) -> bool:
    has_database = "database" in settings.here.roles or bool(settings.database.url)
    return settings.backup.every_hours > 0 and has_database


def _latest(settings: Settings) -> float:
    """When it was made; 0 if there is none."""
    found = backup.found_in(backup.folder(settings), settings.site.name)
    return max((_mtime(path) for path in found), default=0.0)


def _mtime(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # removed meanwhile
        return 0.0

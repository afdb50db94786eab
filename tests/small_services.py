"""Services of a line of Python, whose every behaviour is a test's own affair."""

from __future__ import annotations

import sys
from pathlib import Path

from supervisor.service import Command, Rules, Service

RULES = Rules(
    start_seconds=20,
    stop_seconds=0.2,
    probe_seconds=0.02,
    hung_seconds=0.3,
    restarts=2,
    restart_window=60,
)
# Answers once there is a file `ready`, its one argument.
READY = "import sys, time; open(sys.argv[1], 'w'); time.sleep(3600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + READY
SPAWN = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', {!r}, sys.argv[1] + '+']);"
# With a child that leaves parent and session, as daemons do, and tells its pid.
WITH_DAEMON = (
    "import os, sys, time\n"
    "if not os.fork():\n"
    "    os.setsid()\n"
    "    if os.fork(): os._exit(0)\n"
    "    open(sys.argv[1] + '.new', 'w').write(str(os.getpid()))\n"
    "    os.rename(sys.argv[1] + '.new', sys.argv[1] + '.daemon')\n"
    "    time.sleep(3600)\n"
    "while not os.path.exists(sys.argv[1] + '.daemon'): time.sleep(0.01)\n"
) + READY
WITH_CHILD = SPAWN.format(STUBBORN) + READY


def small_service(
    folder: Path,
    name: str,
    code: str = READY,
    after: tuple[str, ...] = (),
    basis: str = "",
    type: str = "",
) -> Service:
    """Ready when it has made its file, `folder`/`name`; `code` has its path as argument."""
    file = folder / name

    def prepare() -> Command:
        file.unlink(missing_ok=True)
        return Command((sys.executable, "-c", code, str(file)), log=folder / f"{name}.log")

    def probe() -> str | None:
        return None if file.exists() else "not ready"

    return Service(name, prepare, probe, after, basis=basis, type=type)

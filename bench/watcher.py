"""A monitor in a process of its own, with what it needs and nothing else, until it is killed.

    python -m bench.watcher PID...

The processes count as app servers at ports from FIRST_PORT on. Settings come from the
environment; the database and memcached must be named there.
"""

from __future__ import annotations

from app import green

green.activate()

import sys

import gevent

from app.cache import Cache
from app.db import Database
from app.settings import ROOT, read
from monitor.monitor import Monitor
from monitor.samples import Watched
from monitor.vitals import Listener
from supervisor import locations

FIRST_PORT = 8000


def main(pids: list[int]) -> None:
    settings = read()
    database = Database(
        url=settings.database.url, connections=4, wait_seconds=10, statement_seconds=30
    )
    database.migrate(ROOT / "app" / "schema")
    listener = Listener(path=locations.vitals(settings), interval=settings.monitor.interval)
    watched = [
        Watched("app", f"app-{number}", pid, "127.0.0.1", FIRST_PORT + number)
        for number, pid in enumerate(pids)
    ]
    listener.start()
    Monitor(
        database=database,
        cache=Cache(servers=settings.memcached.servers, timeout=1.0),
        settings=settings,
        services=lambda: watched,
        vitals=listener.of,
    ).start()
    gevent.sleep(1e6)


if __name__ == "__main__":
    main([int(pid) for pid in sys.argv[1:]])

"""`python -m bench.watching`: what it costs to watch 50 services.

The monitor is a process of its own here, with a real PostgreSQL and memcached; each service
is a process with one child, and tells its vitals and writes to its log as ours do.
"""

from __future__ import annotations

from app import green

green.activate()

import os
import subprocess
import sys
import time

import click
import gevent
import psutil

from app.settings import ROOT, Settings
from bench.watcher import FIRST_PORT
from monitor.vitals import Teller, Vitals
from supervisor import catalog, locations
from supervisor.memcached import memcached_servers
from supervisor.postgresql import database_url
from supervisor.supervisor import Supervisor
from tests.host import settings_in, short_folder

SERVICES = 50
INTERVAL = 5.0  # seconds
SETTLE_SECONDS = 15.0
SLEEPERS = "import subprocess; subprocess.run(['sleep', '86400'])"


def live(settings: Settings) -> None:
    """As servers do: tell how they fare, and write into their logs now and then."""
    numbers = range(SERVICES)
    tellers = [
        Teller(
            path=locations.vitals(settings),
            at=f"127.0.0.1:{FIRST_PORT + number}",
            interval=INTERVAL,
            vitals=lambda number=number: Vitals(browsers=number, hub_lag=0.001),  # type: ignore[misc]
        )
        for number in numbers
    ]
    while True:
        for teller, number in zip(tellers, numbers, strict=True):
            teller.tell()
            with locations.log_file(settings, f"app-{number}").open("a") as log:
                log.write("2026-01-01 00:00:00,000 INFO app: somebody has come\n")
            gevent.sleep(INTERVAL / SERVICES)


def measure(settings: Settings, seconds: float) -> None:
    processes = [subprocess.Popen([sys.executable, "-c", SLEEPERS]) for _ in range(SERVICES)]
    living = gevent.spawn(live, settings)
    pids = [str(process.pid) for process in processes]
    command = [sys.executable, "-m", "bench.watcher", *pids]
    watching = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment(settings))
    try:
        gevent.sleep(SETTLE_SECONDS)
        monitor = psutil.Process(watching.pid)
        before, began = sum(monitor.cpu_times()[:2]), time.monotonic()
        gevent.sleep(seconds)
        used = sum(monitor.cpu_times()[:2]) - before
        memory = monitor.memory_full_info()
        percent = 100 * used / (time.monotonic() - began)
        print(f"{SERVICES} services, {len(psutil.pids())} processes on the host, {INTERVAL:g} s:")
        print(f"  {percent:.2f} % of one core over {seconds:g} s")
        print(f"  {memory.rss / 2**20:.0f} MiB resident, {memory.uss / 2**20:.0f} MiB its own")
    finally:
        living.kill()
        watching.kill()
        watching.wait()
        for process in processes:
            for child in psutil.Process(process.pid).children():
                child.kill()
            process.wait()


def environment(settings: Settings) -> dict[str, str]:
    return {
        "SALVUS_SITE_DATA_DIR": str(settings.data_dir),
        "SALVUS_DATABASE_URL": database_url(settings),
        "SALVUS_MEMCACHED_SERVERS": ",".join(memcached_servers(settings)),
        "SALVUS_MONITOR_INTERVAL": str(INTERVAL),
    }


@click.command()
@click.option("--seconds", default=120.0, show_default=True)
def main(seconds: float) -> None:
    """Measure what the monitor costs."""
    with short_folder() as made:
        settings = settings_in(made)
        locations.make_all(settings)
        support = Supervisor(
            services=catalog.support(settings),
            rules=catalog.rules(settings),
            on_change=lambda name, state, reason: None,
        )
        support.start()
        try:
            if failures := support.wait_settled():
                raise click.ClickException(str(failures))
            measure(settings, seconds)
        finally:
            support.stop()


if __name__ == "__main__":
    main()

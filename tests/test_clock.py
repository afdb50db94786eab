"""A wall clock that jumps by an hour, either way, under a whole site: nothing comes of it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import gevent
import pytest

from app.wire.messages_pb2 import Finished
from tests import host
from tests.clock import Clock
from tests.page_client import Page, SignedIn
from tests.running_site import RunningSite, supervised

COUNTING = "from time import sleep as nap\nfor i in range(200): print(i); nap(float(.02))"
LOOK_SECONDS = 4.0  # many probes; each jump is far longer than a service may be silent


@pytest.fixture(scope="module")
def clock() -> Iterator[Clock]:
    with host.short_folder() as folder:
        yield Clock(folder / "clock")


@pytest.fixture(scope="module")
def jumping(clock: Clock) -> Iterator[RunningSite]:
    for program in ("haproxy", "nginx", "memcached"):
        host.needs(program)
    host.needs_sage()
    with host.short_folder() as folder:
        site = supervised(
            folder,
            haproxy_host="127.0.0.1",
            haproxy_port=str(host.free_port()),
            supervisor_probe_seconds="0.2",
            supervisor_hung_seconds="10",
            monitor_interval="0.5",
        )
        site.environment |= clock.environment
        site.start()
        yield site
        assert site.stop() == 0


def test_jumps_of_an_hour_do_nothing(jumping: RunningSite, clock: Clock) -> None:
    person = SignedIn(jumping.new_address(), ca=jumping.data_dir / "certificates" / "ca.pem")
    page = Page(person, person.new_worksheet())
    page.run("a = 1")
    before = jumping.run("pids")
    for hours in (1, 0, -1, 0):
        run = page.start(COUNTING)
        page.until(lambda message: message.frame.HasField("stream"))
        clock.jump(3600 * hours)
        assert seen_time(jumping) == pytest.approx(time.time() + 3600 * hours, abs=60)
        assert page.finish(run).status == Finished.OK
        assert page.printed(run) == "".join(f"{i}\n" for i in range(200))
        other = Page(person, person.new_worksheet())  # still signed in, and sessions start
        other.run("1 + 1")
        other.close()
        gevent.sleep(LOOK_SECONDS)
        assert jumping.run("pids") == before
        assert page.run("print(a)").status == Finished.OK
    page.close()
    said = (jumping.data_dir / "logs" / "supervisor.log").read_text()
    assert said.count(" starting") == before.count("\n")


def seen_time(site: RunningSite) -> float:
    """By the site's own clock, in Unix seconds: what one of its programs says."""
    code = "import time; print(time.time())"
    return float(subprocess.check_output([sys.executable, "-c", code], env=site.environment))

"""The ring of memcached servers, of real ones that come and go."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import gevent
import pytest

from app.cache import Cache
from app.db import Database
from app.settings import Settings
from monitor.monitor import Monitor
from monitor.ring import Ring
from monitor.samples import Watched
from tests import host

KEYS = [f"key {number}" for number in range(300)]


class Server:
    """A memcached at a port of its own, which can be ended and come back."""

    def __init__(self) -> None:
        self.port = host.free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        user = ("-u", "nobody") if os.geteuid() == 0 else ()
        listening = ("-l", "127.0.0.1", "-p", str(self.port), "-U", "0")
        self._process = subprocess.Popen((host.needs("memcached"), *user, *listening))
        while not self._answers():
            gevent.sleep(0.01)

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = None

    @property
    def watched(self) -> Watched:
        pid = self._process.pid if self._process else None
        return Watched("memcached", f"memcached {self.port}", pid, "127.0.0.1", self.port)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture
def two() -> Iterator[tuple[Server, Server]]:
    with ExitStack() as stack:
        servers = (Server(), Server())
        for server in servers:
            stack.callback(server.end)
            server.start()
        yield servers


@contextmanager
def cache_of(servers: tuple[Server, ...]) -> Iterator[Cache]:
    cache = Cache(servers=[server.address for server in servers], timeout=1)
    yield cache
    cache.close()


def fill(cache: Cache) -> None:
    for key in KEYS:
        cache.set(key, key.encode(), 60)


def known(cache: Cache) -> int:
    return sum(cache.get(key) == key.encode() for key in KEYS)


def test_all_who_name_the_same_servers_have_the_same_ring(two: tuple[Server, Server]) -> None:
    with cache_of(two) as one, cache_of(two[::-1]) as other:
        fill(one)
        assert known(other) == len(KEYS)


def test_keys_are_spread_over_the_ring(two: tuple[Server, Server]) -> None:
    with cache_of(two) as both, cache_of(two[:1]) as first:
        fill(both)
        assert len(KEYS) / 4 < known(first) < 3 * len(KEYS) / 4


def test_a_server_that_has_ended_is_left_out_until_it_is_back(
    two: tuple[Server, Server], database: Database, host_settings: Settings, data_dir: Path
) -> None:
    with cache_of(two) as cache, cache_of(two) as other:
        monitor = Monitor(
            database=database,
            cache=Cache(servers=(), timeout=1),
            settings=replace(host_settings, site=replace(host_settings.site, host="here")),
            services=lambda: [server.watched for server in two],
        )
        site = host_settings.site.name
        rings = [
            Ring(database=database, cache=each, site=site, interval=60) for each in (cache, other)
        ]

        def look() -> None:
            monitor.step()
            for ring in rings:
                ring.look()

        look()
        fill(cache)
        assert known(cache) == len(KEYS)
        two[1].end()
        look()
        fill(cache)
        assert known(other) == len(KEYS)
        two[0].end()
        look()  # now there is nobody to be left out for
        assert known(cache) == 0
        for server in two:
            server.start()
        look()
        with gevent.Timeout(60):  # a failure keeps a cache quiet for a moment
            while known(cache) < len(KEYS) or known(other) < len(KEYS):
                gevent.sleep(0.1)
                fill(cache)
        with cache_of(two[:1]) as first:
            assert known(first) < len(KEYS)  # both are in the ring again

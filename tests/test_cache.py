"""The cache never raises and never holds the hub up, whatever its server does."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import gevent
import pytest

from app.cache import Cache
from supervisor.logs import Logs
from supervisor.process import Process
from supervisor.service import Command
from tests import host


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("plain", b"value"),
        ("empty", b""),
        ("bytes", bytes(range(256))),
        ("with spaces\nand lines", b"1"),
        ("umläut \ud800", b"2"),
        ("long" * 1000, b"3"),
        ("", b"4"),
    ],
)
def test_what_is_set_is_found(memcached: Cache, key: str, value: bytes) -> None:
    memcached.set(key, value, 60)
    assert memcached.get(key) == value
    memcached.delete(key)
    assert memcached.get(key) is None


def test_what_is_too_large_replaces_nothing_by_the_old(memcached: Cache) -> None:
    memcached.set("key", b"old", 60)
    memcached.set("key", bytes(2_000_000), 60)
    assert memcached.get("key") is None


def test_many_greenlets_share_it(memcached: Cache) -> None:
    def work(number: int) -> bytes | None:
        memcached.set(f"many {number}", b"%d" % number, 60)
        return memcached.get(f"many {number}")

    working = [gevent.spawn(work, number) for number in range(200)]
    gevent.joinall(working, raise_error=True)
    assert [one.value for one in working] == [b"%d" % number for number in range(200)]


def test_without_servers_all_is_a_miss() -> None:
    cache = Cache(servers=(), timeout=1)
    cache.set("key", b"value", 60)
    assert cache.get("key") is None
    cache.close()


def test_a_server_that_is_not_there_is_a_miss(tmp_path: Path) -> None:
    for server in (str(tmp_path / "socket"), f"127.0.0.1:{host.free_port()}"):
        cache = Cache(servers=(server,), timeout=0.2)
        cache.set("key", b"value", 60)
        assert cache.get("key") is None
        cache.close()


def test_a_closed_one_is_a_miss(memcached: Cache) -> None:
    memcached.set("key", b"value", 60)
    memcached.close()
    assert memcached.get("key") is None


def test_a_stalled_server_holds_nobody_up(data_dir: Path) -> None:
    """While the server is stopped, greenlets go on: they count turns of the hub."""
    path = data_dir / "socket"
    user = ("-u", "nobody") if os.geteuid() == 0 else ()
    command = Command(
        (host.needs("memcached"), *user, "-s", str(path), "-a", "0777"), log=data_dir / "log"
    )
    data_dir.chmod(0o777)
    process = Process(command, Logs().at(command.log))
    try:
        while not path.exists():
            gevent.sleep(0.01)
        cache = Cache(servers=(str(path),), timeout=0.2)
        cache.set("key", b"value", 60)
        assert cache.get("key") == b"value"
        os.kill(process.pid, signal.SIGSTOP)
        turns = 0
        asking = [gevent.spawn(cache.get, "key") for _ in range(50)]
        while not all(one.ready() for one in asking):
            gevent.sleep(0.001)
            turns += 1
        assert [one.value for one in asking] == [None] * 50
        assert turns > 5
        os.kill(process.pid, signal.SIGCONT)
        while cache.get("key") != b"value":
            gevent.sleep(0.05)
        cache.close()
    finally:
        process.kill()
        process.wait()

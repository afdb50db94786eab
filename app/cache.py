"""memcached, for what may vanish: a failure of any kind is a miss, and nothing ever waits long.

Several servers make a ring, the same for everybody who names the same ones, in any order.

Trap: pylibmc blocks in C and would stop every greenlet. So it is called in a few native
threads, each call with a client to itself. A server that stalls holds those threads for
`timeout` seconds each; the first that notices makes everybody else's call a miss for a while.
"""

from __future__ import annotations

import hashlib
import logging
import math
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, TypeVar

from gevent.threadpool import ThreadPool

try:
    import pylibmc
except ImportError:  # it has to be compiled where there is no wheel for this Python
    pylibmc = None

THREADS = 4
QUIET_SECONDS = 1.0  # after a failure
LONGEST_KEY = 200  # bytes; memcached takes 250
LARGEST_VALUE = 1_000_000  # bytes; memcached takes 1 MiB with its own overhead
LONGEST_LIFE = 30 * 86400  # seconds; memcached takes more for a date

log = logging.getLogger(__name__)
Answer = TypeVar("Answer")


class Cache:
    """`servers` are "host:port" or paths of unix sockets; without any, all is a miss.

    `timeout` is the longest wait for a server, in seconds.
    """

    def __init__(self, *, servers: Sequence[str], timeout: float) -> None:
        self._named = tuple(servers)
        self._ring = _Ring(servers)
        self._timeout = timeout
        self._quiet_until = -math.inf
        self._threads: ThreadPool | None = None
        if servers and pylibmc is None:
            log.warning("pylibmc is not installed: nothing is cached")
        elif servers:
            self._threads = ThreadPool(THREADS)

    @property
    def servers(self) -> tuple[str, ...]:
        """All that there are, in the ring or not."""
        return self._named

    def leave_out(self, dead: Collection[str]) -> None:
        """From now on the ring has those of `servers` that are not dead, or all if that leaves
        none.

        Trap: a server that comes back may know what was overwritten or deleted meanwhile, so
        values must not be wrong for being old.
        """
        alive = [each for each in self._named if each not in dead] or self._named
        if set(alive) != set(self._ring.servers):
            log.info("memcached: asking %s", ", ".join(alive))
            self._ring = _Ring(alive)
            self._quiet_until = -math.inf

    def get(self, key: str) -> bytes | None:
        value = self._call(lambda client: client.get(_name(key)))
        return value if isinstance(value, bytes) else None

    def set(self, key: str, value: bytes, seconds: float) -> None:
        """Keep `value` for at most `seconds`; it may vanish at any time."""
        if len(value) > LARGEST_VALUE or seconds <= 0:
            self.delete(key)
            return
        life = min(math.ceil(seconds), LONGEST_LIFE)
        self._call(lambda client: client.set(_name(key), value, time=life))

    def delete(self, key: str) -> None:
        self._call(lambda client: client.delete(_name(key)))

    def close(self) -> None:
        threads, self._threads = self._threads, None
        if threads:
            threads.kill()
        self._ring = _Ring(self._ring.servers)

    def _call(self, question: Callable[[Any], Answer]) -> Answer | None:
        if self._threads is None or self._is_quiet():
            return None
        answer: Answer | None = self._threads.apply(self._ask, (question,))
        return answer

    def _ask(self, question: Callable[[Any], Answer]) -> Answer | None:
        """In a native thread: no greenlet may be touched here."""
        if self._is_quiet():
            return None
        ring = self._ring
        try:
            client = ring.clients.pop() if ring.clients else self._connect(ring)
            answer = question(client)
        except pylibmc.Error:
            if ring is self._ring:
                self._quiet_until = time.monotonic() + QUIET_SECONDS
            return None
        ring.clients.append(client)
        return answer

    def _connect(self, ring: _Ring) -> Any:
        milliseconds = max(1, int(self._timeout * 1000))
        behaviors = {
            "tcp_nodelay": True,
            "ketama": True,
            "remove_failed": 1,
            "retry_timeout": 1,
            "dead_timeout": 2,
            "connect_timeout": milliseconds,
            "_poll_timeout": milliseconds,
        }
        return pylibmc.Client(ring.servers, binary=True, behaviors=behaviors)

    def _is_quiet(self) -> bool:
        return time.monotonic() < self._quiet_until


class _Ring:
    def __init__(self, servers: Iterable[str]) -> None:
        self.servers = sorted(servers)
        self.clients: list[Any] = []  # free ones; list.append and list.pop are atomic


def _name(key: str) -> str:
    """What memcached calls `key`: itself, or its hash where memcached's rules forbid it."""
    if key.isascii() and key.isprintable() and " " not in key and 0 < len(key) <= LONGEST_KEY:
        return key
    return "sha256-" + hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()

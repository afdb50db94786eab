"""Merges what pages have edited, in a process of its own.

What a page sends may be made to harm: some of it has the library allocate without end, or abort.
Here that ends a process that has nothing else to do, and the next merge has another one.

    python -m app.merging

is that process: it reads requests and writes answers, each a few parts with their lengths.
"""

from __future__ import annotations

import logging
import resource
import struct
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import IO

import gevent
from gevent import subprocess
from gevent.lock import BoundedSemaphore

from app.settings import ROOT
from app.texts import BadUpdate, merged

SECONDS = 5.0  # that a merge may take
MEMORY = 1 << 30  # bytes of address space
LENGTH = struct.Struct("<q")  # -1: there is no such part

log = logging.getLogger(__name__)


class Merger:
    """The process, once it is needed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = BoundedSemaphore()

    def merged(self, state: bytes | None, code: str, update: bytes) -> tuple[bytes, str]:
        """As `texts.merged`. Raises BadUpdate."""
        with self._lock:
            try:
                with gevent.Timeout(SECONDS):
                    failure, found, text = self._ask([state, code.encode(), update])
            except (OSError, EOFError, gevent.Timeout):
                self._end()
                raise BadUpdate("Edits that can't be merged.") from None
        if failure:
            raise BadUpdate(failure.decode())
        return found, text.decode()

    def close(self) -> None:
        with self._lock:
            self._end()

    def _ask(self, request: Sequence[bytes | None]) -> list[bytes]:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "app.merging"],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        source, target = self._process.stdout, self._process.stdin
        assert source is not None
        assert target is not None
        _write(target, request)
        return [part or b"" for part in _read(source, 3)]

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for stream in filter(None, (process.stdin, process.stdout)):
                with suppress(OSError):  # something may be left that nobody takes
                    stream.close()


def serve(source: IO[bytes], target: IO[bytes]) -> None:
    """Answer requests until there are no more."""
    while True:
        try:
            state, code, update = _read(source, 3)
        except EOFError:
            return
        try:
            answer = (b"", *_encoded(merged(state, (code or b"").decode(), update or b"")))
        except BadUpdate as error:
            answer = (str(error).encode(), b"", b"")
        _write(target, answer)


def _encoded(found: tuple[bytes, str]) -> tuple[bytes, bytes]:
    state, code = found
    return state, code.encode()


def _write(target: IO[bytes], parts: Sequence[bytes | None]) -> None:
    for part in parts:
        target.write(LENGTH.pack(-1 if part is None else len(part)) + (part or b""))
    target.flush()


def _read(source: IO[bytes], count: int) -> list[bytes | None]:
    found: list[bytes | None] = []
    for _ in range(count):
        (length,) = LENGTH.unpack(_exactly(source, LENGTH.size))
        found.append(None if length < 0 else _exactly(source, length))
    return found


def _exactly(source: IO[bytes], size: int) -> bytes:
    data = source.read(size)
    if len(data) < size:
        raise EOFError
    return data


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    serve(sys.stdin.buffer, sys.stdout.buffer)

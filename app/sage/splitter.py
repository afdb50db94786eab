"""One ordered stream out of two: where frames belong among the bytes of standard output.

A session's standard output is a plain pipe, so that Python, C libraries and subprocesses
write to it alike, in the order in which they do. Its frames (results, tracebacks, a run's
end) come over a socket of their own. Before it sends frame n the worker writes a mark into
the pipe: 16 random bytes known to it and its server, then n as 8 bytes. Whoever splits the
pipe at its marks knows exactly what was printed before each frame.
"""

from __future__ import annotations

import struct

MARK_SIZE = 16
NUMBER = struct.Struct(">Q")


def mark(secret: bytes, number: int) -> bytes:
    """What stands in the pipe where frame `number` belongs."""
    return secret + NUMBER.pack(number)


class Splitter:
    """Bytes of the pipe in; output (bytes) and numbers of frames (int) out, in order."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._held = b""

    def feed(self, data: bytes) -> list[bytes | int]:
        data = self._held + data
        pieces: list[bytes | int] = []
        start = 0
        while (at := data.find(self._secret, start)) >= 0:
            end = at + MARK_SIZE + NUMBER.size
            if end > len(data):
                break
            if at > start:
                pieces.append(data[start:at])
            pieces.append(NUMBER.unpack_from(data, at + MARK_SIZE)[0])
            start = end
        keep = at if at >= 0 else len(data) - self._overlap(data, start)
        if keep > start:
            pieces.append(data[start:keep])
        self._held = data[keep:]
        return pieces

    def rest(self) -> bytes:
        """What was held back as the possible beginning of a mark: output after all."""
        held, self._held = self._held, b""
        return held

    def _overlap(self, data: bytes, start: int) -> int:
        """How many bytes at the end of `data[start:]` may begin a mark."""
        for size in range(min(MARK_SIZE - 1, len(data) - start), 0, -1):
            if data.endswith(self._secret[:size]):
                return size
        return 0

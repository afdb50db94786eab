"""What a session has sent, kept: a file for all of it, a small ring in memory for its end.

A frame is written here before anybody sees it, so no kill of the sage server loses output
that a user has seen: the page cache survives a killed process. Viewers read at their own
pace, the recorder copies to PostgreSQL at its own, and neither holds the other up. The file
goes away once the session has ended and everything is recorded.

Records stand as on a stream: Opened first, then frames by seq from 1, at the end State DEAD.
"""

from __future__ import annotations

import os
from array import array
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from app.wire.decoder import LENGTH, Decoder, frame, parse
from app.wire.messages_pb2 import Frame, Message, Opened, State, Usage


class Begun(NamedTuple):
    """A run, or an update of an interact, whose last frame is still to come."""

    run: str
    area: str = ""  # the interact's
    update: int = 0


class Ring:
    """The last payloads by seq, at most `limit` bytes of them, and always the very last."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._payloads: deque[bytes] = deque()
        self._bytes = 0
        self.first = 1  # seq of the oldest payload

    def append(self, payload: bytes) -> None:
        self._payloads.append(payload)
        self._bytes += len(payload)
        while self._bytes > self._limit and len(self._payloads) > 1:
            self._bytes -= len(self._payloads.popleft())
            self.first += 1

    def since(self, after: int) -> Iterator[bytes]:
        """Payloads with a seq greater than `after`, which is at least `first - 1`."""
        for index in range(after + 1 - self.first, len(self._payloads)):
            yield self._payloads[index]


class Journal:
    """The frames and the state of one session. Append-only; any number of readers."""

    def __init__(
        self,
        path: Path,
        opened: Opened,
        *,
        ring: int,
        on_change: Callable[[], None],
        flags: int = 0,
    ) -> None:
        """The journal in the file at `path`; `ring`: bytes kept in memory. Raises OSError."""
        self.path = path
        self.opened = opened
        self.state = State(session=opened.session, language=opened.language)
        self.usage: Usage | None = None
        self.ended = False
        self.recorded = 0  # frames up to this seq are in the database
        self.end_recorded = False
        self.buried = False  # its worksheet was deleted: nothing of it is recorded ...
        self.taken_back = False  # ... and what was is deleted
        self.viewers = 0  # that read it now
        self._on_change = on_change
        self._offsets = array("Q")  # where frames begin in the file, by seq - 1
        self._end = 0  # where the last of them ends
        self._ring = Ring(ring)
        self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC | flags, 0o600)

    @classmethod
    def create(
        cls, path: Path, opened: Opened, *, ring: int, on_change: Callable[[], None]
    ) -> Journal:
        """A new journal. Raises OSError when the disk does not take it."""
        flags = os.O_CREAT | os.O_EXCL
        journal = cls(path, opened, ring=ring, on_change=on_change, flags=flags)
        try:
            journal._write(Message(opened=opened).SerializeToString())
        except OSError:
            journal.remove()
            raise
        return journal

    @classmethod
    def recover(cls, path: Path, *, ring: int, max_message: int) -> Journal | None:
        """What a killed server has left; None when it hadn't come to its first record.

        A record that was cut off by the kill is dropped: nobody has seen it.
        """
        payloads = list(Decoder(max_message).feed(path.read_bytes()))
        if not payloads:
            return None
        opened = parse(payloads[0]).opened
        journal = cls(path, opened, ring=ring, on_change=lambda: None)
        journal._end = LENGTH.size + len(payloads[0])
        for payload in payloads[1:]:
            message = parse(payload)
            if message.HasField("state"):
                journal.state, journal.ended = message.state, True
            else:
                journal._add(payload)
        if not journal.ended:
            os.ftruncate(journal._file, journal._end)
        return journal

    @property
    def last(self) -> int:
        """seq of the newest frame; 0 before the first."""
        return len(self._offsets)

    @property
    def complete(self) -> bool:
        """Whether the session is over and all of it is in the database."""
        return self.end_recorded and self.recorded == self.last

    def append(self, step: Frame) -> None:
        """Number `step` and keep it. Raises OSError when the disk does not take it."""
        step.session = self.opened.session
        step.seq = self.last + 1
        payload = Message(frame=step).SerializeToString()
        self._write(payload)
        self._add(payload)
        self._on_change()

    def change_usage(self, usage: Usage) -> None:
        self.usage = usage
        self._on_change()

    def change_state(self, state: State) -> None:
        state.session, state.language = self.opened.session, self.opened.language
        self.state = state
        self._on_change()

    def end(self, reason: str, time: float) -> None:
        """The session is over. Raises OSError as `append` does, but it is over all the same."""
        self.ended = True
        self.change_state(State(kind=State.DEAD, reason=reason, time=time))
        self._write(Message(state=self.state).SerializeToString())

    def read(self, after: int, limit: int) -> list[bytes]:
        """Payloads of the frames after seq `after`, as many as fit in `limit` bytes.

        At least one, however large, if there is one.
        """
        in_memory = after + 1 >= self._ring.first
        source = self._ring.since(after) if in_memory else self._from_file(after, limit)
        payloads: list[bytes] = []
        size = 0
        for payload in source:
            size += len(payload)
            if payloads and size > limit:
                break
            payloads.append(payload)
        return payloads

    def unfinished(self) -> list[Begun]:
        """What was queued or has begun, and has not ended, in order."""
        found: dict[Begun, None] = {}
        after = 0
        while payloads := self.read(after, 1 << 20):
            for payload in payloads:
                step = parse(payload).frame
                this = Begun(step.run, step.area, step.update)
                if step.HasField("queued") or step.HasField("values"):
                    found[this] = None
                elif step.HasField("finished"):
                    found.pop(this, None)
            after += len(payloads)
        return list(found)

    def take_back(self) -> None:
        """Nothing of it is in the database any more, nor stays on the disk. Who reads it may
        go on."""
        self.taken_back = True
        self.path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Close it and delete the file."""
        self.close()
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        os.close(self._file)

    def _add(self, payload: bytes) -> None:
        """Count in a frame that stands in the file."""
        self._offsets.append(self._end)
        self._end += LENGTH.size + len(payload)
        self._ring.append(payload)

    def _write(self, payload: bytes) -> None:
        """Put a record behind the last frame, whole or not at all."""
        data = memoryview(frame(payload))
        written = 0
        try:
            while written < len(data):
                written += os.pwrite(self._file, data[written:], self._end + written)
        except OSError:
            os.ftruncate(self._file, self._end)
            raise
        if not self._offsets and not self._end:
            self._end = len(data)  # Opened; frames begin behind it

    def _from_file(self, after: int, limit: int) -> Iterator[bytes]:
        """Frames as the file has them: about `limit` bytes of them, or one."""
        start = self._offsets[after]
        index = after + 1
        while index < self.last and self._offsets[index] - start < limit:
            index += 1
        end = self._offsets[index] if index < self.last else self._end
        data = os.pread(self._file, end - start, start)
        yield from Decoder(len(data)).feed(data)

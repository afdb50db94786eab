"""One viewer of a worksheet's sessions: a place in the journals, moving at its own pace.

At most `window` bytes are under way to a viewer that has not said it took them in, so a
slow one waits for itself alone; nothing is queued for it, as the journal has it all.
"""

from __future__ import annotations

import time
from collections import deque

import gevent
from gevent.event import Event

from app.sage.journal import Journal
from app.sage.places import Person
from app.sage.timeline import Timeline
from app.wire.decoder import on_channel
from app.wire.messages_pb2 import Message, State, Usage
from app.wire.stream import Stream

NO_SESSION = State(kind=State.NONE)
BATCH = 1 << 18  # bytes sent in one write, about
GATHER = 0.003  # seconds that news of a run waits for the run's end: mostly one write does


class Viewer:
    def __init__(
        self,
        *,
        channel: int,
        stream: Stream,
        timeline: Timeline,
        window: int,
        person: Person,
    ) -> None:
        """`person`: whose worksheet it is."""
        self._channel = channel
        self._stream = stream
        self.timeline = timeline
        self._window = window
        self._journal: Journal | None = None
        self._after = 0
        self._unacknowledged: deque[tuple[int, int]] = deque()  # (seq, bytes)
        self._under_way = 0
        self._shown: State | None = None
        self._shown_usage: Usage | None = None
        self.person = person
        self._news = Event()
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def start(self, session: str, after: int) -> None:
        """Show everything behind seq `after` of `session`, then whatever comes."""
        for journal in self.timeline.journals:
            if journal.opened.session == session:
                self._go_to(journal, after)
        self.timeline.watch(self._news.set)
        self._greenlet = gevent.spawn(self._show)

    def stop(self) -> None:
        self.timeline.unwatch(self._news.set)
        if self._greenlet is not None:
            self._greenlet.kill(block=False)
        self._go_to(None, 0)

    def acknowledge(self, session: str, seq: int) -> None:
        """The viewer took in the frames of `session` up to `seq`."""
        if self._journal is None or self._journal.opened.session != session:
            return
        while self._unacknowledged and self._unacknowledged[0][0] <= seq:
            self._under_way -= self._unacknowledged.popleft()[1]
        self._news.set()

    def send(self, message: Message) -> None:
        """Send something that is not kept. Raises OSError."""
        message.channel = self._channel
        self._stream.send(message)

    def reply(self, message: Message) -> None:
        """As `send`, for an answer that may come when the viewer is long gone."""
        try:
            self.send(message)
        except OSError:
            pass

    def _show(self) -> None:
        """The viewer's greenlet."""
        try:
            while True:
                self._news.clear()
                while payloads := [*self._next_frames(), *self._next_state(), *self._next_usage()]:
                    self._stream.send_raw(*(on_channel(self._channel, each) for each in payloads))
                if not self._move_on():
                    self._wait_news()
        except OSError:
            pass  # the stream is gone, and with it all its viewers

    def _wait_news(self) -> None:
        self._news.wait()
        deadline = time.monotonic() + GATHER
        while self._is_computing and (left := deadline - time.monotonic()) > 0:
            self._news.clear()
            self._news.wait(left)

    def _next_frames(self) -> list[bytes]:
        """What to send next; nothing when there is nothing, or too much is under way."""
        room = self._window - self._under_way
        if self._journal is None or room <= 0:
            return []
        payloads = self._journal.read(self._after, min(room, BATCH))
        for payload in payloads:
            self._after += 1
            self._unacknowledged.append((self._after, len(payload)))
            self._under_way += len(payload)
        return payloads

    def _next_state(self) -> list[bytes]:
        """The state if it is news, once all that led to it has been sent."""
        state = self._journal.state if self._journal else NO_SESSION
        if state is self._shown or (self._journal is not None and not self._at_end):
            return []
        self._shown = state
        return [Message(state=state).SerializeToString()]

    def _next_usage(self) -> list[bytes]:
        """What the session uses, if that is news and there is nothing else to tell."""
        usage = self._journal.usage if self._journal and not self._journal.ended else None
        if usage is None or usage is self._shown_usage or not self._at_end:
            return []
        self._shown_usage = usage
        return [Message(usage=usage).SerializeToString()]

    def _move_on(self) -> bool:
        """Go to the next session once this one is over and seen; whether there is one."""
        if self._journal is None:
            later = self.timeline.journals[0] if self.timeline.journals else None
        elif self._journal.ended and self._at_end:
            later = self.timeline.behind(self._journal)
        else:
            later = None
        if later is not None:
            self._go_to(later, 0)
        return later is not None

    def _go_to(self, journal: Journal | None, after: int) -> None:
        if self._journal is not None:
            self._journal.viewers -= 1
        if journal is not None:
            journal.viewers += 1
        self._journal, self._after = journal, after
        self._unacknowledged.clear()
        self._under_way = 0

    @property
    def _is_computing(self) -> bool:
        """Whether what will follow soon is worth waiting for."""
        journal = self._journal or (self.timeline.journals[0] if self.timeline.journals else None)
        return journal is not None and journal.state.kind == State.BUSY

    @property
    def _at_end(self) -> bool:
        return self._journal is not None and self._after >= self._journal.last

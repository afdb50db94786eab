"""What one evaluation has sent, kept in memory: a journal's place where nothing must last."""

from __future__ import annotations

from gevent.event import Event

from app.wire.messages_pb2 import Frame, Opened, State, Usage


class Transcript:
    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self.state = State(session=opened.session, language=opened.language)
        self.usage: Usage | None = None
        self.ended = False
        self.viewers = 0
        self.frames: list[Frame] = []
        self.finished = Event()  # the run has ended, or its session

    def append(self, step: Frame) -> None:
        self.frames.append(step)
        if step.HasField("finished"):
            self.finished.set()

    def change_usage(self, usage: Usage) -> None:
        self.usage = usage

    def change_state(self, state: State) -> None:
        self.state = state

    def end(self, reason: str, time: float) -> None:
        self.ended = True
        self.change_state(State(kind=State.DEAD, reason=reason, time=time))
        self.finished.set()

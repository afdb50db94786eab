"""What `supervise` prints: on its terminal as long as somebody reads there, always to its log.

A reader who has gone, or does not read on, is no reason to stop or to wait for.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import sys
from datetime import UTC, datetime

import click

from supervisor.logs import LogFile
from supervisor.service import State

ATOMIC = 4096  # bytes that a pipe takes as a whole once it takes any
COLOURS: dict[str, str] = {
    State.UP: "green",
    State.STARTING: "yellow",
    State.DRAINING: "yellow",
    State.BACKING_OFF: "yellow",
    State.HUNG: "red",
    State.GAVE_UP: "red",
}


class Console:
    def __init__(self, log: LogFile) -> None:
        self._log = log

    def say(self, text: str) -> None:
        """May have colours. Never raises."""
        now = datetime.now(UTC).isoformat(sep=" ", timespec="milliseconds")
        lines = [f"{now} {line}\n" for line in click.unstyle(text).splitlines() if line]
        self._log.write("".join(lines).encode())
        self.show(text)

    def show(self, text: str) -> None:
        """What is for whoever looks now, and for no log."""
        with contextlib.suppress(OSError, ValueError):
            shown = f"{text if sys.stdout.isatty() else click.unstyle(text)}\n"
            descriptor = sys.stdout.fileno()
            _, writable, _ = select.select([], [descriptor], [], 0)
            if writable:
                os.write(descriptor, shown.encode()[:ATOMIC])

    def tell(self, name: str, state: State, reason: str) -> None:
        """What has happened to a service."""
        self.say(f"{name:12} {coloured(state)}  {reason}".rstrip())


class ConsoleHandler(logging.Handler):
    """Has what we log said there."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        self._console.say(self.format(record))


def coloured(state: str, width: int = 0) -> str:
    """A state's name, as on a terminal."""
    return click.style(f"{state:{width}}", fg=COLOURS.get(state))

"""A terminal for tests: a program at a pseudo-terminal, typed at and read as a person does."""

from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import subprocess
import termios
import time
from collections.abc import Mapping

from app.settings import ROOT

PATIENCE = 60.0  # seconds
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r")
COLUMNS, LINES = 100, 40


class Terminal:
    def __init__(self, command: list[str], environment: Mapping[str, str]) -> None:
        ours, theirs = os.openpty()
        termios.tcsetwinsize(ours, (LINES, COLUMNS))
        self._fd = ours
        self.raw = ""  # all that was written, with colours
        self._text = ""  # that nothing has been expected in yet
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**environment, "TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            preexec_fn=_take_terminal,
        )
        os.close(theirs)

    def type(self, text: str) -> None:
        """Type; Enter is "\\r", Ctrl-C "\\x03"."""
        os.write(self._fd, text.encode())

    def expect(self, text: str) -> str:
        """Wait until `text` is written, after all that was expected before; what came with it."""
        deadline = time.monotonic() + PATIENCE
        while text not in self._text:
            if not self._read(deadline):
                raise AssertionError(f"{text!r} was not written; but:\n{self._text[-4000:]}")
        before, _, self._text = self._text.partition(text)
        return before + text

    def ends(self) -> int:
        """Wait until the program has ended; its exit code."""
        deadline = time.monotonic() + PATIENCE
        while self._read(deadline):
            pass
        return self._process.wait(PATIENCE)

    def close(self, number: signal.Signals = signal.SIGHUP) -> None:
        """End the program by a signal, as closing a terminal's window does."""
        self._process.send_signal(number)
        self.ends()
        os.close(self._fd)

    def _read(self, deadline: float) -> bool:
        """Read some; False at its end, or at the deadline."""
        found, _, _ = select.select([self._fd], [], [], max(0.0, deadline - time.monotonic()))
        if not found:
            return False
        try:
            data = os.read(self._fd, 1 << 16)
        except OSError:  # nobody has it open any more
            return False
        text = data.decode(errors="replace")
        self.raw += text
        self._text += CONTROL.sub("", text)
        return bool(data)


def _take_terminal() -> None:
    """Make standard input the terminal of a new session of processes."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)

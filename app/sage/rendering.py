"""A run's output as a terminal shows it; pictures become files.

What is written to something else than a terminal is the same without colours of ours.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import click

from app.sage.usage import size
from app.wire.messages_pb2 import Bundle, Files, Finished, Frame, Stream, Traceback

SUFFIXES = {
    "image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/svg+xml": ".svg",
}  # fmt: skip
SCENE = "application/vnd.salvus.scene+html"
NAMELESS = re.compile(r"<\S+ object( at \w+)?>")  # Python's text for what has none of its own
SOURCES = ("text/markdown", "text/latex", "application/json", "text/html")
CLEAR_LINE = "\r\x1b[2K"


class Rendering:
    def __init__(self, *, folder: Path | None, full: bool) -> None:
        """`folder`: for pictures; None: a temporary one, when there is one to keep.
        `full`: whether tracebacks have all lines, not just the user's own.
        """
        self._folder = folder
        self._full = full
        self._pictures = 0
        self._in_line = False  # whether the last line on the terminal goes on
        self._ways: dict[str, Callable[..., None]] = {
            "stream": self._stream,
            "bundle": self._bundle,
            "traceback": self._traceback,
            "clear": lambda clear: self._clear(),
            "truncated": lambda cut: self.note(
                f"output truncated at {size(cut.limit)}"
                + (" for this session" if cut.session else "")
                + "; the run goes on"
            ),
            "interact": lambda shown: self.note(
                "controls of an interact: they can be moved in a worksheet's page"
            ),
            "files": self._files,
            "finished": self._finished,
        }

    def show(self, step: Frame) -> None:
        """Show a step of a run."""
        kind = step.WhichOneof("content")
        if kind in self._ways:
            self._ways[kind](getattr(step, kind))

    def note(self, text: str) -> None:
        """Say something that is no output."""
        self.new_line()
        click.secho(f"[{text}]", dim=True, err=True)

    def new_line(self) -> None:
        """Begin one if output has left one open."""
        if self._in_line and sys.stdout.isatty():
            self._write("\n", sys.stdout)

    def echoed(self) -> None:
        """The terminal itself has written something, as ^C."""
        self._in_line = True

    def _stream(self, stream: Stream) -> None:
        self._write(stream.text, sys.stderr if stream.name == Stream.STDERR else sys.stdout)

    def _write(self, text: str, target: TextIO) -> None:
        target.write(text)
        target.flush()
        self._in_line = not text.endswith("\n")

    def _clear(self) -> None:
        if sys.stdout.isatty():
            self._write(CLEAR_LINE, sys.stdout)
            self._in_line = False

    def _bundle(self, bundle: Bundle) -> None:
        parts = {part.type.split(";")[0]: part.data for part in bundle.parts}
        if text := _text(parts):
            self.new_line()
            self._write(f"{text}\n", sys.stdout)
        if SCENE in parts:
            self.note("3D scene: it turns in a worksheet's page;"
                      " show(…, viewer='tachyon') makes a picture")  # fmt: skip
        for kind in SUFFIXES:
            if kind in parts:
                self._picture(parts[kind], SUFFIXES[kind])
                return

    def _picture(self, data: bytes, suffix: str) -> None:
        try:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="salvus-"))
            path = self._free_path(self._folder, suffix)
            path.write_bytes(data)
        except OSError as error:
            self.note(f"a picture could not be kept: {error.filename}: {error.strerror}")
        else:
            self.note(f"picture: {path}")

    def _free_path(self, folder: Path, suffix: str) -> Path:
        while True:
            self._pictures += 1
            path = folder / f"picture-{self._pictures}{suffix}"
            if not path.exists():
                return path

    def _traceback(self, error: Traceback) -> None:
        self.new_line()
        text = error.text if self._full or not error.short else error.short
        click.echo(text.rstrip("\n"), err=True)

    def _files(self, files: Files) -> None:
        named = [f"{file.path} ({size(file.size)})" for file in files.files]
        more = [f"{files.more} more"] if files.more else []
        self.note(f"written at the session's home: {', '.join(named + more)}")

    def _finished(self, finished: Finished) -> None:
        if finished.status == Finished.DIED:
            self.note(f"the session ended: {finished.reason}")
        elif finished.reason:
            self.note(finished.reason)
        self.new_line()
        self._in_line = False


def _text(parts: dict[str, bytes]) -> str:
    """The form of an object that a terminal can show: mostly its plain text."""
    plain = parts.get("text/plain", b"").decode(errors="replace")
    if plain and not NAMELESS.fullmatch(plain):
        return plain
    source = next((parts[kind] for kind in SOURCES if kind in parts), None)
    return plain if source is None else source.decode(errors="replace")

"""Which sage servers the site uses: those of the settings and those of a watched file."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from app import layout
from app.settings import ADDRESSES, Settings, SettingsError
from app.watched_file import WatchedFile

log = logging.getLogger(__name__)


class ServersInUse:
    """Calls `on_change(addresses)` at start, and whenever the file says something else."""

    def __init__(
        self, *, settings: Settings, on_change: Callable[[tuple[str, ...]], None]
    ) -> None:
        """Raises SettingsError for a file that can't be read, or names no server."""
        self._settings = settings
        self._on_change = on_change
        self._file = Path(settings.sage.servers_file) if settings.sage.servers_file else None
        self._watch: WatchedFile | None = None
        self.addresses = self._read()
        self.mistake = ""  # in the file, while what it said before is in use

    def start(self) -> None:
        """Raises SettingsError if the file's folder can't be watched."""
        self._on_change(self.addresses)
        if self._file is None:
            return
        try:
            self._watch = WatchedFile(self._file, self._look)
        except OSError as error:
            raise SettingsError(
                f"[sage] servers_file: cannot watch {self._file.parent}: {error.strerror}"
            ) from error
        self._look()  # it may have changed before there was a watch

    def stop(self) -> None:
        if self._watch is not None:
            self._watch.stop()

    def _look(self) -> None:
        try:
            addresses = self._read()
        except SettingsError as error:
            self.mistake = f"{error}; the Sage servers in use stay the same"
            log.error("%s", self.mistake)
            return
        self.mistake = ""
        if addresses != self.addresses:
            self.addresses = addresses
            log.info("sage servers in use: %s", ", ".join(addresses))
            self._on_change(addresses)

    def _read(self) -> tuple[str, ...]:
        if self._file is None:
            return layout.sage_addresses(self._settings)
        try:
            text = self._file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not UTF-8"
            raise SettingsError(f"[sage] servers_file {self._file}: {why}") from error
        named = addresses_in(text, f"[sage] servers_file {self._file}")
        if not (found := {*layout.sage_addresses(self._settings), *named}):
            raise SettingsError(f"[sage] servers_file {self._file}: it names no server")
        return tuple(sorted(found))


def addresses_in(text: str, file: str) -> list[str]:
    """The addresses (host:port) that a servers file lists. Raises SettingsError, naming `file`."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        address = line.partition("#")[0].strip()
        if not address:
            continue
        if not ADDRESSES.holds((address,)):
            raise SettingsError(f"{file}, line {number}: {address!r} is not host:port")
        found.append(address)
    return found

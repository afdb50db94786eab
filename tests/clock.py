"""A wall clock that a test moves, for processes that it starts."""

from __future__ import annotations

import os
from pathlib import Path

from tests import host

LIBRARIES = Path("/usr/lib")


class Clock:
    """Of all that runs with `environment`: time.time() and the like, not monotonic clocks."""

    def __init__(self, file: Path) -> None:
        """`file`: where the time is written down, for all who may read it."""
        host.needs("faketime")
        library = next(LIBRARIES.glob("*/faketime/libfaketimeMT.so.1"), None)
        if library is None:
            host.missing("libfaketimeMT.so.1")
        self._file = file
        self.jump(0)
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_RESET": "1",
        }

    def jump(self, seconds: float) -> None:
        """From the true time."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+.0f}\n")
        new.chmod(0o644)
        os.replace(new, self._file)

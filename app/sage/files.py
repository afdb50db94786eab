"""Which files of its home a run has written. Runs in the session's process."""

from __future__ import annotations

import os
from collections.abc import Iterator

from app.wire.messages_pb2 import Files

LISTED = 50  # files that one run offers, at most
LOOKED_AT = 5000  # files at home that are told apart, at most
HIDDEN = (".", "__pycache__")  # beginnings of names that are nobody's results
Stamp = tuple[int, int]  # when it was changed (ns), bytes


class Home:
    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._known: dict[str, Stamp] = dict(_stamps(folder))

    def written(self) -> Files | None:
        """What is new or changed since this was last asked; None for nothing."""
        now = dict(_stamps(self._folder))
        fresh = sorted(path for path, stamp in now.items() if self._known.get(path) != stamp)
        self._known = now
        if not fresh:
            return None
        listed = [Files.File(path=path, size=now[path][1]) for path in fresh[:LISTED]]
        return Files(files=listed, more=len(fresh) - len(listed))


def _stamps(folder: str) -> Iterator[tuple[str, Stamp]]:
    """Paths from `folder` on, of those files that have a name in UTF-8."""
    folders, count = [""], 0
    while folders:
        below = folders.pop()
        try:
            entries = list(os.scandir(os.path.join(folder, below)))
        except OSError:
            continue  # the user has taken our right to look, or the folder away
        for entry in entries:
            count += 1
            path = os.path.join(below, entry.name)
            if count > LOOKED_AT or entry.name.startswith(HIDDEN) or not _is_text(path):
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(path)
                elif entry.is_file(follow_symlinks=False):
                    found = entry.stat(follow_symlinks=False)
                    yield path, (found.st_mtime_ns, found.st_size)
            except OSError:
                continue


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True

"""The files of a home. In the session's process: which a run has written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from app.wire.messages_pb2 import Files

LISTED = 50  # files that one run offers, at most
LOOKED_AT = 5000  # files at home that are told apart, at most
HIDDEN = (".", "__pycache__")  # beginnings of names that are nobody's results
Stamp = tuple[int, int]  # when it was changed (ns), bytes


class Home:
    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._known: dict[str, Stamp] = dict(self._stamps())

    def written(self) -> Files | None:
        """What is new or changed since this was last asked; None for nothing."""
        now = dict(self._stamps())
        fresh = sorted(path for path, stamp in now.items() if self._known.get(path) != stamp)
        self._known = now
        if not fresh:
            return None
        listed = [Files.File(path=path, size=now[path][1]) for path in fresh[:LISTED]]
        return Files(files=listed, more=len(fresh) - len(listed))

    def _stamps(self) -> Iterator[tuple[str, Stamp]]:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        return stamps(lambda below: os.open(os.path.join(self._folder, below), flags))


def stamps(open_folder: Callable[[str], int]) -> Iterator[tuple[str, Stamp]]:
    """Paths from a home on, of those files that have a name in UTF-8.

    `open_folder(path)`: a descriptor of what is there, "" being the home itself.
    """
    folders, count = [""], 0
    while folders:
        below = folders.pop()
        try:
            folder = open_folder(below)
        except OSError:
            continue  # the user has taken our right to look, or the folder away
        try:
            for entry in _entries(folder):
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
        finally:
            os.close(folder)


def _entries(folder: int) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError:
        return []  # it is no folder any more


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True

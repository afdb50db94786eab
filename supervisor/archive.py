"""The file that a backup is: a ZIP, not compressed again, whose last member lists the others.

A ZIP says at once whether it is whole, takes members whose size nobody knows before, and any
system can look into it. The list has a digest of each member, so that a restore is sure of
all of it before it changes anything.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

CHUNK = 1 << 20
CONTENTS = "contents.json"
FORMAT = 1


class NoBackup(Exception):
    """A file that cannot be restored; the text says why."""


class Writer:
    """Members are added one after the other; made by `written`."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._digests: dict[str, str] = {}

    def add(self, name: str, source: IO[bytes]) -> int:
        """Everything that `source` gives; how many bytes that was."""
        digest, size = hashlib.sha256(), 0
        with self._archive.open(name, "w", force_zip64=True) as member:
            while chunk := source.read(CHUNK):
                member.write(chunk)
                digest.update(chunk)
                size += len(chunk)
        self._digests[name] = digest.hexdigest()
        return size

    def finish(self, about: dict[str, Any]) -> None:
        contents = {**about, "format": FORMAT, "members": self._digests}
        self._archive.writestr(CONTENTS, json.dumps(contents, indent=2) + "\n")


@contextmanager
def written(path: Path) -> Iterator[Writer]:
    """Makes `path`, for our eyes alone, whole and on the disk, or not at all. Raises OSError."""
    part = path.with_name(f".{path.name}.part")
    try:
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w+b") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                yield Writer(archive)
            file.flush()
            os.fsync(descriptor)
        part.rename(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@dataclass(frozen=True)
class Archive:
    """A backup that has been looked through and is whole; made by `read`."""

    path: Path
    about: dict[str, Any]

    @property
    def members(self) -> tuple[str, ...]:
        return tuple(self.about["members"])

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        with zipfile.ZipFile(self.path) as archive, archive.open(name) as member:
            yield member

    def bytes_of(self, name: str) -> bytes:
        with self.open(name) as member:
            return member.read()


def read(path: Path) -> Archive:
    """Look all of it through. Raises NoBackup."""
    try:
        with zipfile.ZipFile(path) as archive:
            about = json.loads(archive.read(CONTENTS))
            if about["format"] != FORMAT:
                raise NoBackup(f"{path} was made by another Salvus (format {about['format']})")
            for name, expected in about["members"].items():
                with archive.open(name) as member:
                    found = _digest(member)
                if found != expected:
                    raise NoBackup(f"{path} is damaged: {name} is not what was backed up")
    except OSError as error:
        raise NoBackup(f"{path}: {error.strerror or error}") from error
    except zipfile.BadZipFile as error:
        why = "is damaged or not complete" if _begins_as_one(path) else "is not a backup of Salvus"
        raise NoBackup(f"{path} {why}: {error}") from error
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise NoBackup(f"{path} is not a backup of Salvus: it has no list of contents") from error
    return Archive(path, about)


def _digest(source: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while chunk := source.read(CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _begins_as_one(path: Path) -> bool:
    with contextlib.suppress(OSError), open(path, "rb") as file:
        return file.read(4) == b"PK\x03\x04"
    return False

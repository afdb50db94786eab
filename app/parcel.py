"""What was collected of a class as a zip: a folder for each student, with notebook, files and
comments.

Nothing is gathered in memory but one copy at a time. Takes a cursor (of `app.db.Database`).
"""

from __future__ import annotations

import unicodedata
import zipfile
from typing import IO

from psycopg2.extensions import cursor as Cursor

from app import collected, comments, kept_files
from app.handouts import Handout
from app.takeout import file_name


def write(cursor: Cursor, handout: Handout, target: IO[bytes]) -> None:
    taken: set[str] = set()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for copy in collected.roster(cursor, handout.id):
            found = comments.read(cursor, handout.id, copy.account)
            if found is None:
                continue
            folder = unique(file_name(copy.name), taken)
            archive.writestr(f"{folder}/{file_name(handout.title)}.ipynb", found.notebook)
            kept_files.write(cursor, handout.id, copy.account, archive, f"{folder}/files")
            if text := comments.as_text(found):
                archive.writestr(f"{folder}/comments.md", text)


def unique(name: str, taken: set[str]) -> str:
    """`name`, with a number if a system that ignores case has it among `taken`; then it is."""
    found, number = name, 1
    while _alike(found) in taken:
        number += 1
        found = f"{name} {number}"
    taken.add(_alike(found))
    return found


def _alike(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()

"""The static files: what may be served, as which type, and under which addresses.

An address has a hash of all of them in it, `/static/HASH/js/worksheet.js`, so a browser may
keep what it finds there for ever. The hash comes first in the path, so that modules and
style sheets reach each other by relative paths, whatever it is. Standard library only.
"""

from __future__ import annotations

import functools
import hashlib
import re
from pathlib import Path

from app.settings import ROOT

FOLDER = ROOT / "app" / "static"
TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".woff2": "font/woff2",
}
COMPRESSED = (".css", ".js", ".svg", ".txt")  # fonts are already
HASH = re.compile("[0-9a-f]{12}")


def files(folder: Path = FOLDER) -> list[Path]:
    """The files that may be served, in a fixed order."""
    return sorted(file for file in folder.rglob("*") if file.suffix in TYPES and file.is_file())


def hash_of(folder: Path) -> str:
    """It changes with the name or the content of any file."""
    found = hashlib.sha256()
    for file in files(folder):
        content = file.read_bytes()
        found.update(f"{file.relative_to(folder).as_posix()}\0{len(content)}\0".encode())
        found.update(content)
    return found.hexdigest()[:12]


@functools.cache
def release() -> str:
    """The hash of the files that this process began with."""
    return hash_of(FOLDER)


def address(path: str, of: str = "") -> str:
    """Where browsers find the file `path` of the static folder, `of` a release (default: ours)."""
    return f"/static/{of or release()}/{path}"

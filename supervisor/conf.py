"""Configuration files: the templates of conf/ with values filled in, written when changed."""

from __future__ import annotations

import os
from pathlib import Path
from string import Template

from app.settings import ROOT

TEMPLATES = ROOT / "conf"


def render(template: str, values: dict[str, str | int]) -> str:
    """The text of conf/`template` with each $name replaced. KeyError if one is missing."""
    return Template((TEMPLATES / template).read_text(encoding="utf-8")).substitute(values)


def write_if_changed(path: Path, text: str, mode: int = 0o644) -> bool:
    """Make `path` hold `text`, whole or not at all; whether it had to be written."""
    content = text.encode()
    try:
        if path.read_bytes() == content:
            return False
    except FileNotFoundError:
        pass
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with open(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    fresh.replace(path)
    return True

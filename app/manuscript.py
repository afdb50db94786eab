"""A worksheet outside of the database: what is exported, and what is made of an imported file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.wire.messages_pb2 import Frame


class NoManuscript(Exception):
    """The file can't be imported; the text says why."""


@dataclass(frozen=True)
class Part:
    """A cell. `metadata` is what a file said of it that a worksheet has no other place for."""

    kind: str  # code, markdown or raw
    code: str
    frames: tuple[Frame, ...] = ()  # what its latest run sent
    folded: bool = False  # its code
    output_folded: bool = False
    auto: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Manuscript:
    title: str
    parts: tuple[Part, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)

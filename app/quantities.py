"""Quantities as people read them."""

from __future__ import annotations

UNITS = ("bytes", "KB", "MB", "GB", "TB")


def size(count: float | None) -> str:
    """Bytes as people read them: 1234567 → "1.2 MB"."""
    if count is None:
        return "–"
    for unit in UNITS[:-1]:
        if count < 999.5:
            digits = 0 if unit == "bytes" or count >= 99.5 else 1
            return f"{count:.{digits}f} {unit}"
        count /= 1000
    return f"{count:.1f} {UNITS[-1]}"


def duration(seconds: float | None) -> str:
    """Seconds in the two largest units that say something: 93784 → "1 d 2 h"."""
    if seconds is None:
        return "–"
    words: list[str] = []
    left = int(seconds)
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, length)
        if count or words:
            words.append(f"{count} {unit}")
    return " ".join(words[:2]) or "0 s"

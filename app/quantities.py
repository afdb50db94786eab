"""Quantities as people read and write them."""

from __future__ import annotations

import re

UNITS = ("bytes", "KB", "MB", "GB", "TB")


def size(count: float | None) -> str:
    """Bytes as people read them: 1234567 → "1.2 MB"."""
    if count is None:
        return "–"
    if count == 1:
        return "1 byte"
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


SIZES: dict[str, int] = {"": 1, "b": 1, "byte": 1, "bytes": 1} | {
    f"{letter}{unit}": int(factor**power)
    for power, letter in enumerate("kmgt", start=1)
    for unit, factor in (("b", 1000), ("ib", 1024))
}
SECONDS = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400}
NUMBER = r"([0-9]{1,15}(?:\.[0-9]{1,9})?)"


def parse_size(text: str) -> int:
    """Bytes: "2 GiB", "1.5 GB", "4096". Raises ValueError."""
    found = re.fullmatch(rf"{NUMBER}\s*([a-z]*)", text.strip().lower())
    if not found or found[2] not in SIZES:
        raise ValueError('expected a size, as "500 MB" or "2 GiB"')
    return round(float(found[1]) * SIZES[found[2]])


def parse_duration(text: str) -> float:
    """Seconds: "90 s", "15 min", "2h", "1d 12h". Raises ValueError."""
    plain = text.strip().lower()
    part = rf"{NUMBER}\s*(s|min|m|h|d)"
    if not re.fullmatch(rf"({part}\s*)+", plain):
        raise ValueError('expected a time, as "90 s", "15 min", "2h" or "3d"')
    return sum(float(count) * SECONDS[unit] for count, unit in re.findall(part, plain))

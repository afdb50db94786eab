"""Journals of sage servers that this host has no more go to its first, which records them.

A sage server keeps them in a folder named by its port; they used to be one folder up.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from app.settings import Settings
from supervisor.service import CannotStart

JOURNALS = "*.journal"


def gather(settings: Settings, ports: Collection[int]) -> None:
    """Move what is left of others than `ports` to the first of them, which is not running.

    Raises CannotStart.
    """
    folder = settings.data_dir / "sage"
    heir = folder / str(min(ports)) / "journals"
    try:
        for journal in (*folder.glob(f"journals/{JOURNALS}"), *_strangers(folder, ports)):
            heir.mkdir(mode=0o700, parents=True, exist_ok=True)
            journal.rename(heir / journal.name)
    except OSError as error:
        raise CannotStart(f"{error.filename or heir}: {error.strerror}") from error


def _strangers(folder: Path, ports: Collection[int]) -> list[Path]:
    found = folder.glob(f"*/journals/{JOURNALS}")
    return [path for path in found if path.parts[-3] not in {str(port) for port in ports}]

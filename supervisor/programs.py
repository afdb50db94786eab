"""Where a service's program is on this host."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

ALSO = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"  # not on every PATH


def find(configured: str, *names: str) -> Path | None:
    """The one that the settings name, else the first of `names` there is; None if none is."""
    if configured:
        return Path(configured).expanduser()
    path = os.environ.get("PATH", "") + ":" + ALSO
    found = (shutil.which(name, path=path) for name in names)
    return next((Path(each) for each in found if each), None)

"""The site's token: what its own processes and tools know each other by."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def site_token(data_dir: Path) -> str:
    """The token in `data_dir`, made when it is first asked for. Raises OSError."""
    path = data_dir / "token"
    data_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
    fresh = data_dir / f"token.{os.getpid()}"
    if not path.exists():
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32))
        try:
            os.link(fresh, path)  # unlike a rename, never replaces that of another process
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text(encoding="ascii").strip()

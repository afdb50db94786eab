"""The systemd unit that runs a host from its start on."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from app.settings import ROOT, Settings
from supervisor import conf
from supervisor.service import CannotStart

NAME = "salvus.service"
SYSTEM = Path("/etc/systemd/system")


def text(settings: Settings) -> str:
    """With this Python, these settings and this data folder."""
    return conf.render(
        "salvus.service",
        {
            "folder": str(ROOT).replace("%", "%%"),
            "config": _quoted(Path(settings.file).absolute()),
            "data_dir": _quoted(settings.data_dir),
            "python": _quoted(Path(sys.executable)),
            "program": _quoted(ROOT / "salvus.py"),
            "target": "multi-user.target" if os.geteuid() == 0 else "default.target",
        },
    )


def install(settings: Settings) -> list[str]:
    """Put it where systemd looks; what was done and what is next, in words. Raises CannotStart."""
    is_root = os.geteuid() == 0
    folder = SYSTEM if is_root else _own_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        changed = conf.write_if_changed(folder / NAME, text(settings))
    except OSError as error:
        raise CannotStart(f"{error.filename or folder}: {error.strerror}") from error
    systemctl = "systemctl" if is_root else "systemctl --user"
    found = [f"{folder / NAME} is {'written' if changed else 'as it should be'}"]
    found.append(f"now: {systemctl} daemon-reload && {systemctl} enable --now {NAME}")
    if not is_root:
        found.append("so that it runs when you are not signed in: loginctl enable-linger")
    return found


def _own_folder() -> Path:
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "systemd" / "user"


def _quoted(path: Path) -> str:
    """For between double quotes in a unit: % begins a specifier there, $ a variable."""
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return escaped.replace("%", "%%").replace("$", "$$")

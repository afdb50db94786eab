"""The systemd unit that runs a host from its start on."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from app.settings import MISCONFIGURED, ROOT, Settings
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
            "environment": " ".join(f'"{_escaped(each)}"' for each in _environment(settings)),
            "python": _in_command(sys.executable),
            "program": _in_command(str(ROOT / "salvus.py")),
            "misconfigured": MISCONFIGURED,
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


def _environment(settings: Settings) -> list[str]:
    found = [
        f"SALVUS_CONFIG={Path(settings.file).absolute()}",
        f"SALVUS_SITE_DATA_DIR={settings.data_dir}",
    ]
    return [*found, f"SALVUS_SITE_HOST={settings.host_name}"] if settings.hosts else found


def _own_folder() -> Path:
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "systemd" / "user"


def _in_command(text: str) -> str:
    """As `_escaped`, where $ begins a variable, too."""
    return _escaped(text).replace("$", "$$")


def _escaped(text: str) -> str:
    """For between double quotes in a unit, where % begins a specifier."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")

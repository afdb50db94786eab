"""install.sh: what it says where it cannot install anything."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from app.settings import ROOT
from tests import host

INSTALL = ROOT / "install.sh"
TOOLS = ("sh", "dirname", "ls", "cat", "id")


def test_it_is_good_shell() -> None:
    subprocess.run([host.needs("sh"), "-n", str(INSTALL)], check=True)


def test_without_a_package_manager_it_names_what_is_missing(tmp_path: Path) -> None:
    for tool in TOOLS:
        path = shutil.which(tool)
        assert path
        (tmp_path / tool).symlink_to(path)
    done = subprocess.run(
        [str(tmp_path / "sh"), str(INSTALL), "test"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "missing: " in done.stderr
    assert "apt-get install" in done.stderr
    assert "chromium" in done.stderr
    assert done.stdout == ""

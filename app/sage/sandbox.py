"""How far this host lets us keep sessions in bounds, and what stays open.

So far: a pid namespace, in which the zygote is the first process. The kernel ends all of it
when that one dies, so nothing a session has started can outlive the sage server. Where the
host has no pid namespaces for us, sessions still die with the zygote, but a program that
one of them has detached on purpose may survive; `report` says so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass

PID_NAMESPACE = ("--pid", "--fork", "--kill-child", "--mount-proc")


@dataclass(frozen=True)
class Sandbox:
    prefix: tuple[str, ...]  # a command to put before the zygote's
    report: dict[str, str]  # protection: "on", or why not


def examine() -> Sandbox:
    """Try what this host offers; takes a few milliseconds."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return Sandbox((), {"pid namespace": "off: util-linux's unshare is not installed"})
    user = () if os.geteuid() == 0 else ("--user", "--map-current-user")
    prefix = (unshare, *user, *PID_NAMESPACE)
    tried = subprocess.run([*prefix, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        return Sandbox((), {"pid namespace": f"off: {tried.stderr.strip()}"})
    return Sandbox((*prefix, "--"), {"pid namespace": "on"})

"""What a service may do that root starts for us: as little as will do.

It becomes another user before it is executed, keeping nothing of root but, where it needs
that, the right to listen on ports below 1024. So it can be reloaded by itself, and there is
no moment at which its own code runs as root. Trap: the kernel forgets the parent-death
signal when the user changes, so setpriv, which changes it, sets it again.
"""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path

from supervisor.service import CannotStart

LOWEST_PORT = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


def system_user(program: str, *names: str) -> str:
    """The first of `names` there is, to run `program` as; empty unless we are root.

    Raises CannotStart.
    """
    if os.geteuid() != 0:
        return ""
    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in names:
        if name in known:
            return name
    raise CannotStart(f"{program} shall not run as root, and there is no user {', '.join(names)}")


def may_listen(port: int) -> bool:
    """Whether the host lets us listen on `port`, if nobody else does."""
    if os.geteuid() == 0:
        return True
    try:
        return port >= int(LOWEST_PORT.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return port >= 1024


def confined(
    arguments: tuple[str, ...], user: str, *, low_ports: bool = False, capability: str = ""
) -> tuple[str, ...]:
    """The command that executes `arguments` as `user`; empty: as we are. Of root's rights it
    keeps at most `capability`. Raises CannotStart."""
    if not user:
        return arguments
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise CannotStart("setpriv is missing: `apt-get install util-linux`")
    capability = "net_bind_service" if low_ports else capability
    kept = f"-all,+{capability}" if capability else "-all"
    entry = pwd.getpwnam(user)
    return (
        setpriv,
        f"--reuid={entry.pw_uid}",
        f"--regid={entry.pw_gid}",
        "--clear-groups",
        f"--inh-caps={kept}",
        f"--ambient-caps={kept}",
        f"--bounding-set={kept}",
        "--no-new-privs",
        "--pdeathsig=KILL",
        *arguments,
    )

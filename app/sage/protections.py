"""What the sage server prepares of its sessions' sandbox: see `sandbox.py` for the rest.

Here is what needs libraries that Sage's Python has not, or must be known before the zygote
runs: whether namespaces can be had, a range of user ids, and the filter of system calls.
"""

from __future__ import annotations

import base64
import errno
import os
import shutil
import socket
import subprocess
import tempfile
from dataclasses import dataclass, field

from app.settings import ROOT, Settings

FIRST_UID, UIDS, BLOCKS = 200_000, 1000, 1000  # a block of user ids per sage server, at least
NAMESPACES = ("--pid", "--fork", "--kill-child", "--mount-proc")
LAST_CALL = 1024  # above every number of a system call there is
REFUSED = """
    acct add_key adjtimex bpf chroot clock_adjtime clock_settime create_module delete_module
    fanotify_init finit_module fsconfig fsmount fsopen fspick get_kernel_syms get_mempolicy
    init_module io_uring_enter io_uring_register io_uring_setup ioperm iopl kcmp
    kexec_file_load kexec_load keyctl lookup_dcookie mbind mknod mknodat modify_ldt mount
    mount_setattr move_mount move_pages name_to_handle_at nfsservctl open_by_handle_at
    open_tree perf_event_open personality pidfd_getfd pivot_root process_madvise
    process_vm_readv process_vm_writev ptrace query_module quotactl quotactl_fd reboot
    request_key set_mempolicy setdomainname sethostname setns settimeofday swapoff swapon
    sysfs syslog umount umount2 unshare uselib userfaultfd ustat vhangup vm86 vm86old
"""
CLONE_NEW = 0x7E020080  # every flag of clone that makes a namespace


@dataclass
class Protections:
    prefix: tuple[str, ...]  # a command to put before the zygote's
    options: dict[str, object]  # for the zygote's sandbox; empty for none
    report: dict[str, str]  # protection: "on", or why not
    claim: socket.socket | None = field(default=None, repr=False)  # of the user ids


def examine(settings: Settings) -> Protections:
    """Find out what this host offers; takes some ten milliseconds."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return Protections((), {}, {"namespaces": "off: util-linux's unshare is not installed"})
    user = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    prefix = (unshare, *user, *NAMESPACES)
    tried = subprocess.run([*prefix, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        return Protections((), {}, {"namespaces": f"off: {tried.stderr.strip()}"})
    report = {"namespaces": "on"}
    filters = {}
    try:
        filters = {"closed": compile_filter(), "open": compile_filter(network=True)}
    except (ImportError, OSError, RuntimeError) as error:
        report["filter of system calls"] = f"off: {error}"
    # Twice: each of them may still be ending while its successor begins.
    spares = settings.sage.spares * (1 + len(settings.kinds))
    first_uid, claim = claim_uids(2 * (settings.sage.max_sessions + spares))
    root = settings.data_dir / "sage" / "root"
    root.mkdir(mode=0o755, parents=True, exist_ok=True)
    options: dict[str, object] = {
        "root": str(root),
        "hidden": [str(ROOT), str(settings.data_dir)],
        "filters": {name: base64.b64encode(bpf).decode() for name, bpf in filters.items()},
        "first_uid": first_uid,
    }
    return Protections((*prefix, "--"), options, report, claim)


def claim_uids(count: int) -> tuple[int, socket.socket]:
    """The first of at least `count` user ids that no other sage server of this host uses.

    The claim is a name that the kernel takes back when we die. Raises OSError.
    """
    blocks = -(-count // UIDS)
    for block in range(0, BLOCKS, blocks):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0salvus-uids-{blocks}-{block}")
        except OSError:
            claim.close()
            continue
        # Servers with other numbers of blocks have a range of their own.
        return FIRST_UID + (blocks * BLOCKS + block) * UIDS, claim
    raise OSError(f"all {BLOCKS} blocks of user ids are in use on this host")


def compile_filter(*, network: bool = False) -> bytes:
    """A BPF program: known system calls pass, dangerous ones fail, unknown ones are unknown.

    Only Unix sockets can be made; with `network` also TCP sockets, which lead nowhere but to
    the server's proxy.
    """
    import pyseccomp as seccomp  # fails where libseccomp is not installed

    rules = seccomp.SyscallFilter(seccomp.ERRNO(errno.ENOSYS))
    refuse = seccomp.ERRNO(errno.EPERM)
    refused = set(REFUSED.split())
    conditional = {"clone", "clone3", "socket"}
    for number in range(LAST_CALL):
        try:
            name = seccomp.resolve_syscall(seccomp.Arch.NATIVE, number)
        except ValueError:
            continue
        name = name.decode() if isinstance(name, bytes) else name
        if name in refused:
            rules.add_rule(refuse, number)
        elif name not in conditional:
            rules.add_rule(seccomp.ALLOW, number)
    harmless = seccomp.Arg(0, seccomp.MASKED_EQ, CLONE_NEW, 0)
    rules.add_rule(seccomp.ALLOW, "clone", harmless)  # clone3 is unknown: libc then takes clone
    kinds = {int(socket.AF_UNIX)} | ({int(socket.AF_INET)} if network else set())
    foreign = seccomp.ERRNO(errno.EAFNOSUPPORT)
    for kind in range(max(kinds) + 1):
        is_it = seccomp.Arg(0, seccomp.EQ, kind)
        rules.add_rule(seccomp.ALLOW if kind in kinds else foreign, "socket", is_it)
    rules.add_rule(foreign, "socket", seccomp.Arg(0, seccomp.GT, max(kinds)))
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()

"""System calls of Linux that Python 3.11 has no functions for. Each raises OSError."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC = 32, 4096, 16384
MNT_DETACH = 2

PR_SET_PDEATHSIG, PR_SET_DUMPABLE = 1, 4
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
PR_SET_NO_NEW_PRIVS = 38

SYS_CAPSET = {"x86_64": 126, "aarch64": 91}
SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
SYS_OPENAT2 = 437  # everywhere
RESOLVE_NO_MAGICLINKS, RESOLVE_BENEATH = 2, 8
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
CAPABILITY_VERSION_3 = 0x20080522
MADV_COLLAPSE = 25  # since Linux 6.1
PROTECTIONS = {"r": 1, "w": 2, "x": 4}
AT_END, LEAST_BLOCK = 16 << 20, 24  # bytes: found at the heap's end only; malloc's smallest
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3

_libc = ctypes.CDLL(None, use_errno=True)


class _Program(ctypes.Structure):
    """struct sock_fprog: a seccomp filter."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def unshare(flags: int) -> None:
    _check(_libc.unshare(flags), "unshare")


def enter_namespace(descriptor: int, kind: int) -> None:
    _check(_libc.setns(descriptor, kind), "setns")


def mount(source: str, target: str, kind: str, flags: int = 0, options: str = "") -> None:
    result = _libc.mount(
        source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode()
    )
    _check(result, f"mount {target}")


def unmount(target: str) -> None:
    _check(_libc.umount2(target.encode(), MNT_DETACH), f"unmount {target}")


def bind(source: str, target: str) -> None:
    """Show the tree `source` at `target`, with what is mounted in it."""
    mount(source, target, "", MS_BIND | MS_REC)


def make_read_only(target: str) -> None:
    """Make a bound tree read-only, without devices and set-user-id programs."""
    kept = os.statvfs(target).f_flag & MS_NOEXEC  # may not be taken off again
    flags = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | kept
    mount("", target, "", flags)


def pivot_root(new: str, old: str) -> None:
    _check(_libc.syscall(_number(SYS_PIVOT_ROOT), new.encode(), old.encode()), "pivot_root")


def open_beneath(folder: int, path: str) -> int:
    """A descriptor for reading what is at `path` in a folder, wherever its links may lead."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    how = struct.pack("QQQ", flags, 0, RESOLVE_NO_MAGICLINKS | RESOLVE_BENEATH)
    found = _libc.syscall(SYS_OPENAT2, folder, path.encode(), how, len(how))
    _check(found, path)
    return int(found)


def bring_up_loopback() -> None:
    """Have 127.0.0.1 in a new network namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", IFF_UP)
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, request)


def drop_capabilities() -> None:
    """Give every capability up."""
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    none = (ctypes.c_uint32 * 6)()
    _check(_libc.syscall(_number(SYS_CAPSET), header, none), "capset")


def no_new_privileges() -> None:
    _check(_libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")


def filter_calls(program: bytes) -> None:
    """Have the kernel judge every further system call by `program`, compiled BPF."""
    filter = _Program(len(program) // 8, program)
    result = _libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(filter), 0, 0)
    _check(result, "seccomp")


def be_readable() -> None:
    """Let a process that changed its user read its own /proc again."""
    _check(_libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), "dumpable")


def choose_heap(*, separate: int, trim: int, grow: int) -> None:
    """How glibc's malloc gets memory. In bytes: from what size on a block is a mapping of its
    own, how much may be free at the heap's end, and how much more than needed it takes there.
    """
    for what, value in (
        (M_MMAP_THRESHOLD, separate), (M_TRIM_THRESHOLD, trim), (M_TOP_PAD, grow),
    ):  # fmt: skip
        _libc.mallopt(what, value)


def fill_heap() -> None:
    """Take every free block of malloc's heap but the one at its end, for ever."""
    _libc.malloc.restype = ctypes.c_void_p
    end = _libc.malloc(AT_END)
    _libc.free(ctypes.c_void_p(end))
    size = AT_END
    while size >= LEAST_BLOCK:
        size -= max(16, size // 8 & ~15)
        while (block := _libc.malloc(ctypes.c_size_t(size))) and block < end:
            pass
        _libc.free(ctypes.c_void_p(block))


def collapse(start: int, length: int) -> None:
    """Have large pages in these addresses, now, wherever something lies in them."""
    result = _libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(length), MADV_COLLAPSE)
    _check(result, "collapse")


def protect(start: int, length: int, rights: str) -> None:
    """Change what may be done at these addresses: `rights` as "rx"."""
    flags = sum(PROTECTIONS[right] for right in rights)
    _check(_libc.mprotect(ctypes.c_void_p(start), ctypes.c_size_t(length), flags), "protect")


def die_with_parent(signal: int) -> None:
    _check(_libc.prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0), "parent-death signal")


def _number(numbers: dict[str, int]) -> int:
    machine = os.uname().machine
    if machine not in numbers:
        raise OSError(f"its system calls are not known on {machine}")
    return numbers[machine]


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")

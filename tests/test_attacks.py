"""A hostile user: what is tried from a cell fails, stays inside, and hurts nobody else."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil
import pytest

from app.sage import cgroups
from app.settings import ROOT
from app.wire.messages_pb2 import Finished, Restart, State
from tests import host
from tests.page_client import PATIENCE, Page, SignedIn
from tests.running_site import RunningSite

REFUSED_CALLS = {  # numbers of x86-64
    "ptrace": 101, "pivot_root": 155, "chroot": 161, "mount": 165, "umount2": 166,
    "init_module": 175, "add_key": 248, "keyctl": 250, "unshare": 272, "perf_event_open": 298,
    "open_by_handle_at": 304, "setns": 308, "process_vm_readv": 310, "bpf": 321,
    "userfaultfd": 323, "io_uring_setup": 425, "open_tree": 428,
}  # fmt: skip
WATCHED = set(cgroups.NAMES.values())  # at intervals, where there are no control groups
DAEMON = "98765"  # seconds that a daemon here would sleep


@pytest.fixture(autouse=True)
def sandboxed(site: RunningSite, person: SignedIn) -> None:
    """These tests need every protection: a host without them is not for hostile users."""
    answer = person.http.get(
        f"{person.origin}/status", headers={"Accept": "application/json"}, timeout=PATIENCE
    )
    found = answer.json()["protection"]
    assert found
    for name, state in found.items():
        if state != "on" and name not in WATCHED:
            host.missing(f"{name} ({state})")


def said(page: Page, code: str) -> str:
    """All that a cell answers: printed text, the text of an error."""
    run = page.start(code)
    page.finish(run)
    errors = [
        f"{frame.traceback.name}: {frame.traceback.value}"
        for frame in page.frames()
        if frame.run == run and frame.HasField("traceback")
    ]
    return page.printed(run) + "\n".join(errors)


def still_works(page: Page) -> None:
    assert said(page, "print(6*7)") == "42\n"


@pytest.mark.parametrize(
    "path",
    ["/etc/shadow", "/root", "{root}/conf/salvus.toml", "{root}/salvus.py", "{data}",
     "{data}/sage", "{data}/token", "{data}/certificates", "{data}/postgresql",
     "/proc/3/environ", "/var/log", "/run", "/sys", "/boot"],
)  # fmt: skip
def test_files_of_the_host_are_not_there(page: Page, site: RunningSite, path: str) -> None:
    path = path.format(root=ROOT, data=site.data_dir)
    assert said(page, f"import os; os.stat({path!r})").startswith("FileNotFoundError")


@pytest.mark.parametrize("path", ["/usr/x", "/etc/x", "/x", "/etc/passwd", "/usr/bin/env"])
def test_the_host_can_not_be_written_to(page: Page, path: str) -> None:
    answer = said(page, f"open({path!r}, 'a')")
    assert answer.startswith(("OSError: [Errno 30]", "PermissionError"))


def test_no_secret_is_inherited(page: Page, site: RunningSite) -> None:
    """Neither in the environment, nor as a descriptor, nor in the memory it was forked with."""
    token = next(site.data_dir.rglob("token")).read_text().strip()
    assert said(page, "import os; print('SALVUS' in str(os.environ))") == "False\n"
    # Four standard streams, the server's socket, a copy of the output, the listing itself.
    assert said(page, "print(len(os.listdir('/proc/self/fd')) <= 7)") == "True\n"
    search = (
        "start, end = TOKEN\nfound = 0\nmemory = open('/proc/self/mem', 'rb', int(0))\n"
        "for line in open('/proc/self/maps'):\n"
        "  first, last = (int(part, 16) for part in line.split()[0].split('-'))\n"
        "  if line.split()[1].startswith('rw') and last - first < 10^9:\n"  # GAP's reserve: empty
        "    memory.seek(first); data = memory.read(last - first)\n"
        "    at = data.find(start)\n"
        "    while at >= 0:\n"
        "      found += data[at + len(start):at + len(start) + len(end)] == end\n"
        "      at = data.find(start, at + 1)\n"
        "print(found)"
    )
    half = len(token) // 2
    parts = (token[:half].encode(), token[half:].encode())
    assert said(page, search.replace("TOKEN", repr(parts))) == "0\n"


def test_other_sessions_can_not_be_seen(page: Page, person: SignedIn) -> None:
    other = Page(person, person.new_worksheet())
    said(other, "open('mine', 'w').write('secret'); secret_word = 'xyzzy'")
    assert said(page, "import os; print(os.path.exists('mine'))") == "False\n"
    assert said(page, "print(sorted(int(p) for p in os.listdir('/proc') if p.isdigit()))") in (
        "[1, 2]\n"
    )
    for what in ("environ", "mem", "root"):
        answer = said(page, f"p = '/proc/1/{what}'\nprint(os.listdir(p) if {what!r} == 'root' "
                            "else open(p, 'rb').read(1))")
        assert answer.startswith("PermissionError"), what
    # Without root it has our user, so this may be looked at; there is nothing in it.
    answer = said(page, "print(all(os.readlink(f'/proc/1/fd/{n}') == '/dev/null'"
                        " for n in os.listdir('/proc/1/fd')))")
    assert answer == "True\n" or answer.startswith("PermissionError")
    said(page, "os.kill(1, 9)")
    said(page, "os.kill(-1, 9)")
    assert said(other, "print(secret_word)") == "xyzzy\n"
    other.close()


@pytest.mark.parametrize("name", REFUSED_CALLS)
def test_dangerous_system_calls_are_refused(page: Page, name: str) -> None:
    code = (
        "import ctypes; libc = ctypes.CDLL(None, use_errno=True)\n"
        f"print(libc.syscall({REFUSED_CALLS[name]}r, 0r, 0r, 0r, 0r, 0r), ctypes.get_errno())"
    )
    assert said(page, code) == "-1 1\n"


def test_no_namespace_can_be_made(page: Page) -> None:
    code = "import subprocess; print(subprocess.run(['unshare', '-U', 'id']).returncode)"
    assert said(page, code).endswith("1\n")
    clone = "import ctypes; print(ctypes.CDLL(None).syscall(56r, 0x10000000r, 0r, 0r, 0r, 0r))"
    assert said(page, clone) == "-1\n"


def test_the_network_is_out_of_reach(page: Page, site: RunningSite) -> None:
    ports = (site.port, int(site.environment["SALVUS_SAGE_PORT"]), 80)
    for address in (*(("127.0.0.1", port) for port in ports), ("192.0.2.1", 80), ("::1", 80)):
        to = f"({address[0]!r}, int({address[1]}))"
        answer = said(page, f"import socket; socket.create_connection({to})")
        assert answer.startswith("OSError: [Errno 97]")
    sockets = [path for path in site.data_dir.rglob("*") if path.is_socket()]
    assert {"control", "socket", ".s.PGSQL.5432"} <= {path.name for path in sockets}
    for path in sockets:  # of the supervisor, memcached, PostgreSQL and others
        answer = said(page, f"socket.socket(socket.AF_UNIX).connect({str(path)!r})")
        assert answer.startswith("FileNotFoundError")
    answer = said(page, "socket.socket(socket.AF_UNIX).connect('\\0salvus-uids-2-0')")
    assert answer.startswith("ConnectionRefusedError")


def test_every_protection_is_listed(site: RunningSite, person: SignedIn) -> None:
    """On the status page and in the log of the start, on or why not."""
    answer = person.http.get(
        f"{person.origin}/status", headers={"Accept": "application/json"}, timeout=PATIENCE
    )
    listed = answer.json()["protection"]
    assert len(listed) >= 12
    log = (site.data_dir / "logs" / "sage-1.log").read_text()
    for name, state in listed.items():
        assert f"protection of sessions: {name}: {state}" in log


def test_a_fork_bomb_stays_inside(page: Page, person: SignedIn) -> None:
    bomb = (
        "import os, time\nchildren = []\ntry:\n  while len(children) < 500:\n"
        "    pid = os.fork()\n    if pid == 0: time.sleep(float(600)); os._exit(int(0))\n"
        "    children.append(pid)\nexcept OSError as error: print(error.errno, len(children))"
    )
    assert said(page, bomb).startswith("11 ")
    other = Page(person, person.new_worksheet())
    still_works(other)
    other.close()
    page.send(restart=Restart())
    page.until_state(State.DEAD)
    still_works(page)


def test_a_memory_bomb_is_an_error_there_alone(page: Page) -> None:
    assert said(page, "b = bytearray(int(4 * 10^9))").startswith("MemoryError")
    still_works(page)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("f = open('big', 'wb')\nfor i in range(100): f.write(bytes(10^6))", "OSError: [Errno 2"),
        ("for i in range(10^4): open(f'f{i}', 'w').close()", "OSError: [Errno 28]"),
        ("files = [open('/dev/null') for i in range(10^6)]", "OSError: [Errno 24]"),
        ("import resource; resource.setrlimit(resource.RLIMIT_NPROC, (10^5, 10^5))", "ValueError"),
        ("import resource; resource.setrlimit(resource.RLIMIT_DATA, (-1, -1))", "ValueError"),
    ],
)
def test_limits_hold(page: Page, code: str, error: str) -> None:
    code = code.replace("10^6)", "int(10^6))").replace("(10^5, 10^5)", "(int(10^5), int(10^5))")
    assert said(page, code.replace("(-1, -1)", "(int(-1), int(-1))")).startswith(error)
    page.send(restart=Restart())
    page.until_state(State.DEAD)
    still_works(page)


def test_a_daemon_does_not_outlive_its_session(page: Page) -> None:
    daemon = f"import os\nos.system('setsid sh -c \"setsid sleep {DAEMON} &\" &')"
    said(page, daemon)
    assert comes_true(lambda: bool(sleepers()))
    page.send(restart=Restart())
    page.until_state(State.DEAD)
    assert comes_true(lambda: not sleepers())


def comes_true(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def sleepers() -> list[int]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if (process.info["cmdline"] or [])[-2:] == ["sleep", DAEMON]:
            found.append(process.pid)
    return found


def test_who_ignores_signals_can_be_ended(page: Page) -> None:
    run = page.start(
        "import signal\nfor s in (signal.SIGINT, signal.SIGTERM): signal.signal(s, signal.SIG_IGN)"
        "\nprint('deaf')\nwhile True: pass"
    )
    page.until(lambda m: "deaf" in m.frame.stream.text)
    page.interrupt(run)
    page.send(restart=Restart())
    assert page.finish(run).reason == "restarted"
    still_works(page)


def test_garbage_in_its_own_connection_ends_only_the_session(page: Page) -> None:
    run = page.start(
        "import os, stat\nfor n in range(3, 20):\n  try:\n"
        "    if stat.S_ISSOCK(os.fstat(n).st_mode): os.write(n, b'\\xff' * int(1000))\n"
        "  except OSError: pass"
    )
    finished = page.finish(run)
    assert finished.status == Finished.DIED
    assert "connection" in finished.reason
    still_works(page)


def test_a_home_that_is_a_trap_catches_nothing(page: Page) -> None:
    answer = said(page, "import os; os.rmdir('/home/user')")
    assert answer.startswith(("OSError", "PermissionError"))
    said(page, "os.symlink('/etc', 'etc'); os.makedirs('a/b/c'); os.chmod('a', int(0))")
    page.send(restart=Restart())
    page.until_state(State.DEAD)
    assert said(page, "import os; print(os.path.lexists('etc'), os.path.exists('a'))") == (
        "False False\n"
    )


def test_random_numbers_differ_between_sessions(page: Page, person: SignedIn) -> None:
    code = (
        "import random as r, numpy\nprint(r.random()); print(numpy.random.random())\n"
        "print(ZZ.random_element(10^20)); print(pari('random(10^20)'))\n"
        "print(libgap.function_factory('Random')(1, 10^15))\n"
        "print(GF(next_prime(10^20)).random_element())"
    )
    other = Page(person, person.new_worksheet())
    ours, theirs = said(page, code).split(), said(other, code).split()
    other.close()
    assert len(ours) == len(theirs) == 6
    assert not set(ours) & set(theirs)


def test_a_flood_of_output_is_cut_and_slows_nobody_down(page: Page, person: SignedIn) -> None:
    run = page.start("while True: print('x' * 10_000)")
    page.until(lambda m: m.frame.HasField("truncated"))
    other = Page(person, person.new_worksheet())
    still_works(other)
    other.close()
    page.interrupt(run)
    assert page.finish(run).status == Finished.INTERRUPTED
    still_works(page)

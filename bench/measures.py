"""What is measured, on either system alike. Times in seconds, memory in MiB."""

from __future__ import annotations

import itertools
import secrets
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import psutil

LINES = "".join(f"{i}\n" for i in range(10**4))
MEBI = 1 << 20
NAME = "measured"  # of a session's process, as it calls itself


class Session(Protocol):
    def type(self, code: str) -> None: ...
    def start(self, code: str) -> str: ...
    def finish(self, order: str) -> str: ...
    def run(self, code: str) -> str: ...
    def read_lines(self, order: str, count: int) -> str: ...
    def reopen(self) -> Session: ...
    def interrupt(self) -> None: ...
    def close(self) -> None: ...
    def end(self) -> None: ...


class System(Protocol):
    name: str

    def open(self) -> Session: ...


def first_result(system: System) -> float:
    """From the first request of a client to the end of `2+2` in its new session."""
    began = time.perf_counter()
    session = system.open()
    session.run("2+2")
    taken = time.perf_counter() - began
    session.end()
    return taken


def burst(system: System, count: int) -> float:
    """`count` clients ask for a session at once: the last one's result."""

    def one(_: int) -> Session:
        session = system.open()
        session.run("2+2")
        return session

    began = time.perf_counter()
    with ThreadPoolExecutor(count) as threads:
        sessions = list(threads.map(one, range(count)))
    taken = time.perf_counter() - began
    for session in sessions:
        session.end()
    return taken


def round_trips(session: Session, count: int = 200) -> list[float]:
    """`1+1`, in a row, from sending to the run's end."""
    times = []
    for _ in range(count):
        began = time.perf_counter()
        session.run("1+1")
        times.append(time.perf_counter() - began)
    return times


def prints(session: Session, how: str = "") -> tuple[float, bool]:
    """10^4 lines: the time, and whether all came, in order. `how`: further arguments of print."""
    began = time.perf_counter()
    printed = session.run(f"for i in range(10^4): print(i{how})")
    return time.perf_counter() - began, printed == LINES


def death(session: Session) -> float:
    """From the end of a session's process to the client's word of it, with what leads there."""
    began = time.perf_counter()
    session.run("import os; os._exit(int(1))")
    return time.perf_counter() - began


def interrupt(session: Session, code: str) -> float:
    """From the request to the end of `code`, which takes for ever."""
    order = session.start(code)
    time.sleep(0.3)
    began = time.perf_counter()
    session.interrupt()
    session.finish(order)
    return time.perf_counter() - began


def flood(session: Session) -> tuple[float, bool]:
    """20 MB of output: MB/s, and whether all came."""
    began = time.perf_counter()
    printed = session.run("for i in range(200): print('x' * 99_999)")
    return 20 / (time.perf_counter() - began), len(printed) == 20_000_000


def incomplete_first_outputs(system: System, count: int) -> int:
    """Of so many fresh sessions, those whose first output is not what was printed."""
    wrong = 0
    for number in range(count):
        session = system.open()
        wrong += session.run(f"for i in range(100): print({number}, i)") != "".join(
            f"{number} {i}\n" for i in range(100)
        )
        session.end()
    return wrong


def lost_by_a_cut(system: System) -> int:
    """Lines that nobody sees, or that come twice: 60 are printed in 3 s, the socket is cut after
    20 of them, and a second later the page is loaded again."""
    session = system.open()
    session.run("2+2")
    code = "import time\nfor i in range(60): print(i); time.sleep(float(0.05))"
    session.type(code)
    order = session.start(code)
    before = session.read_lines(order, 20).splitlines()
    session.close()
    time.sleep(1)
    again = session.reopen()
    after = again.finish(order).splitlines()
    again.end()
    seen = {*before, *after}
    return 60 - len(seen & {str(i) for i in range(60)}) + len(after) - len(set(after))


def evaluations(evaluate: Callable[[str], str], clients: int, seconds: float = 5.0) -> float:
    """One-shot evaluations per second of code that is never the same."""
    numbers = itertools.count(secrets.randbelow(10**9) * 10**6)  # or answers are remembered
    deadline = time.perf_counter() + seconds

    def one(_: int) -> int:
        count = 0
        while time.perf_counter() < deadline:
            number = next(numbers)
            assert evaluate(f"print({number}^2)") == f"{number**2}\n"
            count += 1
        return count

    with ThreadPoolExecutor(clients) as threads:
        return sum(threads.map(one, range(clients))) / seconds


def private_memory(system: System, count: int, code: str = "2+2") -> float:
    """Private memory of one of `count` idle sessions that ran `code`: the mean."""
    sessions = [system.open() for _ in range(count)]
    for session in sessions:
        session.run(code)
        session.run(f"with open('/proc/self/comm', 'w') as f: f.write('{NAME}')")
    time.sleep(1)
    named = [each for each in psutil.process_iter(["name"]) if each.info["name"] == NAME]
    assert len(named) == count
    figures = [_private(process.pid) for process in named]
    for session in sessions:
        session.end()
    return statistics.mean(figures) / MEBI


def _private(pid: int) -> int:
    """Private_Clean + Private_Dirty of a process and its descendants, bytes."""
    total = 0
    for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
        lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
    return total * 1024


def percentile(times: list[float], percent: int) -> float:
    return sorted(times)[min(len(times) - 1, len(times) * percent // 100)]

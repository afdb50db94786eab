"""`python -m bench`: measures Salvus and Jupyter Server in one run and prints a table."""

from __future__ import annotations

import math
import statistics
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import click
from requests import RequestException
from websocket import WebSocketException

from bench import jupyter, measures
from bench.jupyter import Jupyter
from bench.measures import Session, System
from bench.ours import Salvus
from tests.host import short_folder

MILLI = 1000
HARD = "pari(next_prime(10^45) * next_prime(3*10^45)).factor()"
PLOTTED = "plot(sin(x), (x, 0, 1)).show(); integrate(x^2*sin(x), x)"


@dataclass(frozen=True)
class Row:
    what: str
    unit: str
    bar: str
    measure: Callable[[System, Session], float]


def _median_start(system: System, session: Session) -> float:
    count = 20 if system.name == "Salvus" else 5
    return statistics.median(measures.first_result(system) for _ in range(count)) * MILLI


def _burst(system: System, session: Session) -> float:
    return measures.burst(system, 20)


def _p50(system: System, session: Session) -> float:
    return statistics.median(measures.round_trips(session)) * MILLI


def _p99(system: System, session: Session) -> float:
    return measures.percentile(measures.round_trips(session), 99) * MILLI


def _prints(how: str = "") -> Callable[[System, Session], float]:
    def measure(system: System, session: Session) -> float:
        times = [measures.prints(session, how) for _ in range(5)]
        if not all(complete for _, complete in times):
            return math.nan
        return statistics.median(seconds for seconds, _ in times)

    return measure


def _death(system: System, session: Session) -> float:
    times = []
    for _ in range(7):
        victim = system.open()
        victim.run("2+2")
        times.append(measures.death(victim))
    return statistics.median(times) * MILLI


def _flood(system: System, session: Session) -> float:
    speed, complete = measures.flood(session)
    return speed if complete else 0.0


def _interrupt(code: str) -> Callable[[System, Session], float]:
    return lambda system, session: (
        statistics.median(measures.interrupt(session, code) for _ in range(7)) * MILLI
    )


def _memory(count: int, code: str = "2+2") -> Callable[[System, Session], float]:
    return lambda system, session: measures.private_memory(system, count, code)


def _fit(system: System, session: Session) -> float:
    return 8192 / measures.private_memory(system, 50 if system.name == "Salvus" else 1)


def _first_outputs(system: System, session: Session) -> float:
    return measures.incomplete_first_outputs(system, 500 if system.name == "Salvus" else 10)


def _cut(system: System, session: Session) -> float:
    return measures.lost_by_a_cut(system)


def _evaluations(clients: int) -> Callable[[System, Session], float]:
    def measure(system: System, session: Session) -> float:
        assert isinstance(system, Salvus)
        return measures.evaluations(system.evaluate, clients)

    return measure


def _idle_page(system: System, session: Session) -> float:
    """Private memory of the app server for one more open page, of 200."""
    assert isinstance(system, Salvus)
    before = system.app_server_memory()
    pages = [system.open() for _ in range(200)]
    after = system.app_server_memory()
    for page in pages:
        page.close()
    return (after - before) / 200 / 1024


ROWS = {
    "start": Row("new session → first 2+2, median", "ms", "≤ 8", _median_start),
    "burst": Row("20 sessions at once: the last result", "s", "≤ 0.25", _burst),
    "p50": Row("warm 1+1, p50", "ms", "≤ 2", _p50),
    "p99": Row("warm 1+1, p99", "ms", "≤ 5", _p99),
    "prints": Row("for i in range(10^4): print(i)", "s", "≤ 0.05", _prints()),
    "flushed": Row("the same with flush=True", "s", "≤ 0.5", _prints(", flush=True")),
    "flood": Row("20 MB of output (0: incomplete)", "MB/s", "≥ 100", _flood),
    "first": Row("first outputs that are incomplete, of 500 (10)", "", "0", _first_outputs),
    "cut": Row("of 60 lines, lost or repeated by a cut", "", "0", _cut),
    "interrupt": Row("interrupt while True: pass", "ms", "≤ 10", _interrupt("while True: pass")),
    "factor": Row("interrupt a factorisation in PARI", "ms", "≤ 70", _interrupt(HARD)),
    "death": Row("session dies → told", "ms", "≤ 50", _death),
    "memory1": Row("private memory, 1 idle session", "MiB", "≤ 8", _memory(1)),
    "memory10": Row("private memory each, 10 idle", "MiB", "≤ 8", _memory(10)),
    "memory50": Row("private memory each, 50 idle", "MiB", "≤ 8", _memory(50)),
    "fit": Row("sessions that fit in 8 GiB", "", "≥ 700", _fit),
    "plotted": Row("private memory after a plot, an integral", "MiB", "≤ 25", _memory(1, PLOTTED)),
    "once1": Row("one-shot evaluations, 1 client", "1/s", "≥ 200", _evaluations(1)),
    "once4": Row("one-shot evaluations, 4 clients", "1/s", "≥ 200", _evaluations(4)),
    "once8": Row("one-shot evaluations, 8 clients", "1/s", "≥ 200", _evaluations(8)),
    "page": Row("app server's memory of an idle page", "KiB", "≤ 40", _idle_page),
}
# Gigabytes for the same figure; a run that never ends; another kind of server; no such thing.
NOT_FOR_JUPYTER = ("memory10", "memory50", "death", "page", "once1", "once4", "once8")


@click.command()
@click.option("--only", multiple=True, type=click.Choice(list(ROWS)), help="Measure only this.")
@click.option("--no-jupyter", is_flag=True, help="Measure Salvus alone.")
def main(only: tuple[str, ...], no_jupyter: bool) -> None:
    """Measure Salvus and Jupyter Server with the Sage kernel side by side (about 3 minutes)."""
    with ExitStack() as stack:
        click.echo("starting Salvus …", err=True)
        systems: list[System] = [stack.enter_context(Salvus(stack.enter_context(short_folder())))]
        if not no_jupyter:
            click.echo("starting Jupyter Server …", err=True)
            jupyter.install()
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            systems.append(stack.enter_context(Jupyter(folder)))
        sessions = [system.open() for system in systems]
        for session in sessions:
            session.run("2+2")
        click.echo(f"| {'what':38} | unit | {'bar':6} | Salvus | Jupyter | ratio |")
        click.echo(f"|{'-' * 40}|------|--------|-------:|--------:|------:|")
        for key in only or ROWS:
            _print_row(key, systems, sessions)


def _print_row(key: str, systems: list[System], sessions: list[Session]) -> None:
    row = ROWS[key]
    figures = []
    for system, session in zip(systems, sessions, strict=True):
        if system.name == "Salvus" or key not in NOT_FOR_JUPYTER:
            try:
                figures.append(row.measure(system, session))
            except (WebSocketException, RequestException) as error:
                click.echo(f"{system.name}, {row.what}: {error}", err=True)
                figures.append(math.nan)
    ours = f"{figures[0]:.3g}"
    theirs = f"{figures[1]:.4g}" if len(figures) > 1 else ""
    ratio = ""
    if len(figures) > 1 and all(figures):
        better = figures[0] / figures[1] if row.bar.startswith("≥") else figures[1] / figures[0]
        ratio = f"{better:.3g}"
    click.echo(
        f"| {row.what:38} | {row.unit:4} | {row.bar:6} | {ours:>6} | {theirs:>7} | {ratio:>5} |"
    )


if __name__ == "__main__":
    main()

"""`python -m bench.soak`: sessions start and end for minutes; what they leave is told."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import click

from app.wire.messages_pb2 import End, Finished, State
from tests.host import short_folder
from tests.page_client import Page, SignedIn
from tests.running_site import RunningSite, supervised

CODE = "print('x' * 1000); m = matrix(20, 20, range(400)); m.rank()"
SETTLE = 5.0  # seconds for what has ended to be buried
MEBI = 1 << 20


@dataclass(frozen=True)
class Holdings:
    """What the site's processes hold; sessions and their spares left out."""

    memory: float  # private, MiB
    files: int
    files_of_postgresql: int  # which keeps tables open that it has read
    processes: int


def look(site: RunningSite) -> Holdings:
    everything = site.processes()
    sessions = {each.pid for each in site.processes("sleep infinity")}
    own = [each for each in everything if each.pid not in sessions]
    keepers = [each for each in own if "app.sage.zygote" not in " ".join(each.cmdline())]
    return Holdings(
        memory=sum(each.memory_full_info().uss for each in keepers) / MEBI,
        files=sum(each.num_fds() for each in keepers if each.name() != "postgres"),
        files_of_postgresql=sum(each.num_fds() for each in keepers if each.name() == "postgres"),
        processes=len(everything),
    )


def live(person: SignedIn, until: float) -> int:
    """Start and end sessions until then; how many."""
    count = 0
    while time.monotonic() < until:
        page = Page(person, person.new_worksheet())
        finished = page.run(CODE)
        if finished.status != Finished.OK or not page.printed().startswith("xxx"):
            raise click.ClickException(f"a run went wrong: {finished} {page.printed()!r}")
        page.send(end=End())
        page.until_state(State.DEAD)
        page.close()
        count += 1
    return count


@click.command()
@click.option("--minutes", default=10.0, show_default=True, help="How long.")
@click.option("--sessions", default=20, show_default=True, help="How many at a time.")
def main(minutes: float, sessions: int) -> None:
    """Start and end sessions for a while, and compare what the site holds before and after."""
    with short_folder() as folder:
        site = supervised(folder, sage_max_sessions="200", limits_sessions="200")
        site.start()
        person = SignedIn(site.address)
        with ThreadPoolExecutor(sessions) as threads:
            until = time.monotonic() + 10  # the first seconds fill caches and pools
            list(threads.map(lambda _: live(person, until), range(sessions)))
            time.sleep(SETTLE)
            before = look(site)
            until = time.monotonic() + 60 * minutes
            counts = list(threads.map(lambda _: live(person, until), range(sessions)))
        time.sleep(SETTLE)
        after = look(site)
        site.stop()
    click.echo(f"{sum(counts)} sessions in {minutes:g} minutes, {sessions} at a time")
    click.echo("| | before | after |\n|---|--:|--:|")
    click.echo(f"| private memory of the site's own processes, MiB | {before.memory:.0f} | "
               f"{after.memory:.0f} |")
    click.echo(f"| open files, PostgreSQL's aside | {before.files} | {after.files} |")
    click.echo(f"| open files of PostgreSQL | {before.files_of_postgresql} | "
               f"{after.files_of_postgresql} |")
    click.echo(f"| processes | {before.processes} | {after.processes} |")


if __name__ == "__main__":
    main()

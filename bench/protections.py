"""`python -m bench.protections`: what each protection adds to the forking of a session."""

from __future__ import annotations

from app import green

green.activate()

import dataclasses
import os
import socket
import statistics
import time
import uuid
from pathlib import Path

import click
from gevent.event import AsyncResult

from app.sage import protections
from app.sage.pool import bounds_of
from app.sage.protections import Protections
from app.sage.spawner import Listeners, Spawner
from app.settings import Settings
from app.wire.messages_pb2 import Fork, Ready
from tests.host import settings_in, short_folder

FORKS = 40
MARK = bytes(16)


class Zygote:
    """One zygote, asked for sessions that are ended as soon as they are ready."""

    def __init__(self, settings: Settings, found: Protections, folder: Path) -> None:
        self._ready: AsyncResult[Ready] = AsyncResult()
        (folder / "homes").mkdir(parents=True, exist_ok=True)
        self._spawner = Spawner(
            settings=settings,
            protections=found,
            folder=folder,
            listeners=Listeners(
                on_ready=lambda spawner, ready: self._ready.set(ready),
                on_exit=lambda session, reason: None,
                on_gone=lambda spawner, why: None,
            ),
        )
        self._bounds = bounds_of(settings.limits)
        self._spawner.start()
        ready = self._ready.get(timeout=120)
        assert ready is not None
        self.report = dict(ready.protections)

    def fork_seconds(self, number: int) -> float | None:
        """From the order to the session's first byte; None if it died instead."""
        order = Fork(
            session=str(uuid.uuid4()), mark=MARK, number=number, bounds=self._bounds
        )
        began = time.perf_counter()
        connection, output = self._spawner.fork(order, [])
        said, descriptors, _, _ = socket.recv_fds(connection, 1, 8)
        taken = time.perf_counter() - began
        for descriptor in descriptors:
            os.close(descriptor)
        connection.close()
        os.close(output)
        return taken if said else None

    def close(self) -> None:
        self._spawner.close()


@click.command()
def main() -> None:
    """Measure forking without a sandbox, and with all but one protection, beside all of them."""
    with short_folder() as folder:
        settings = settings_in(folder, sage_warm_up="false")
        found = protections.examine(settings)
        whole = Zygote(settings, found, folder / "sage")
        click.echo("| without | fork to ready, ms | with all, ms | difference, ms |")
        click.echo("|---|--:|--:|--:|")
        _compare("any protection", settings, Protections((), {}, {}), whole, folder)
        for name in (name for name, state in whole.report.items() if state == "on"):
            options = {**found.options, "without": [name]}
            some = dataclasses.replace(found, options=options)
            _compare(name, settings, some, whole, folder)
        whole.close()


def _compare(
    name: str, settings: Settings, found: Protections, whole: Zygote, folder: Path
) -> None:
    """A row: medians of forks made in turn, so that both saw the same machine."""
    some = Zygote(settings, found, folder / "sage")
    pairs = [(some.fork_seconds(number), whole.fork_seconds(number)) for number in range(FORKS)]
    some.close()
    less = [one for one, _ in pairs if one is not None]
    more = statistics.median(other for _, other in pairs if other is not None) * 1000
    if len(less) < FORKS:
        click.echo(f"| {name} | others need it | | |")
        return
    without = statistics.median(less) * 1000
    click.echo(f"| {name} | {without:.1f} | {more:.1f} | {more - without:.1f} |")


if __name__ == "__main__":
    main()

"""Salvus, asked as a page asks it: over HTTP and its WebSocket."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import psutil

from tests.page_client import Page, SignedIn
from tests.running_site import RunningSite, supervised


class Salvus:
    """A whole site of the bench's own, in `folder`."""

    name = "Salvus"

    def __init__(self, folder: Path) -> None:
        self._site: RunningSite = supervised(folder, sage_warm_up="true")
        self._person: SignedIn | None = None

    def __enter__(self) -> Salvus:
        self._site.start()
        self._person = SignedIn(self._site.address)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._site.stop()

    def open(self) -> Worksheet:
        assert self._person is not None
        return Worksheet(Page(self._person, self._person.new_worksheet()))

    def session_processes(self) -> list[psutil.Process]:
        """Sessions, the spares included: children of the zygote, oldest first.

        The first process of each one's pid namespace, a `sleep`, has 0.1 MiB and is left out.
        """
        python = [each for each in self._site.processes("-m app.sage.zygote") if _is_python(each)]
        return [each for each in python[0].children() if _is_python(each)]


def _is_python(process: psutil.Process) -> bool:
    return "python" in Path(process.exe()).name


class Worksheet:
    """One session."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def start(self, code: str) -> str:
        self._page.messages.clear()
        return self._page.start(code)

    def finish(self, order: str) -> str:
        """Wait for the run's end; everything that was printed."""
        self._page.finish(order)
        return self._page.printed(order)

    def run(self, code: str) -> str:
        return self.finish(self.start(code))

    def interrupt(self) -> None:
        self._page.interrupt()

    def end(self) -> None:
        """End the process: a worksheet that is left keeps its session."""
        self.run("import os; os._exit(0)")
        self._page.close()

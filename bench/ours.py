"""Salvus, asked as a page asks it: over HTTP and its WebSocket."""

from __future__ import annotations

import uuid
from pathlib import Path
from types import TracebackType

import requests

from tests.page_client import PATIENCE, Page, SignedIn
from tests.running_site import RunningSite, supervised


class Salvus:
    """A whole site of the bench's own, in `folder`."""

    name = "Salvus"

    def __init__(self, folder: Path) -> None:
        self._site: RunningSite = supervised(
            folder,
            sage_warm_up="true",
            sage_max_sessions="500",
            limits_sessions="500",
            service_anonymous="true",
            service_runs_per_minute="1000000",
        )
        self._person: SignedIn | None = None
        self._origin = ""

    def __enter__(self) -> Salvus:
        self._site.start()
        self._person = SignedIn(self._site.address)
        self._origin = self._person.origin
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
        return Worksheet(self._person, self._person.new_worksheet())

    def evaluate(self, code: str) -> str:
        """What `POST /service` says was printed."""
        answer = requests.post(f"{self._origin}/service", data={"code": code}, timeout=PATIENCE)
        answer.raise_for_status()
        return str(answer.json()["stdout"])

    def app_server_memory(self) -> int:
        """Bytes that its worker shares with nobody."""
        return int(self._site.processes("gunicorn")[-1].memory_full_info().uss)


class Worksheet:
    """One session."""

    def __init__(self, person: SignedIn, worksheet: str) -> None:
        self._person = person
        self._page = Page(person, worksheet)
        self._cell = ""

    def type(self, code: str) -> None:
        """Into a cell, which is saved; what is started from now on is run in it."""
        self._cell = str(uuid.uuid4())
        self._page.save(self._cell, code)

    def start(self, code: str) -> str:
        self._page.messages.clear()
        return self._page.start(code, cell=self._cell)

    def finish(self, order: str) -> str:
        """Wait for the run's end; everything that was printed."""
        self._page.finish(order)
        return self._page.printed(order)

    def run(self, code: str) -> str:
        return self.finish(self.start(code))

    def read_lines(self, order: str, count: int) -> str:
        """What was printed once there are so many lines of it."""
        while self._page.printed(order).count("\n") < count:
            self._page.receive()
        return self._page.printed(order)

    def reopen(self) -> Worksheet:
        """The page, loaded again."""
        return Worksheet(self._person, self._page.worksheet)

    def interrupt(self) -> None:
        self._page.interrupt()

    def close(self) -> None:
        """Close the page; the session lives on."""
        self._page.close()

    def end(self) -> None:
        """End the process: a worksheet that is left keeps its session."""
        self.run("import os; os._exit(0)")
        self._page.close()

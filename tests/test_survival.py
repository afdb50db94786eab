"""Any one process is killed: nothing seen is lost, nothing is doubled, nothing is left."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator

import pytest
import requests
import websocket

from app.settings import ROOT
from app.wire.messages_pb2 import Finished
from tests import host
from tests.page_client import PATIENCE, Page, SignedIn
from tests.running_site import RunningSite, kill_all, supervised

LINES = "from time import sleep as nap\nfor i in range(60): print(i); nap(float(0.05))"
EXPECTED = "".join(f"{i}\n" for i in range(60))


@pytest.fixture
def fragile() -> Iterator[RunningSite]:
    """A site of the test's own, to break."""
    if not (ROOT / ".venv-sage" / "bin" / "python").exists():
        host.missing("Sage (.venv-sage)")
    with host.short_folder() as folder:
        running = supervised(folder)
        running.start()
        yield running
        running.stop()


def come_back(person: SignedIn, worksheet: str, session: str = "", after: int = 0) -> Page:
    """A page that tries until the site is there again, as a real one does."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return Page(person, worksheet, session=session, after=after)
        except (OSError, websocket.WebSocketException, requests.RequestException):
            assert time.monotonic() < deadline, "the site did not come back"
            time.sleep(0.2)


def test_a_killed_app_server_loses_no_line(fragile: RunningSite) -> None:
    person = SignedIn(fragile.address)
    page = Page(person, person.worksheet)
    cell = str(uuid.uuid4())
    page.save(cell, LINES)
    run = page.start(LINES, cell=cell)
    page.until(lambda m: "9\n" in m.frame.stream.text)
    kill_all(fragile.processes("gunicorn"))
    with pytest.raises((websocket.WebSocketException, OSError)):
        while True:
            page.receive()
    last = [frame for frame in page.frames() if frame.run == run][-1]
    back = come_back(person, page.worksheet, last.session, last.seq)
    assert back.finish(run).status == Finished.OK
    assert page.printed(run) + back.printed(run) == EXPECTED
    back.close()

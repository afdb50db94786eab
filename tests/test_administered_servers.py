"""What is done to people reaches all sage servers of a site, one that was away when it is back."""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import gevent
import psutil
import pytest
import websocket

from tests import host
from tests.page_client import PATIENCE, Page, SignedIn
from tests.running_site import RunningSite, supervised
from tests.test_people_page import PASSWORD, unique

BUSY = "print('busy', flush=True)\nwhile True: pass"
MOST = 12  # worksheets, until both servers have a session


@pytest.fixture(scope="module")
def site() -> Iterator[RunningSite]:
    host.needs_sage()
    with host.short_folder() as folder:
        running = supervised(folder, sage_count="2", sage_spares="1", limits_sessions="20")
        running.start()
        yield running
        running.stop()


class Busy:
    """Somebody who computes without an end on both sage servers."""

    def __init__(self, site: RunningSite) -> None:
        self._site = site
        self.name = unique("Eve")
        token = site.run("invite").strip().rpartition("/")[2]
        person = SignedIn(site.new_address())
        person.http.cookies.clear()
        answer = person.http.post(
            f"{person.origin}/join/{token}",
            data={"name": self.name, "login": self.name, "password": PASSWORD},
            headers={"Origin": person.origin},
            timeout=PATIENCE,
        )
        answer.raise_for_status()
        self.pages: list[Page] = []
        while len(set(self.sessions().values())) < 2:
            assert len(self.pages) < MOST
            self.pages.append(Page(person, person.new_worksheet()))
            self.pages[-1].start(BUSY)
            self.pages[-1].until(lambda message: "busy" in message.frame.stream.text)
            with gevent.Timeout(PATIENCE):
                while len(self.sessions()) < len(self.pages):
                    gevent.sleep(0.1)

    def sessions(self) -> dict[str, str]:
        """Those that live, with their servers."""
        found = json.loads(self._site.run("sessions", "--json"))
        return {one["id"]: one["server"] for one in found if one["name"] == self.name}

    def journals(self, sessions: dict[str, str]) -> list[Path]:
        places = self._site.data_dir.rglob("*.journal")
        return [path for path in places if path.stem in sessions]

    def cut_off(self) -> None:
        """Wait until every page is."""
        for page in self.pages:
            with pytest.raises((websocket.WebSocketConnectionClosedException, OSError)):
                page.until(lambda message: False)


def test_sessions_of_who_is_disabled_end_on_every_server(site: RunningSite) -> None:
    somebody = Busy(site)
    began = somebody.sessions()
    assert len(somebody.journals(began)) == len(began)
    site.run("disable", somebody.name, "--because", "It was shared.")
    somebody.cut_off()
    with gevent.Timeout(PATIENCE):
        while somebody.sessions() or somebody.journals(began):
            gevent.sleep(0.2)


def test_a_server_that_stands_still_deletes_when_it_goes_on(site: RunningSite) -> None:
    somebody = Busy(site)
    began = somebody.sessions()
    port = sorted(began.values())[0].rpartition(":")[2]
    [away] = [
        process for process in site.processes("salvus.py sage")
        if process.environ().get("SALVUS_SAGE_PORT") == port
    ]  # fmt: skip
    away.send_signal(signal.SIGSTOP)
    try:
        site.run("delete", somebody.name, "--yes")
        assert somebody.name not in site.run("people")
        assert somebody.journals({id: at for id, at in began.items() if at.endswith(f":{port}")})
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):  # its supervisor has lost patience
            away.send_signal(signal.SIGCONT)
    with gevent.Timeout(2 * PATIENCE):
        while somebody.journals(began) or json.loads(site.run("sessions", "--json")):
            gevent.sleep(0.2)
    somebody.cut_off()

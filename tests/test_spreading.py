"""Sessions are spread over sage servers by what their monitors say, on a real site."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import gevent
import psycopg2
import pytest
import requests

from app.settings import read
from app.token import site_token
from app.wire.messages_pb2 import End
from supervisor.postgresql import database_url
from tests import host
from tests.page_client import PATIENCE, Page, SignedIn
from tests.running_site import RunningSite, supervised

APP_SERVERS = 2
CROWD = 12  # sessions that make a server busy, where another has none


@pytest.fixture(scope="module")
def site() -> Iterator[RunningSite]:
    """Two app servers and two sage servers, each of which evaluates one thing at a time."""
    host.needs_sage()
    with host.short_folder() as folder:
        running = supervised(
            folder,
            app_count=str(APP_SERVERS),
            sage_count="2",
            limits_sessions="100",
            monitor_interval="0.5",
            service_at_once="1",
        )
        running.start()
        yield running
        running.stop()


class Person:
    def __init__(self, site: RunningSite) -> None:
        self._site = site
        self._signed_in = SignedIn(site.new_address())
        self.pages: list[Page] = []

    def run(self, number: int) -> str:
        """Begin a session through an app server; the sage server that it is at."""
        self._signed_in.origin = f"http://127.0.0.1:{self._site.port + number % APP_SERVERS}"
        page = Page(self._signed_in, self._signed_in.new_worksheet())
        self.pages.append(page)
        page.run("1 + 1")
        with gevent.Timeout(PATIENCE):
            while (server := servers(self._site).get(page.worksheet)) is None:
                gevent.sleep(0.02)
        return server

    def end(self, worksheets: set[str]) -> None:
        for page in self.pages:
            if page.worksheet in worksheets:
                page.send(end=End())

    def close(self) -> None:
        for page in self.pages:
            page.close()


def servers(site: RunningSite) -> dict[str, str]:
    """Where the live session of each worksheet is, as recorded."""
    with (
        closing(psycopg2.connect(_url(site))) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT worksheet::text, server FROM sessions WHERE ended IS NULL")
        return dict(cursor.fetchall())


def _url(site: RunningSite) -> str:
    return database_url(read(environment=site.environment))


def until_monitors_say(site: RunningSite, wanted: Counter[str]) -> None:
    """How many sessions each sage server has, in two samples after the other."""
    with gevent.Timeout(PATIENCE):
        for _ in range(2):
            while measured(site) != wanted:
                gevent.sleep(0.2)
            gevent.sleep(1)


def measured(site: RunningSite) -> Counter[str]:
    with (
        closing(psycopg2.connect(_url(site))) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "SELECT address || ':' || port, (SELECT sessions FROM status"
            " WHERE service = services.id ORDER BY time DESC LIMIT 1)"
            " FROM services WHERE running AND type = 'sage'"
        )
        return Counter({address: count or 0 for address, count in cursor.fetchall()})


def test_new_sessions_go_where_few_are(site: RunningSite) -> None:
    person = Person(site)
    placed: Counter[str] = Counter()
    while len(placed) < 2 or max(placed.values()) < CROWD or min(placed.values()) < CROWD / 3:
        assert placed.total() < 5 * CROWD  # they are spread, so soon both have some
        placed[person.run(placed.total())] += 1
    (busy, crowd), (quiet, _) = placed.most_common()
    person.end({sheet for sheet, server in servers(site).items() if server == quiet})
    until_monitors_say(site, Counter({busy: crowd, quiet: 0}))
    assert [person.run(number) for number in range(5)] == [quiet] * 5
    person.close()


def test_what_one_server_refuses_another_evaluates(site: RunningSite) -> None:
    token = site_token(site.data_dir)

    def evaluate(number: int) -> requests.Response:
        return requests.post(
            f"http://127.0.0.1:{site.port}/service",
            data={"code": f"import time; time.sleep(1); print({number}, '{uuid.uuid4()}')"},
            headers={"Authorization": f"Bearer {token}"},
            timeout=PATIENCE,
        )

    for _ in range(3):  # else chance would send both to the right ones half the time
        both = [gevent.spawn(evaluate, number) for number in range(2)]
        answers = [one.get(timeout=PATIENCE) for one in both]
        assert [answer.status_code for answer in answers] == [200, 200]

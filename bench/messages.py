"""`python -m bench.messages`: messages from browser to browser through two app servers, and what
open pages cost.

Pages are real ones of the protocol (HTTP, WebSocket), all of them at one worksheet or each at its
own; app servers, sage server, PostgreSQL and memcached are a whole site's. HAProxy is not asked.
"""

from __future__ import annotations

from app import green

green.activate()

import resource
import statistics
import time
import uuid

import click
import gevent
import psutil
import websocket

from app.wire.messages_pb2 import Attach, Hello, Message
from tests import host
from tests.page_client import PATIENCE, Page, SignedIn
from tests.running_site import RunningSite, kill_all, supervised
from tests.test_two_servers import EXPECTED, Follower

MESSAGES = 500
WAIT_SECONDS = 3.0  # until pages that were opened are at rest
LINES = 2000


class Site:
    def __init__(self, running: RunningSite) -> None:
        self._running = running
        tokens = [running.new_address().partition("/?")[2] for _ in range(2)]
        self.people = [
            SignedIn(f"http://127.0.0.1:{running.port + number}/?{token}")
            for number, token in enumerate(tokens)
        ]

    def pair(self) -> tuple[Page, Page]:
        """Two pages with one worksheet, each at another app server."""
        sheet = self.people[0].new_worksheet()
        pages = Page(self.people[0], sheet), Page(self.people[1], sheet)
        for page in pages:
            page.until(lambda message: message.HasField("state"))
        return pages

    def memory(self, number: int) -> int:
        """Bytes that the worker of an app server shares with nobody."""
        port = str(self._running.port + number)
        workers = [
            one
            for one in self._running.processes("gunicorn")
            if one.environ().get("SALVUS_APP_PORT") == port
        ]
        return max(int(one.memory_full_info().uss) for one in workers)

    def descriptors(self, number: int) -> int:
        port = str(self._running.port + number)
        return max(
            psutil.Process(one.pid).num_fds()
            for one in self._running.processes("gunicorn")
            if one.environ().get("SALVUS_APP_PORT") == port
        )


def latency(site: Site) -> list[float]:
    """Seconds from a page that says where it is to a page at the other app server, sorted."""
    one, other = site.pair()
    found = []
    for number in range(MESSAGES):
        mark = f"{number}".encode()
        began = time.perf_counter()
        one.send(here={"anchor": mark})
        other.until(lambda message, mark=mark: message.here.anchor == mark)  # type: ignore[misc]
        found.append(time.perf_counter() - began)
        gevent.sleep(0.06)  # more often than that nobody is told
    one.close()
    other.close()
    return sorted(found)


def saves(site: Site) -> tuple[float, float]:
    """Edits a second that go from one page to the other, and their median latency in seconds."""
    one, other = site.pair()
    cell = str(uuid.uuid4())
    began = time.perf_counter()
    sent: list[float] = []
    found: list[float] = []

    def read() -> None:
        for number in range(MESSAGES):
            other.until(lambda message, number=number: message.cell.code == f"x = {number}")  # type: ignore[misc]
            found.append(time.perf_counter() - sent[number])

    reading = gevent.spawn(read)
    for number in range(MESSAGES):
        sent.append(time.perf_counter())
        one.save(cell, f"x = {number}")
        one.until(lambda message: message.HasField("cell_saved"))
    reading.get(timeout=PATIENCE)
    seconds = time.perf_counter() - began
    one.close()
    other.close()
    return MESSAGES / seconds, statistics.median(found)


def under_load(site: Site, streams: int) -> list[float]:
    """As `latency`, while so many other worksheets stream output through both app servers."""
    busy = [site.pair() for _ in range(streams)]
    code = f"for i in range({LINES}): print('x' * 200, flush=True)"
    greenlets = []
    for pages in busy:
        run = pages[0].start(code)
        greenlets += [gevent.spawn(page.finish, run) for page in pages]
    found = latency(site)
    gevent.joinall(greenlets, timeout=PATIENCE)
    for pages in busy:
        for page in pages:
            page.close()
    return found


class Timed(Follower):
    """A page that knows when it was back after it was cut off."""

    back = 0.0

    def _returned(self, session: str, after: int) -> Page:
        found = super()._returned(session, after)
        self.back = time.monotonic()
        return found


def returned(running: RunningSite) -> tuple[int, float]:
    """How many of 20 pages were cut off by the end of an app server, and the seconds until the
    last of them was back at the other, through HAProxy."""
    ca = running.data_dir / "certificates" / "ca.pem"
    user = SignedIn(running.new_address(), ca=ca)
    pages = [Timed(user) for _ in range(20)]
    while not all("3\n" in each.printed for each in pages):
        gevent.sleep(0.05)
    port = str(running.port)
    victims = running.processes("gunicorn")
    kill_all([one for one in victims if one.environ().get("SALVUS_APP_PORT") == port])
    killed = time.monotonic()
    for page in pages:
        page.finish()
    assert all(page.printed == EXPECTED for page in pages)
    back = [page.back - killed for page in pages if page.returns]
    return len(back), max(back, default=0.0)


def open_pages(site: Site, count: int, number: int) -> list[websocket.WebSocket]:
    """Pages that say hello and attach, and then nothing, five with each worksheet."""
    person = site.people[number]
    sheets = [person.new_worksheet() for _ in range(max(1, count // 5))]
    hello = Message(hello=Hello(version=1, role="browser")).SerializeToString()
    found: list[websocket.WebSocket] = []

    def come(sheet: str) -> None:
        socket = websocket.create_connection(
            f"{person.origin.replace('http', 'ws', 1)}/socket/{sheet}",
            origin=person.origin, cookie=person.cookie(), timeout=PATIENCE,
        )  # fmt: skip
        socket.send_binary(hello)
        socket.send_binary(Message(attach=Attach(worksheet=sheet)).SerializeToString())
        while not Message.FromString(socket.recv()).HasField("state"):  # type: ignore[arg-type]
            pass
        found.append(socket)

    pending = list(range(count))
    while pending:
        batch, pending = pending[:50], pending[50:]
        jobs = [gevent.spawn(come, sheets[one % len(sheets)]) for one in batch]
        gevent.joinall(jobs, timeout=PATIENCE, raise_error=True)
    gevent.sleep(WAIT_SECONDS)
    return found


def costs(site: Site, steps: list[tuple[int, int]]) -> None:
    """`steps`: so many more pages on an app server of this number."""
    opened: list[websocket.WebSocket] = []
    for number in (0, 1):  # what the first pages bring is not theirs alone
        opened += open_pages(site, 50, number)
    before = [site.memory(number) for number in (0, 1)]
    files = [site.descriptors(number) for number in (0, 1)]
    count = 0
    for more, number in steps:
        opened += open_pages(site, more, number)
        count += more
        used = sum(site.memory(each) - before[each] for each in (0, 1))
        held = sum(site.descriptors(each) - files[each] for each in (0, 1))
        print(
            f"  {count:6} idle pages on {number + 1} app server(s):"
            f" {used / count / 1024:5.1f} KiB and {held / count:.2f} open files each",
            flush=True,
        )
    for socket in opened:
        socket.shutdown()  # type: ignore[no-untyped-call]


def milliseconds(found: list[float]) -> str:
    last = found[int(0.99 * (len(found) - 1))]
    return f"p50 {1000 * statistics.median(found):.1f} ms, p99 {1000 * last:.1f} ms"


@click.command()
@click.option("--pages", default=5000, show_default=True, help="The most on one app server.")
def main(pages: int) -> None:
    """Measure messages between app servers, and what open pages cost."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with host.short_folder() as folder:
        running = supervised(
            folder,
            app_count="2",
            limits_sessions="500",
            app_port=str(host.free_ports(2)),
            haproxy_host="127.0.0.1",
            haproxy_port=str(host.free_port()),
        )
        running.port = int(running.environment["SALVUS_APP_PORT"])
        running.start()
        try:
            site = Site(running)
            print(f"from page to page, through two app servers: {milliseconds(latency(site))}")
            each, median = saves(site)
            print(f"edits, stored and shown there: {each:.0f}/s, p50 {1000 * median:.1f} ms")
            loaded = milliseconds(under_load(site, 10))
            print(f"while 10 worksheets stream to 20 pages: {loaded}")
            cut_off, seconds = returned(running)
            print(f"an app server killed: the last of {cut_off} pages back after {seconds:.2f} s")
            costs(site, [(pages // 5, 0), (pages - pages // 5, 0), (pages, 1)])
        finally:
            running.stop()


if __name__ == "__main__":
    main()

"""Sessions have no network, or just what the site allows: rules as tables, and a real site."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import h11
import pytest

from app.sage.proxy import Destination, Refusal, destination_of, is_trustworthy, may_reach
from tests import host
from tests.page_client import Page, SignedIn
from tests.running_site import RunningSite, supervised

RULES = ("pypi.org:443", "*.example.org:80", "10.0.0.7:5432", "[::1]:8080")


@pytest.mark.parametrize(
    ("name", "port", "rule"),
    [
        ("pypi.org", 443, "pypi.org:443"),
        ("pypi.org", 80, None),
        ("evilpypi.org", 443, None),
        ("a.example.org", 80, "*.example.org:80"),
        ("a.b.example.org", 80, "*.example.org:80"),
        ("example.org", 80, None),
        ("badexample.org", 80, None),
        ("10.0.0.7", 5432, "10.0.0.7:5432"),
        ("::1", 8080, "[::1]:8080"),
        ("127.0.0.1", 443, None),
    ],
)
def test_what_may_be_reached(name: str, port: int, rule: str | None) -> None:
    if rule is not None:
        assert may_reach(Destination(name, port), RULES) == rule
        return
    with pytest.raises(Refusal, match="is not among what this site allows") as bad:
        may_reach(Destination(name, port), RULES)
    assert bad.value.status == 403


@pytest.mark.parametrize(
    ("address", "rule", "trusted"),
    [
        ("151.101.0.223", "pypi.org:443", True),
        ("127.0.0.1", "pypi.org:443", False),
        ("169.254.169.254", "pypi.org:443", False),
        ("::1", "pypi.org:443", False),
        ("10.1.2.3", "git.department.example:443", True),
        ("10.1.2.3", "*.example.org:443", False),
        ("127.0.0.1", "127.0.0.1:8000", True),
        ("127.0.0.1", "localhost:8000", True),
    ],
)
def test_a_name_can_not_stand_for_this_host(address: str, rule: str, trusted: bool) -> None:
    assert is_trustworthy(address, rule) is trusted


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("CONNECT", "PyPI.org:443", Destination("pypi.org", 443)),
        ("GET", "http://a.org/x?y", Destination("a.org", 80)),
        ("GET", "http://a.org.:81/", Destination("a.org", 81)),
        ("CONNECT", "[::1]:8080", Destination("::1", 8080)),
        ("CONNECT", "pypi.org", None),
        ("GET", "/x", None),
        ("GET", "ftp://a.org/", None),
        ("GET", "http://a.org:x/", None),
        ("GET", "http://u:p@a.org@b.org/", Destination("b.org", 80)),
    ],
)
def test_where_a_request_wants_to_go(
    method: str, target: str, expected: Destination | None
) -> None:
    request = h11.Request(method=method, target=target, headers=[("Host", "x")])
    if expected is not None:
        assert destination_of(request) == expected
        return
    with pytest.raises(Refusal):
        destination_of(request)


class Echo(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._say(f"{self.path} {self.headers['Host']} {self.headers['Connection']}")

    def do_POST(self) -> None:
        self._say(self.rfile.read(int(self.headers["Content-Length"])).decode()[::-1])

    def _say(self, text: str) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def echo() -> Iterator[int]:
    """The port of a web server of this host."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def connected(echo: int) -> Iterator[RunningSite]:
    """A site whose owner may reach that server, and whose guests may not."""
    host.needs_sage()
    with host.short_folder() as folder:
        running = supervised(
            folder, limits_owner_network=f"127.0.0.1:{echo}, no.such.name.invalid:80"
        )
        running.start()
        yield running
        running.stop()


@pytest.fixture
def inside(connected: RunningSite) -> Iterator[Page]:
    person = SignedIn(connected.new_address())
    opened = Page(person, person.new_worksheet())
    yield opened
    opened.close()


def answer(page: Page, code: str) -> str:
    run = page.start(code)
    page.finish(run)
    errors = [
        f"{frame.traceback.name}: {frame.traceback.value}"
        for frame in page.frames()
        if frame.HasField("traceback")
    ]
    return page.printed(run) + "".join(errors)


FETCH = "import urllib.request as u\nprint(u.urlopen('{}'{}).read().decode())"


def test_what_is_allowed_is_reached(inside: Page, echo: int) -> None:
    address = f"http://127.0.0.1:{echo}/x?y=1"
    assert answer(inside, FETCH.format(address, "")) == f"/x?y=1 127.0.0.1:{echo} close\n"
    data = ", data=b'0123' * int(50_000)"
    assert answer(inside, FETCH.format(address, data)) == "3210" * 50_000 + "\n"


def test_tunnels_carry_anything(inside: Page, echo: int) -> None:
    code = (
        "import http.client as h; c = h.HTTPConnection('127.0.0.1', int(3128))\n"
        f"c.set_tunnel('127.0.0.1', int({echo})); c.request('GET', '/tunnel')\n"
        "print(c.getresponse().read().decode())"
    )
    assert answer(inside, code).startswith("/tunnel ")


def test_all_else_is_refused_with_what_is_allowed(
    inside: Page, connected: RunningSite, echo: int
) -> None:
    for port in (connected.port, int(connected.environment["SALVUS_SAGE_PORT"])):
        said = answer(inside, FETCH.format(f"http://127.0.0.1:{port}/alive", ""))
        assert "HTTPError: HTTP Error 403" in said
        assert f"127.0.0.1:{port} is not among what this site allows: 127.0.0.1:{echo}" in said
        direct = f"import socket; socket.create_connection(('127.0.0.1', int({port})))"
        assert "ConnectionRefusedError" in answer(inside, direct)
    said = answer(inside, FETCH.format("http://no.such.name.invalid/", ""))
    assert "HTTPError: HTTP Error 502" in said


@pytest.mark.parametrize(
    "code",
    [
        "socket.create_connection(('192.0.2.1', int(80)), timeout=float(5))",
        "socket.socket(socket.AF_INET6)",
        "socket.socket(socket.AF_NETLINK)",
        "socket.socket(socket.AF_PACKET)",
        "socket.socket(socket.AF_INET, socket.SOCK_RAW)",
    ],
)
def test_there_is_no_other_way_out(inside: Page, code: str) -> None:
    assert "Error: " in answer(inside, f"import socket; {code}")


def test_garbage_is_answered_and_harms_nobody(inside: Page) -> None:
    code = (
        "import socket; s = socket.create_connection(('127.0.0.1', int(3128)))\n"
        "s.sendall(b'\\x00garbage\\r\\n\\r\\n'); print(s.recv(int(20)))"
    )
    assert answer(inside, code).startswith("b'HTTP/1.1 400")
    assert answer(inside, "print(6*7)") == "42\n"

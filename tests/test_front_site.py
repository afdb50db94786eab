"""A whole site behind HAProxy, and behind stunnel: signing in, computing, reloads, ends."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import requests
import websocket
from playwright.sync_api import Browser, ConsoleMessage, expect
from requests.adapters import HTTPAdapter

from supervisor import certs
from tests import browser as chromium
from tests import host
from tests.page_client import Page, SignedIn
from tests.running_site import RunningSite, supervised
from tests.test_front import From, serial, wait_until

LINES = "from time import sleep as nap\nfor i in range(40): print(i); nap(float(0.05))"
PATIENCE = 60.0


RETRIES = 5
# Said of the service worker, which browsers let come only from a site that they trust
NO_WORKER = "An SSL certificate error occurred when fetching the script."


def current_serial(port: int) -> int:
    """The number of the certificate that is shown; stunnel refuses some while it reloads."""
    for _ in range(RETRIES):
        with contextlib.suppress(ConnectionResetError):
            return serial(port)
    return serial(port)


def behind(terminator: str, folder: Path) -> RunningSite:
    """A site whose certificates are looked at all the time."""
    for program in ("haproxy", "nginx", *(["stunnel4"] if terminator == "stunnel" else [])):
        host.needs(program)
    host.needs_sage()
    return supervised(
        folder,
        haproxy_host="127.0.0.1",
        haproxy_port=str(host.free_port()),
        tls_terminator=terminator,
        tls_check_seconds="0.2",
        service_anonymous="true",
        service_runs_per_minute="2",
    )


@pytest.fixture(scope="module", params=["haproxy", "stunnel"])
def front_site(request: pytest.FixtureRequest) -> Iterator[RunningSite]:
    with host.short_folder() as folder:
        running = behind(request.param, folder)
        running.start()
        yield running
        running.stop()


@pytest.fixture(scope="module")
def somebody(front_site: RunningSite) -> SignedIn:
    return SignedIn(front_site.new_address(), ca=ca(front_site))


def ca(site: RunningSite) -> Path:
    return site.data_dir / "certificates" / "ca.pem"


def https_port(site: RunningSite) -> int:
    return int(site.environment["SALVUS_HAPROXY_PORT"])


def test_the_printed_address_is_the_secure_one(front_site: RunningSite) -> None:
    start = f"https://127.0.0.1:{https_port(front_site)}/?token="
    assert front_site.address.startswith(start)
    assert front_site.new_address().startswith(start)
    found = requests.get(front_site.address, verify=str(ca(front_site)), timeout=PATIENCE)
    assert found.status_code == 200
    cookie = found.history[0].headers["Set-Cookie"]
    assert "; Secure" in cookie
    assert "; HttpOnly" in cookie
    for name in ("Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy"):
        assert name in found.headers


def test_a_page_computes_over_tls(somebody: SignedIn) -> None:
    page = Page(somebody, somebody.new_worksheet())
    page.run("factor(91)")
    assert page.results() == ["7 * 13"]
    page.close()


@pytest.mark.parametrize("origin", ["http://{host}", "https://evil.example", "https://{host}0"])
def test_sockets_of_other_origins_are_refused(somebody: SignedIn, origin: str) -> None:
    """Without TLS anybody on the way can write pages of this host's name."""
    authority = somebody.origin.removeprefix("https://")
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        websocket.create_connection(
            f"wss://{authority}/socket/{somebody.worksheet}",
            origin=origin.format(host=authority),
            cookie=somebody.cookie(),
            timeout=PATIENCE,
            sslopt={"ca_certs": str(somebody.ca)},
        )


def test_limits_by_address_go_by_the_real_one(front_site: RunningSite) -> None:
    def ask(source: str, **headers: str) -> int:
        with requests.Session() as session:
            session.mount("https://", From(source))
            return session.post(
                f"https://127.0.0.1:{https_port(front_site)}/service",
                data={"code": "1+1"},
                headers=headers,
                verify=str(ca(front_site)),
                timeout=PATIENCE,
            ).status_code

    assert [ask("127.0.0.2") for _ in range(3)] == [200, 200, 429]
    for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "X_Forwarded_For"):
        assert ask("127.0.0.2", **{name: "9.9.9.9"}) == 429, name
    assert ask("127.0.0.3") == 200


def test_pages_live_through_a_renewal_of_the_certificate(
    front_site: RunningSite, somebody: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Page(somebody, somebody.new_worksheet())
    page.run("1")
    masters = {process.pid for process in front_site.processes("conf/haproxy.cfg")[:1]}
    first = serial(https_port(front_site))
    monkeypatch.setattr(certs, "HOST_LIFE", certs.RENEW_BEFORE - timedelta(days=1))
    run = page.start(LINES)
    certs.ensure_public(front_site.data_dir, ["short.example.org"])
    monkeypatch.undo()
    with requests.Session() as session:
        # As browsers do: a connection that a reload has closed, or refused, is made anew.
        session.mount("https://", HTTPAdapter(pool_maxsize=1, max_retries=RETRIES))
        while current_serial(https_port(front_site)) == first:
            found = session.get(f"{somebody.origin}/alive", verify=str(somebody.ca), timeout=30)
            assert found.status_code == 200
    page.finish(run)
    assert page.printed(run) == "".join(f"{i}\n" for i in range(40))
    assert masters <= {process.pid for process in front_site.processes("conf/haproxy.cfg")}
    again = Page(somebody, page.worksheet)
    again.run("2+2")
    assert again.results()[-1] == "4"
    again.close()
    page.close()


def test_in_a_browser(front_site: RunningSite, browser: Browser) -> None:
    context = browser.new_context(ignore_https_errors=True)
    context.set_default_timeout(chromium.PATIENCE)
    tab = context.new_page()
    said: list[ConsoleMessage] = []
    tab.on("console", lambda message: said.append(message))
    tab.goto(front_site.new_address())
    tab.goto(f"https://127.0.0.1:{https_port(front_site)}/worksheets")
    tab.get_by_role("button", name="New worksheet").first.click()
    expect(chromium.editor(tab, 1)).to_be_visible(timeout=chromium.PATIENCE)
    place = chromium.finished(chromium.run(tab, 1, "html('<b>$x^2$</b>')"))
    expect(place.frame_locator("iframe").locator(".katex").first).to_be_visible()
    expect(chromium.finished(chromium.run(tab, 2, "6*7"))).to_contain_text("42")
    speaks = tab.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol")
    uses_stunnel = front_site.environment["SALVUS_TLS_TERMINATOR"] == "stunnel"
    assert speaks == ("http/1.1" if uses_stunnel else "h2")
    errors = {message.text for message in said if message.type == "error"}
    assert errors <= {NO_WORKER}
    context.close()


def test_the_app_server_itself_believes_proxies_alone(data_dir: Path) -> None:
    """Without HAProxy nobody is one, not even on this host."""
    host.needs("haproxy")
    site = supervised(data_dir, service_anonymous="true", service_runs_per_minute="1")
    site.start()
    try:
        assert re.match(r"http://127\.0\.0\.1:\d+/\?token=", site.address)
        headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "9.9.9.9"}
        found = requests.get(site.address, headers=headers, timeout=PATIENCE)
        assert "; Secure" not in found.history[0].headers["Set-Cookie"]
        origin = f"http://127.0.0.1:{site.port}"
        statuses = [
            requests.post(
                f"{origin}/service",
                data={"code": "1"},
                headers={"X-Forwarded-For": f"9.9.9.{number}"},
                timeout=PATIENCE,
            ).status_code
            for number in range(2)
        ]
        assert statuses == [200, 429]
    finally:
        site.stop()


@pytest.mark.parametrize("terminator", ["haproxy", "stunnel"])
def test_nothing_outlives_a_killed_supervisor(data_dir: Path, terminator: str) -> None:
    site = behind(terminator, data_dir)
    site.start()
    processes = site.processes()
    words = [" ".join(each.cmdline()) for each in processes if each.is_running()]
    assert all(any(name in word for word in words) for name in (terminator, "nginx"))
    first = serial(https_port(site))
    certs.ensure_public(data_dir, ["has.it.reloaded"])
    wait_until(lambda: serial(https_port(site)) != first)
    processes = site.processes()
    site.kill()
    wait_until(lambda: not any(each.is_running() for each in processes))
    site.start()
    assert serial(https_port(site))
    site.stop()


def test_the_supervisor_s_own_end_is_clean(data_dir: Path) -> None:
    site = behind("haproxy", data_dir)
    site.start()
    processes = site.processes()
    assert site.stop() == 0
    assert not [each for each in processes if each.is_running()]
    with pytest.raises(OSError, match="refused"):
        serial(https_port(site))
    assert os.listdir(data_dir / "front") == ["site.pem"]

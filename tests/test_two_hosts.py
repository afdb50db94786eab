"""A site of two hosts, both on this machine: each has its HAProxy, one has all the rest."""

from __future__ import annotations

import json
from collections.abc import Iterator

import gevent
import pytest
import requests

from app import settings as settings_file
from app.settings import ROOT
from supervisor import conf, identities, locations
from tests import host
from tests.page_client import Page, SignedIn
from tests.running_site import RunningSite, kill_all, supervised

SITE = """
[app]
count = 2
[hosts.alpha]
address = "127.0.0.1"
[hosts.beta]
address = "127.0.0.2"
roles = ["front"]
"""


@pytest.fixture(scope="module")
def two() -> Iterator[tuple[RunningSite, RunningSite]]:
    """One settings file; what differs here, as it is one machine, is in the environment."""
    for program in ("haproxy", "nginx", "memcached"):
        host.needs(program)
    plain = ROOT / ".venv-plain" / "bin" / "python"
    if not plain.exists():
        host.missing(".venv-plain")
    with host.short_folder() as folder:
        (folder / "site.toml").write_text(SITE)
        common = {
            "config": str(folder / "site.toml"),
            "sage_python": str(plain),
            "app_port": str(host.free_ports(2)),
            "sage_port": str(host.free_port()),
            "database_port": str(host.free_port()),
            "memcached_port": str(host.free_port()),
            "haproxy_port": str(host.free_port()),
            "haproxy_redirect_port": str(host.free_port()),
            "supervisor_port": str(host.free_port()),
        }
        running: list[RunningSite] = []
        try:
            for name, address in (("alpha", "127.0.0.1"), ("beta", "127.0.0.2")):
                site = supervised(
                    folder / name, site_host=name, haproxy_host=address, **common
                )
                if running:
                    introduce(running[0], site)
                site.start()
                running.append(site)
            yield running[0], running[1]
        finally:
            for site in reversed(running):
                site.stop()


def introduce(first: RunningSite, second: RunningSite) -> None:
    """Give the second host what a deploy gives it."""
    settings = settings_file.read(environment=second.environment)
    locations.make_all(settings)
    owner = settings_file.read(environment=first.environment)
    for name, text in identities.of(owner, settings.host_name).items():
        conf.write_if_changed(settings.data_dir / name, text, 0o600)


def browser(site: RunningSite, address: str) -> SignedIn:
    """Somebody whom a host's HAProxy has let in: cookies are for one of the addresses."""
    token = site.new_address().partition("/?")[2]
    port = site.environment["SALVUS_HAPROXY_PORT"]
    ca = site.data_dir / "certificates" / "ca.pem"
    return SignedIn(f"https://{address}:{port}/?{token}", ca=ca)


def test_two_haproxies_serve_one_site(two: tuple[RunningSite, RunningSite]) -> None:
    alpha, beta = two
    first, second = browser(alpha, "127.0.0.1"), browser(beta, "127.0.0.2")
    worksheet = first.new_worksheet()
    one, other = Page(first, worksheet), Page(second, worksheet)
    run = one.start("for n in range(3): print(n)")
    one.finish(run)
    other.finish(run)
    assert one.printed() == other.printed() == "0\n1\n2\n"
    for page in (one, other):
        page.close()


def test_both_choose_the_same_app_server_for_a_worksheet(
    two: tuple[RunningSite, RunningSite],
) -> None:
    alpha, beta = two
    first, second = browser(alpha, "127.0.0.1"), browser(beta, "127.0.0.2")
    while any(pages_of_app_servers(alpha)):  # those of tests before are leaving
        gevent.sleep(0.02)
    opened = []
    for _ in range(6):
        before = pages_of_app_servers(alpha)
        worksheet = first.new_worksheet()
        for person in (first, second):
            page = Page(person, worksheet)
            page.until(lambda message: message.HasField("state"))
            opened.append(page)
        after = pages_of_app_servers(alpha)
        assert sorted(b - a for a, b in zip(before, after, strict=True)) == [0, 2]
    for page in opened:
        page.close()


def pages_of_app_servers(site: RunningSite) -> list[int]:
    """How many pages each has open."""
    token = (site.data_dir / "token").read_text()
    first = int(site.environment["SALVUS_APP_PORT"])
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    return [
        requests.get(f"http://127.0.0.1:{port}/status", headers=headers, timeout=60).json()[
            "browsers"
        ]
        for port in (first, first + 1)
    ]


def test_any_app_server_tells_of_both_hosts(two: tuple[RunningSite, RunningSite]) -> None:
    alpha, _ = two
    token = (alpha.data_dir / "token").read_text()
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    address = f"http://127.0.0.1:{alpha.environment['SALVUS_APP_PORT']}/status"
    measured: set[tuple[str, str]] = set()
    while not {("alpha", "sage-1"), ("beta", "haproxy")} <= measured:
        found = requests.get(address, headers=headers, timeout=60).json()
        assert {host["name"] for host in found["hosts"]} == {"alpha", "beta"}
        services = found["services"]
        measured = {(one["host"], one["name"]) for one in services if one.get("resident_size")}
    assert {host["state"] for host in found["hosts"]} == {"up"}
    listed = json.loads(alpha.run("ps", "--json"))
    assert {one["host"] for one in listed} == {"alpha", "beta"}


def test_the_site_lives_on_when_one_haproxy_s_host_is_gone(
    two: tuple[RunningSite, RunningSite],
) -> None:
    alpha, beta = two
    person = browser(alpha, "127.0.0.1")
    page = Page(person, person.new_worksheet())
    kill_all(beta.processes("haproxy.cfg"))
    page.run("print(1)")
    assert page.printed() == "1\n"
    page.close()

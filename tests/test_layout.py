"""What runs where on a site, as the settings say it."""

from __future__ import annotations

from pathlib import Path

import pytest

from app import layout, settings
from app.settings import Settings, SettingsError
from supervisor import catalog, front, inheritance, memcached
from tests import host

TWO = """
[app]
count = 2
[hosts.alpha]
address = "10.0.0.1"
roles = ["database", "cache", "front", "app"]
[hosts.beta]
address = "10.0.0.2"
roles = ["sage", "app", "cache"]
app_servers = 1
sage_servers = 2
ssh = "root@beta"
"""


def read(folder: Path, text: str, **variables: str) -> Settings:
    file = folder / "salvus.toml"
    file.write_text(text)
    named = {f"SALVUS_{name.upper()}": value for name, value in variables.items()}
    return settings.read(file, {"SALVUS_SITE_DATA_DIR": str(folder), **named})


def test_one_host_has_everything(tmp_path: Path) -> None:
    found = read(tmp_path, "[app]\ncount = 2\n[sage]\ncount = 3\n")
    assert [one.at for one in layout.app_servers(found)] == ["127.0.0.1:8000", "127.0.0.1:8001"]
    expected = ("127.0.0.1:8100", "127.0.0.1:8101", "127.0.0.1:8102")
    assert layout.sage_addresses(found) == expected
    assert layout.own(found, layout.sage_servers(found)) == layout.sage_servers(found)
    assert layout.cache_addresses(found) == ()
    assert layout.database_address(found) == ""


def test_one_file_is_for_all_hosts(tmp_path: Path) -> None:
    alpha = read(tmp_path, TWO, site_host="alpha", haproxy_host="0.0.0.0")
    beta = read(tmp_path, TWO, site_host="beta", haproxy_host="0.0.0.0")
    for found in (alpha, beta):
        assert [one.at for one in layout.app_servers(found)] == [
            "10.0.0.1:8000", "10.0.0.1:8001", "10.0.0.2:8000"
        ]  # fmt: skip
        assert layout.sage_addresses(found) == ("10.0.0.2:8100", "10.0.0.2:8101")
        assert memcached.memcached_servers(found) == ("10.0.0.1:11211", "10.0.0.2:11211")
        assert layout.front_addresses(found) == ("10.0.0.1",)
        assert "10.0.0.1" in front.proxies(found)
    assert [one.name for one in catalog.app_servers(alpha)] == [
        "alpha-app-1", "alpha-app-2", "beta-app-1"
    ]  # fmt: skip
    assert (layout.database_address(alpha), layout.database_address(beta)) == ("", "10.0.0.1")
    assert layout.addresses_here(beta) == ("10.0.0.2", "beta")
    assert front.origin(beta).startswith("https://10.0.0.1")


def test_a_host_runs_what_its_roles_say(tmp_path: Path) -> None:
    host.needs("memcached")
    beta = read(tmp_path, TWO, site_host="beta", database_url="postgresql://db/x")
    services = {one.name: one for one in catalog.whole_host(beta)}
    assert list(services) == ["memcached", "sage-1", "sage-2", "app-1"]
    assert services["app-1"].after == ("memcached", "sage-1", "sage-2")
    assert services["sage-2"].type == "sage"
    assert (services["sage-2"].address, services["sage-2"].port) == ("10.0.0.2", 8101)


def test_a_host_is_known_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("alpha", "alpha.example.org"):
        monkeypatch.setattr("socket.gethostname", lambda name=name: name)
        assert read(tmp_path, TWO).host_name == "alpha"
    monkeypatch.setattr("socket.gethostname", lambda: "desk")
    with pytest.raises(SettingsError, match=r"called desk, .* one of alpha, beta in SALVUS_SITE"):
        _ = read(tmp_path, TWO).here


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("10.0.0.2", "10.0.0.1"), "two hosts have the same address"),
        (('"database", ', ""), "one host must have the role database, or"),
        (('"sage", "app"', '"sage", "cook"'), "expected a list of database, cache, front"),
        (('["sage", ', '['), r"no host has the role sage, and \[sage\] servers"),
        (("[hosts.beta]", "[hosts.'b c']"), r"\[hosts.b c\]: expected a host name"),
        (('address = "10.0.0.2"', ""), r"\[hosts.beta\] needs an address"),
        (("10.0.0.2", "::1"), "expected an IPv4 address or a host name"),
    ],
)  # fmt: skip
def test_what_makes_no_site_is_refused(
    tmp_path: Path, change: tuple[str, str], words: str
) -> None:
    with pytest.raises(SettingsError, match=words):
        read(tmp_path, TWO.replace(*change))


def test_journals_of_servers_that_are_no_more_are_inherited(tmp_path: Path) -> None:
    found = read(tmp_path, "")
    for name in ("journals/old", "8101/journals/own", "8102/journals/gone", "8100/journals/own"):
        file = tmp_path / "sage" / f"{name}.journal"
        file.parent.mkdir(parents=True)
        file.write_text(name)
    inheritance.gather(found, [8100, 8101])
    names = {path.name for path in (tmp_path / "sage" / "8100" / "journals").iterdir()}
    assert names == {"old.journal", "gone.journal", "own.journal"}
    assert (tmp_path / "sage" / "8101" / "journals" / "own.journal").exists()

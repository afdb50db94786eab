"""The site's VPN: what OpenVPN is told, and two hosts that have no other network in common."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app import settings as settings_file
from app.settings import ROOT, Settings, SettingsError
from supervisor import catalog, conf, identities, locations, openvpn
from supervisor.service import CannotStart
from tests import host

SITE = """
[vpn]
server = "alpha"
address = "192.0.2.1"
network = "10.77.5.0/24"
[hosts.alpha]
address = "10.77.5.1"
roles = ["database", "vpn", "app"]
[hosts.beta]
address = "10.77.5.2"
roles = ["sage", "vpn"]
[hosts.gamma]
address = "192.0.2.9"
roles = ["front"]
"""


def read(folder: Path, name: str, text: str = SITE, **variables: str) -> Settings:
    file = folder / "salvus.toml"
    file.write_text(text)
    given = {f"SALVUS_{key.upper()}": value for key, value in variables.items()}
    data_dir = folder / name
    return settings_file.read(
        file, {"SALVUS_SITE_HOST": name, "SALVUS_SITE_DATA_DIR": str(data_dir), **given}
    )


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("1764000000,CONNECTED,SUCCESS,10.77.5.2,192.0.2.1,1194,,\r\nEND\r\n", None),
        (">INFO:OpenVPN\r\n1764000000,CONNECTED,SUCCESS,10.77.5.1,,,,\r\nEND\r\n", None),
        ("1764000000,WAIT,,,,,,\r\nEND\r\n", "wait"),
        ("1764000000,RECONNECTING,tls-error,,,,,\r\nEND\r\n", "reconnecting tls-error"),
        ("1764000000,CONNECTED,ERROR,10.77.5.2,,,,\r\nEND\r\n", "connected ERROR"),
        ("1764000000,ASSIGN_IP,,10.77.5.2,,,,\r\nEND\r\n", "assign ip"),
        ("", "it does not say how it is"),
        ("nonsense", "it does not say how it is"),
    ],
)
def test_what_openvpn_says_of_itself(said: str, expected: str | None) -> None:
    assert openvpn.trouble(said) == expected


def test_who_takes_part_follows_from_the_settings(tmp_path: Path) -> None:
    alpha, beta, gamma = (read(tmp_path, name) for name in ("alpha", "beta", "gamma"))
    assert [openvpn.is_used(each) for each in (alpha, beta, gamma)] == [True, True, False]
    assert [openvpn.is_server(each) for each in (alpha, beta)] == [True, False]
    assert not openvpn.is_used(Settings())
    services = catalog.whole_host(beta)
    assert services[0].name == "vpn"
    assert all("vpn" in one.after for one in services if one.type in ("sage", "memcached"))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('server = "alpha"', 'server = "gamma"', "expected a host with the role vpn"),
        ('address = "192.0.2.1"\n', "", r"\[vpn\] address must say"),
        ("10.77.5.2", "10.78.5.2", "beta has the role vpn, so its address must be one of"),
        ("10.77.5.2", "beta.example.org", "beta has the role vpn, so"),
        ("10.77.5.0/24", "10.77.5.0", "expected a network of IPv4"),
        ("10.77.5.0/24", "10.77.5.1/24", "expected a network of IPv4"),
    ],
)
def test_what_makes_no_vpn_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        read(tmp_path, "alpha", SITE.replace(old, new))


def test_compression_is_a_setting(data_dir: Path) -> None:
    if os.geteuid() != 0 or not openvpn.TUN.exists():
        host.missing("root and /dev/net/tun")
    for chosen, expected in [
        ("none", "allow-compression no"),
        ("lz4", "allow-compression yes\ncompress lz4-v2"),
        ("lzo", "allow-compression yes\ncompress lzo"),
    ]:
        alpha = read(data_dir, "alpha", vpn_compression=chosen)
        locations.make_all(alpha)
        openvpn.renew(alpha)
        assert expected in openvpn.content(alpha)


def test_a_host_without_the_shared_key_is_told_the_cure(data_dir: Path) -> None:
    alpha, beta = read(data_dir, "alpha"), read(data_dir, "beta")
    make_site(alpha, beta)
    openvpn.crypt_key(beta).unlink()
    with pytest.raises(CannotStart, match="deploy to this host again"):
        openvpn.renew_certificate(beta)


def make_site(alpha: Settings, beta: Settings) -> None:
    """alpha has the CA; beta gets what a deploy gives it."""
    for each in (alpha, beta):
        locations.make_all(each)
    for name, text in identities.of(alpha, "beta").items():
        conf.write_if_changed(beta.data_dir / name, text, 0o600)


@contextmanager
def two_networks() -> Iterator[tuple[str, str]]:
    """Names of two network namespaces that a cable joins: 192.0.2.1 and 192.0.2.2."""
    names = f"salvus-{os.getpid()}-a", f"salvus-{os.getpid()}-b"
    made = []
    try:
        for name in names:
            if subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode != 0:
                host.missing("the right to make network namespaces")
            made.append(name)
        ip("link", "add", "cable", "netns", names[0], "type", "veth", "peer", "name", "cable",
           "netns", names[1])  # fmt: skip
        for number, name in enumerate(names, 1):
            ip("-n", name, "address", "add", f"192.0.2.{number}/24", "dev", "cable")
            for device in ("lo", "cable"):
                ip("-n", name, "link", "set", device, "up")
        yield names
    finally:
        for name in made:
            ip("netns", "delete", name)


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@contextmanager
def host_in(network: str, settings: Settings, *words: str) -> Iterator[subprocess.Popen[str]]:
    """tests/vpn_host.py there."""
    process = subprocess.Popen(
        ["ip", "netns", "exec", network, sys.executable, "-m", "tests.vpn_host",
         settings.file, *words],
        cwd=ROOT,
        env={
            **os.environ,
            "SALVUS_SITE_HOST": settings.host_name,
            "SALVUS_SITE_DATA_DIR": str(settings.data_dir),
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_messages_of_nodes_go_through_it(data_dir: Path) -> None:
    for program in ("ip", "openvpn", "setpriv"):
        host.needs(program)
    if os.geteuid() != 0 or not openvpn.TUN.exists():
        host.missing("root and /dev/net/tun")
    alpha, beta = read(data_dir, "alpha"), read(data_dir, "beta")
    make_site(alpha, beta)
    with two_networks() as (first, second), host_in(first, alpha, "serve", "7000", "100") as server:
        # The client may be there before the server.
        with host_in(second, beta, "send", "7000", "100") as client:
            said, _ = client.communicate(timeout=120)
            assert "100 messages to alpha and back" in said, said + logs(alpha, beta)
            assert client.returncode == 0
        rest, _ = server.communicate("\n", timeout=60)
        assert server.returncode == 0, rest
    assert "vpn up" in said


def logs(*hosts: Settings) -> str:
    files = [locations.log_file(one, "vpn") for one in hosts]
    return "".join(file.read_text() for file in files if file.exists())

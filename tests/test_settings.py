"""Settings: what is refused, with its words, and that the file documents every key."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from app import layout, settings
from app.settings import DEFAULT_FILE, SECTIONS, SettingsError


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[sge]", r"unknown section \[sge\]"),
        ("app = 1", r"app = 1: expected a section \[app\]"),
        ("[app]\nprot = 1", r"unknown key app\.prot; \[app\] knows host, port"),
        ("[app]\nport = '80'", r"app\.port = '80': expected a whole number"),
        ("[app]\nport = true", r"app\.port = True: expected a whole number"),
        ("[app]\nport = 70000", r"app\.port = 70000: expected from 1 to 65535"),
        ("[sage]\nservers = ['x']", r'expected a list of "host:port"'),
        ("[app]\nroles = ['cook']", "expected app, sage, monitor"),
        ("[site]\nname = 'a b'", "expected letters, digits"),
        ("[app]\naddress = 'example.org'", 'expected an address without path, as "https:'),
        ("[app]\naddress = 'https://example.org/'", "expected an address without path"),
        ("[app]\nproxies = ['10.0.0.0/8']", "expected a list of IP addresses"),
        ("[haproxy]\nhost = 'all'", "expected an IP address of this host, or empty"),
        ("[tls]\nterminator = 'nginx'", "expected one of haproxy, stunnel"),
        ("[tls]\nnames = ['a b']", "expected a list of host names and IP addresses"),
        ("[tls]\nnames = ['-a.org', 'a..org']", "expected a list of host names"),
        ("[app", "is not TOML"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "salvus.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=words) as caught:
        settings.read(file, {})
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("SALVUS_APP_PORT", "many", "SALVUS_APP_PORT = 'many': expected a whole number"),
        ("SALVUS_APP_PORT", "0", "SALVUS_APP_PORT = '0': expected from 1 to 65535"),
        ("SALVUS_SAGE_WARM_UP", "maybe", "expected true or false"),
    ],
)
def test_mistakes_in_the_environment_too(variable: str, value: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        settings.read(DEFAULT_FILE, {variable: value})


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "salvus.toml"
    file.write_text("[app]\nport = 1\n[monitor]\ninterval = 2\n")
    variables = {
        "SALVUS_APP_PORT": "2",
        "SALVUS_SAGE_SERVERS": "a:1, b:2",
        "SALVUS_SAGE_WARM_UP": "0",
    }
    found = settings.read(file, variables)
    assert found.app.port == 2
    assert found.monitor.interval == 2.0
    assert layout.sage_addresses(found) == ("a:1", "b:2")
    assert not found.sage.warm_up


def test_the_file_documents_every_key() -> None:
    section, documented = "", set()
    for line in DEFAULT_FILE.read_text().splitlines():
        if found := re.fullmatch(r"\[(\w+)\]", line):
            section = found[1]
        elif found := re.match(r"#? ?(\w+) = ", line):
            documented.add((section, found[1]))
    assert documented == {
        (name, field.name) for name, kind in SECTIONS.items() for field in dataclasses.fields(kind)
    }


def test_the_file_states_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "salvus.toml"
    text = DEFAULT_FILE.read_text()
    file.write_text(re.sub(r"(?m)^# ?(\w+ = )", r"\1", text))
    found = settings.read(file, {})
    assert dataclasses.replace(found, file="") == settings.Settings()


def test_kinds_of_users_differ_where_it_is_said(tmp_path: Path) -> None:
    file = tmp_path / "salvus.toml"
    file.write_text(
        "[limits]\nprocesses = 50\nrun_seconds = 5\n"
        "[limits.guest]\nrun_seconds = 1\nnetwork = ['pypi.org:443', '*.pypi.org:443']\n"
    )
    found = settings.read(file, {"SALVUS_LIMITS_GUEST_FILES": "100", "SALVUS_LIMITS_FILES": "99"})
    guest, owner = found.limits_of("guest"), found.limits_of("owner")
    assert (guest.processes, guest.run_seconds, guest.files) == (50, 1.0, 100)
    assert (owner.processes, owner.run_seconds, owner.files) == (50, 5.0, 99)
    assert owner == found.limits_of("whoever") == found.limits


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[limits.cook]", r"unknown section \[limits.cook\]; kinds of users are owner,"),
        ("[limits.guest]\nprocesses = 1", r"limits.guest.processes = 1: expected from 8"),
        ("[limits.guest]\nx = 1", r"unknown key limits.guest.x"),
        ("[limits]\nnetwork = ['pypi.org']", r'expected a list of "host:port" or'),
    ],
)
def test_mistakes_about_kinds_are_named(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "salvus.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=words):
        settings.read(file, {})

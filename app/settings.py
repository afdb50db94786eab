"""Settings: `conf/salvus.toml` and the environment, read once, typed, refused early.

Every key is a field of one of the dataclasses below; `conf/salvus.toml` documents it
with its unit and default. `SALVUS_SECTION_KEY` in the environment overrides the file,
and `SALVUS_CONFIG` names another file. Standard library only: anyone may import this.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import os
import re
import socket
import tomllib
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_FILE = ROOT / "conf" / "salvus.toml"


MISCONFIGURED = 78  # exit code (EX_CONFIG) of programs that can't use the settings


class SettingsError(Exception):
    """The operator's mistake; the message names file, key, value and what was expected."""


@dataclass(frozen=True)
class Rule:
    """What a value must be, in words and as a test."""

    words: str
    holds: Callable[[Any], bool]


def between(low: float, high: float) -> Rule:
    return Rule(f"from {low:g} to {high:g}", lambda value: low <= value <= high)


def one_of(*choices: str) -> Rule:
    return Rule("one of " + ", ".join(choices), lambda value: value in choices)


PORT = between(1, 65535)
NAME = Rule(
    "letters, digits, - and _",
    lambda value: bool(value) and value.replace("-", "").replace("_", "").isalnum(),
)
ADDRESSES = Rule(
    'a list of "host:port"',
    lambda value: all(
        re.fullmatch(r"[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]", host)
        and re.fullmatch("[0-9]{1,5}", port)
        and 0 < int(port) < 65536
        for host, _, port in (address.rpartition(":") for address in value)
    ),
)
DESTINATIONS = Rule(
    'a list of "host:port" or "*.domain:port"',
    lambda value: all(
        re.fullmatch(r"(\*\.)?[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\]", host)
        and port.isdigit()
        and 0 < int(port) < 65536
        for host, _, port in (destination.rpartition(":") for destination in value)
    ),
)
ORIGIN = Rule(
    'an address without path, as "https://sage.example.org"; or empty',
    lambda value: not value or bool(re.fullmatch(r"https?://[^/?#\s@]+", value)),
)
EMBEDDERS = Rule(
    'a list of addresses without path, as "https://www.example.org"; or ["*"] for all sites',
    lambda value: value == ("*",) or all(re.fullmatch(r"https?://[^/?#\s@;,']+", x) for x in value),
)
IP_ADDRESSES = Rule("a list of IP addresses", lambda value: all(map(is_ip_address, value)))
LISTEN = Rule(
    "an IP address of this host, or empty", lambda value: not value or is_ip_address(value)
)
ISSUER = Rule(
    'an address as "https://login.example.org" (http only on this machine); or empty',
    lambda value: not value
    or bool(re.fullmatch(r"https://[^?#\s@]+|http://(127\.0\.0\.1|localhost)(:\d+)?", value)),
)
PROVIDERS = ("google", "facebook", "dropbox", "github")  # that need no issuer
HOST_NAMES = Rule(
    "a list of host names and IP addresses",
    lambda value: all(is_ip_address(name) or is_host_name(name) for name in value),
)
PORT_OR_NONE = between(0, 65535)
ROLES = ("database", "cache", "front", "app", "sage", "vpn")  # that a host may play
HOST_ROLES = Rule("a list of " + ", ".join(ROLES), lambda value: set(value) <= set(ROLES))
HOST_ADDRESS = Rule(
    "an IPv4 address or a host name",
    lambda value: ":" not in value and (is_ip_address(value) or is_host_name(value)),
)
SSH = Rule(
    '"user@host" or "ssh://user@host:port", or empty',
    lambda value: not value.startswith("-") and not any(map(str.isspace, value)),
)
HOST_NAME = Rule("a host name, or empty", lambda value: not value or is_host_name(value))
NETWORK = Rule(
    'a network of IPv4, as "10.77.0.0/24"', lambda value: "/" in value and is_network(value)
)
LANGUAGE = Rule(
    'the name of a language, as "de" or "pt_BR"',
    lambda value: bool(re.fullmatch("[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8})*", value)),
)
COUNT = between(1, 100)
KINDS = ("owner", "administrator", "teacher", "member", "guest", "anonymous")  # of users
KINDS_OF_PEOPLE = Rule(
    "a list of " + ", ".join(KINDS[:-1]), lambda value: set(value) <= set(KINDS[:-1])
)


def is_ip_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_network(text: str) -> bool:
    try:
        return ipaddress.IPv4Network(text).prefixlen < 31
    except ValueError:
        return False


def is_host_name(text: str) -> bool:
    label = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
    return len(text) < 254 and bool(re.fullmatch(rf"(\*\.)?{label}(\.{label})*", text))


def key(default: Any, rule: Rule | None = None) -> Any:
    """A setting with its default and, if not every value of its type will do, the rule."""
    return field(default=default, metadata={"rule": rule})


@dataclass(frozen=True)
class Site:
    name: str = key("salvus", NAME)
    host: str = key("", HOST_NAME)
    data_dir: str = key("")
    title: str = key("Salvus")
    language: str = key("en", LANGUAGE)
    translations: str = key("")


@dataclass(frozen=True)
class App:
    host: str = key("127.0.0.1")
    port: int = key(8000, PORT)
    count: int = key(1, COUNT)
    socket: str = key("")
    node_port: int = key(0, PORT_OR_NONE)
    roles: tuple[str, ...] = key(
        ("app", "sage", "monitor"),
        Rule(
            "app, sage, monitor",
            lambda value: "app" in value and set(value) <= {"app", "sage", "monitor"},
        ),
    )
    address: str = key("", ORIGIN)
    proxies: tuple[str, ...] = key((), IP_ADDRESSES)
    sign_in_days: int = key(30, between(1, 3650))
    first_address_hours: int = key(24, between(1, 24 * 365))
    max_code: int = key(1 << 20, between(1024, 1 << 26))
    silence: int = key(30, between(2, 3600))


@dataclass(frozen=True)
class SignIn:
    attempts_per_account: int = key(10, between(1, 100_000))
    attempts_per_address: int = key(200, between(1, 1_000_000))
    check_seconds: float = key(5.0, between(0.05, 600))
    invitation_hours: int = key(168, between(1, 24 * 365))
    reset_hours: int = key(24, between(1, 24 * 365))
    open: bool = key(False)
    guests: bool = key(False)
    guests_per_address: int = key(20, between(1, 100_000))
    guest_hours: float = key(12.0, between(0.1, 24 * 30))


@dataclass(frozen=True)
class Provider:
    """One that people may sign in with, `[providers.NAME]`."""

    id: str = key("")
    secret: str = key("")
    issuer: str = key("", ISSUER)
    title: str = key("")


@dataclass(frozen=True)
class Sage:
    host: str = key("127.0.0.1")
    port: int = key(8100, PORT)
    count: int = key(1, COUNT)
    servers: tuple[str, ...] = key((), ADDRESSES)
    servers_file: str = key("")
    python: str = key("")
    preload: tuple[str, ...] = key(())
    warm_up: bool = key(True)
    spares: int = key(2, between(0, 1000))
    max_sessions: int = key(100, between(1, 100_000))
    total_sessions: int = key(0, between(0, 10_000_000))
    sample_seconds: float = key(1.0, between(0.05, 60))
    warn_seconds: float = key(300.0, between(0, 86400))
    cgroup: str = key("")
    ring: int = key(1 << 18, between(1 << 12, 1 << 30))
    start_seconds: int = key(120, between(5, 3600))
    drain_seconds: float = key(600.0, between(0, 7 * 86400))
    quiet_seconds: float = key(60.0, between(0, 86400))
    lost_seconds: float = key(30.0, between(5, 86400))


@dataclass(frozen=True)
class Limits:
    """Of one kind of user; `[limits]` is for all of them, `[limits.KIND]` says what differs."""

    sessions: int = key(10, between(1, 100_000))
    runs_per_hour: int = key(0, between(0, 1_000_000))
    address_sessions: int = key(0, between(0, 100_000))
    address_runs_per_hour: int = key(0, between(0, 1_000_000))
    memory: int = key(4 << 30, between(1 << 26, 1 << 44))
    processes: int = key(128, between(8, 100_000))
    files: int = key(1024, between(64, 1_000_000))
    disk: int = key(1 << 28, between(1 << 20, 1 << 40))
    entries: int = key(20_000, between(100, 1 << 30))
    folder: int = key(100_000_000, between(0, 1 << 40))
    run_output: int = key(32_000_000, between(1000, 1 << 40))
    session_output: int = key(1_000_000_000, between(1000, 1 << 50))
    cpu_seconds: float = key(0.0, between(0, 1e9))
    run_seconds: float = key(0.0, between(0, 1e9))
    session_seconds: float = key(0.0, between(0, 1e9))
    idle_seconds: float = key(7200.0, between(0, 1e9))
    network: tuple[str, ...] = key((), DESTINATIONS)


GUESTS: dict[str, Any] = {  # unless [limits.guest] says otherwise
    "sessions": 1,
    "runs_per_hour": 300,
    "address_sessions": 60,
    "address_runs_per_hour": 3000,
    "memory": 1 << 30,
    "processes": 64,
    "disk": 1 << 26,
    "folder": 10_000_000,
    "session_output": 100_000_000,
    "cpu_seconds": 1800.0,
    "run_seconds": 300.0,
    "session_seconds": 7200.0,
    "idle_seconds": 900.0,
}


def _of_guests(usual: Limits) -> Limits:
    """What guests may use where nothing is said of them: little, and never more than others."""
    least = {name: min(value, getattr(usual, name) or value) for name, value in GUESTS.items()}
    return dataclasses.replace(usual, network=(), **least)


@dataclass(frozen=True)
class Mining:
    """When somebody counts as computing without pause, as who mines coins does."""

    kinds: tuple[str, ...] = key(("guest",), KINDS_OF_PEOPLE)
    share: float = key(0.9, between(0.05, 1))
    hours: float = key(3.0, between(0, 1000))
    within_hours: float = key(4.0, between(0.001, 2000))
    keep_days: float = key(3.0, between(0.01, 365))

    @property
    def slice_seconds(self) -> float:
        """Of the slices of time in which processor time is added up."""
        return max(1.0, self.hours * 3600 / 18)


@dataclass(frozen=True)
class Embed:
    origins: tuple[str, ...] = key((), EMBEDDERS)
    visits_per_address: int = key(60, between(1, 100_000))
    minutes: float = key(60.0, between(1, 24 * 60))


@dataclass(frozen=True)
class Service:
    anonymous: bool = key(False)
    seconds: float = key(30.0, between(0.1, 3600))
    max_code: int = key(65_000, between(1, 1 << 24))
    runs_per_minute: int = key(60, between(1, 1_000_000))
    at_once: int = key(20, between(1, 100_000))
    wait_seconds: float = key(10.0, between(0, 600))
    remember_seconds: float = key(86400.0, between(1, 30 * 86400))
    origins: tuple[str, ...] = key(())


@dataclass(frozen=True)
class Wire:
    max_message: int = key(1 << 24, between(1 << 16, 1 << 30))
    window: int = key(1 << 20, between(1 << 16, 1 << 28))
    hello_seconds: float = key(10.0, between(0.1, 600))
    silence: float = key(30.0, between(0.5, 3600))
    idle_seconds: float = key(300.0, between(0.1, 86400))


@dataclass(frozen=True)
class Database:
    url: str = key("")
    binaries: str = key("")
    port: int = key(5432, PORT)
    memory: int = key(0, between(0, 1 << 24))
    connections: int = key(8, between(1, 500))
    wait_seconds: float = key(10.0, between(0.1, 600))
    statement_seconds: float = key(30.0, between(0.1, 3600))
    write_seconds: float = key(0.2, between(0.01, 60))


@dataclass(frozen=True)
class Backup:
    every_hours: float = key(0.0, between(0, 24 * 366))
    keep: int = key(7, between(1, 100_000))
    folder: str = key("")
    base: bool = key(False)


@dataclass(frozen=True)
class Memcached:
    servers: tuple[str, ...] = key(())
    port: int = key(11211, PORT)
    binary: str = key("")
    memory: int = key(64, between(8, 1 << 20))
    connections: int = key(10_000, between(16, 1_000_000))
    timeout: float = key(0.5, between(0.01, 60))


@dataclass(frozen=True)
class Haproxy:
    host: str = key("", LISTEN)
    port: int = key(0, PORT_OR_NONE)
    redirect_port: int = key(0, PORT_OR_NONE)
    connections: int = key(20_000, between(16, 1_000_000))
    connections_per_address: int = key(2000, between(1, 1_000_000))
    requests_per_minute: int = key(6000, between(1, 1_000_000))
    drain_seconds: int = key(3600, between(1, 7 * 86400))
    binary: str = key("")


@dataclass(frozen=True)
class Nginx:
    connections: int = key(4096, between(16, 1_000_000))
    binary: str = key("")


@dataclass(frozen=True)
class Tls:
    terminator: str = key("haproxy", one_of("haproxy", "stunnel"))
    names: tuple[str, ...] = key((), HOST_NAMES)
    certificate: str = key("")
    certificate_key: str = key("")
    check_seconds: float = key(3600.0, between(0.1, 86400))
    hsts_seconds: int = key(0, between(0, 10 * 365 * 86400))
    acme_port: int = key(0, PORT_OR_NONE)
    stunnel: str = key("")


@dataclass(frozen=True)
class Vpn:
    server: str = key("", HOST_NAME)
    address: str = key("", HOST_NAME)
    network: str = key("10.77.0.0/24", NETWORK)
    port: int = key(1194, PORT)
    protocol: str = key("udp", one_of("udp", "tcp"))
    cipher: str = key(
        "AES-256-GCM", one_of("AES-256-GCM", "AES-128-GCM", "CHACHA20-POLY1305")
    )
    compression: str = key("none", one_of("none", "lz4", "lzo"))
    binary: str = key("")


@dataclass(frozen=True)
class Monitor:
    interval: float = key(5.0, between(0.2, 3600))
    keep_days: float = key(14.0, between(0.01, 36500))
    status_rows: int = key(5_000_000, between(1000, 10**12))
    log_seconds: float = key(1.0, between(0.05, 3600))
    log_days: float = key(30.0, between(0.01, 36500))
    log_rows: int = key(1_000_000, between(1000, 10**12))


@dataclass(frozen=True)
class Supervisor:
    start_seconds: float = key(60.0, between(1, 3600))
    stop_seconds: float = key(10.0, between(0.1, 3600))
    probe_seconds: float = key(1.0, between(0.05, 600))
    hung_seconds: float = key(15.0, between(1, 3600))
    restarts: int = key(5, between(0, 1000))
    restart_window: float = key(60.0, between(1, 86400))
    log_size: int = key(10 << 20, between(1 << 10, 1 << 40))
    log_files: int = key(5, between(0, 1000))
    port: int = key(8200, PORT)


@dataclass(frozen=True)
class Host:
    """One of the site, `[hosts.NAME]`; app/layout.py says what follows from it."""

    address: str = key("127.0.0.1", HOST_ADDRESS)
    roles: tuple[str, ...] = key(ROLES, HOST_ROLES)
    app_servers: int = key(1, COUNT)
    sage_servers: int = key(1, COUNT)
    ssh: str = key("", SSH)
    folder: str = key("")


@dataclass(frozen=True)
class Settings:
    site: Site = Site()
    app: App = App()
    sign_in: SignIn = SignIn()
    sage: Sage = Sage()
    limits: Limits = Limits()
    mining: Mining = Mining()
    embed: Embed = Embed()
    service: Service = Service()
    wire: Wire = Wire()
    database: Database = Database()
    backup: Backup = Backup()
    memcached: Memcached = Memcached()
    haproxy: Haproxy = Haproxy()
    nginx: Nginx = Nginx()
    tls: Tls = Tls()
    vpn: Vpn = Vpn()
    monitor: Monitor = Monitor()
    supervisor: Supervisor = Supervisor()
    kinds: Mapping[str, Limits] = field(  # where they differ from `limits`
        default_factory=lambda: {"guest": _of_guests(Limits())}
    )
    providers: Mapping[str, Provider] = field(default_factory=dict)
    hosts: Mapping[str, Host] = field(default_factory=dict)  # empty: this one plays all roles
    file: str = ""  # where it was read, for messages
    text: str = field(default="", repr=False, compare=False)  # what was in it

    @property
    def data_dir(self) -> Path:
        """Where everything that must survive lives; nothing else is written."""
        if self.site.data_dir:
            return Path(self.site.data_dir).expanduser().absolute()
        if os.geteuid() == 0:
            return Path("/var/lib/salvus")
        home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
        return Path(home) / "salvus"

    @property
    def logs_dir(self) -> Path:
        """The folder of the logs of what runs on this host."""
        return self.data_dir / "logs"

    def limits_of(self, kind: str) -> Limits:
        """What holds for a user of this kind."""
        return self.kinds.get(kind, self.limits)

    @property
    def sage_folder(self) -> Path:
        """What the sage server at our port keeps: those of one host have each their own."""
        return self.data_dir / "sage" / str(self.sage.port)

    @property
    def host_name(self) -> str:
        """Which host this is. Raises SettingsError if it is none of the site."""
        own = self.site.host or socket.gethostname()
        if not self.hosts or own in self.hosts:
            return own
        short = own.partition(".")[0]
        if not self.site.host and short in self.hosts:
            return short
        raise SettingsError(
            f"{self.file}: this host is called {own}, and there is no section [hosts.{own}];"
            " name one of " + ", ".join(self.hosts) + " in SALVUS_SITE_HOST or [site] host"
        )

    @property
    def here(self) -> Host:
        """This host; a site without [hosts] has one with all roles. Raises SettingsError."""
        if self.hosts:
            return self.hosts[self.host_name]
        return Host(app_servers=self.app.count, sage_servers=self.sage.count)


SECTIONS: dict[str, type] = {
    name: section_type
    for name, section_type in typing.get_type_hints(Settings).items()
    if isinstance(section_type, type) and dataclasses.is_dataclass(section_type)
}


def read(path: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of `path` under those of `environment`.

    `path` defaults to `$SALVUS_CONFIG`, then `conf/salvus.toml`. Raises SettingsError.
    """
    environment = os.environ if environment is None else environment
    path = path or Path(environment.get("SALVUS_CONFIG") or DEFAULT_FILE)
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: is not TOML: {error}") from None

    tables, named = document.pop("hosts", {}), document.pop("providers", {})
    unknown = set(document) - set(SECTIONS)
    if unknown:
        raise SettingsError(
            f"{path}: unknown section [{min(unknown)}]; known are "
            + ", ".join(f"[{name}]" for name in (*SECTIONS, "hosts.NAME", "providers.NAME"))
        )
    kinds = _take_kinds(document, str(path))
    sections = {
        name: _section(name, section_type, document.get(name, {}), environment, str(path))
        for name, section_type in SECTIONS.items()
    }
    usual = sections["limits"]
    limits = {
        kind: _section(
            f"limits.{kind}",
            Limits,
            kinds.get(kind, {}),
            environment,
            str(path),
            _of_guests(usual) if kind == "guest" else usual,
        )
        for kind in KINDS
    }
    different = {kind: found for kind, found in limits.items() if found != usual}
    found = Settings(**sections, kinds=different, file=str(path), text=text)
    if found.mining.within_hours < found.mining.hours:
        raise SettingsError(
            f"{path}: mining.within_hours = {found.mining.within_hours:g}: expected at least"
            f" mining.hours, which is {found.mining.hours:g}"
        )
    hosts = _hosts(tables, found, environment)
    return dataclasses.replace(
        found, hosts=hosts, providers=_providers(named, environment, found.file)
    )


def _providers(
    tables: Any, environment: Mapping[str, str], source: str
) -> dict[str, Provider]:
    """The sections [providers.NAME] that have an id, so that people may sign in there."""
    if not isinstance(tables, dict):
        raise SettingsError(f"{source}: providers = {tables!r}: expected [providers.NAME]")
    providers: dict[str, Provider] = {}
    for name in (*PROVIDERS, *(name for name in tables if name not in PROVIDERS)):
        if not re.fullmatch("[a-z][a-z0-9_]{0,30}", name):
            raise SettingsError(
                f"{source}: [providers.{name}]: expected a name of small letters, digits and _"
            )
        one = _section(f"providers.{name}", Provider, tables.get(name, {}), environment, source)
        if one.id and not one.secret:
            raise SettingsError(f"{source}: [providers.{name}] has an id and needs its secret")
        if one.id and not one.issuer and name not in PROVIDERS:
            raise SettingsError(
                f"{source}: [providers.{name}] needs an issuer; without one only "
                + ", ".join(PROVIDERS)
                + " are known"
            )
        if one.id:
            providers[name] = one
    return providers


def _hosts(tables: Any, found: Settings, environment: Mapping[str, str]) -> dict[str, Host]:
    """The sections [hosts.NAME], which must make a whole site."""
    if not isinstance(tables, dict):
        raise SettingsError(f"{found.file}: hosts = {tables!r}: expected sections [hosts.NAME]")
    usual = Host(app_servers=found.app.count, sage_servers=found.sage.count)
    hosts: dict[str, Host] = {}
    for name, table in tables.items():
        if not is_host_name(name) or name.startswith("*"):
            raise SettingsError(f"{found.file}: [hosts.{name}]: expected a host name")
        if isinstance(table, dict) and "address" not in table:
            raise SettingsError(f"{found.file}: [hosts.{name}] needs an address")
        hosts[name] = _section(
            f"hosts.{name}", Host, table, environment, found.file, usual
        )
    if hosts:
        _require_whole(hosts, found)
    return hosts


def _require_whole(hosts: Mapping[str, Host], found: Settings) -> None:
    playing = {role: [name for name in hosts if role in hosts[name].roles] for role in ROLES}
    wrong = ""
    if not found.database.url and len(playing["database"]) != 1:
        wrong = "one host must have the role database, or [database] url name a server"
    elif not playing["app"]:
        wrong = "no host has the role app"
    elif not (playing["sage"] or found.sage.servers or found.sage.servers_file):
        wrong = "no host has the role sage, and [sage] servers names none"
    elif len({host.address for host in hosts.values()}) < len(hosts):
        wrong = "two hosts have the same address"
    elif found.vpn.server:
        wrong = _wrong_with_vpn(hosts, found.vpn)
    if wrong:
        raise SettingsError(f"{found.file}: [hosts]: {wrong}")


def _wrong_with_vpn(hosts: Mapping[str, Host], vpn: Vpn) -> str:
    """In words; empty if nothing is."""
    members = {name: host.address for name, host in hosts.items() if "vpn" in host.roles}
    if vpn.server not in members:
        return f"[vpn] server = {vpn.server!r}: expected a host with the role vpn"
    if not vpn.address:
        return "[vpn] address must say where the others reach the VPN's server"
    network = ipaddress.IPv4Network(vpn.network)
    for name, address in members.items():
        if not is_ip_address(address) or ipaddress.ip_address(address) not in network:
            return f"{name} has the role vpn, so its address must be one of {vpn.network}"
    return ""


def _take_kinds(document: dict[str, Any], source: str) -> dict[str, Any]:
    """The tables [limits.KIND], taken out of `document`."""
    table = document.get("limits")
    if not isinstance(table, dict):
        return {}
    kinds = {name: value for name, value in table.items() if isinstance(value, dict)}
    unknown = set(kinds) - set(KINDS)
    if unknown:
        raise SettingsError(
            f"{source}: unknown section [limits.{min(unknown)}]; kinds of users are "
            + ", ".join(KINDS)
        )
    document["limits"] = {name: value for name, value in table.items() if name not in kinds}
    return kinds


def _section(
    name: str,
    section_type: Any,
    table: Any,
    environment: Mapping[str, str],
    source: str,
    usual: Any = None,
) -> Any:
    """One dataclass from one table, the environment winning; the rest is as in `usual`."""
    if not isinstance(table, dict):
        raise SettingsError(f"{source}: {name} = {table!r}: expected a section [{name}]")
    types = typing.get_type_hints(section_type)
    unknown = set(table) - set(types)
    if unknown:
        raise SettingsError(
            f"{source}: unknown key {name}.{min(unknown)}; "
            f"[{name}] knows " + ", ".join(types)
        )
    values = {}
    for one in dataclasses.fields(section_type):
        variable = f"SALVUS_{name}_{one.name}".replace(".", "_").upper()
        if variable in environment:
            where, found = f"environment: {variable}", environment[variable]
            value = _from_text(types[one.name], found, where)
        elif one.name in table:
            where, found = f"{source}: {name}.{one.name}", table[one.name]
            value = _from_toml(types[one.name], found, where)
        else:
            continue
        rule = one.metadata["rule"]
        if rule and not rule.holds(value):
            raise SettingsError(f"{where} = {found!r}: expected {rule.words}")
        values[one.name] = value
    return dataclasses.replace(usual, **values) if usual else section_type(**values)


WORDS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text in quotes",
    tuple[str, ...]: "a list of texts",
}


def _from_toml(kind: Any, found: Any, where: str) -> Any:
    """A TOML value as `kind`; an int will do for a float, a bool never for a number."""
    if kind is float and type(found) is int:
        return float(found)
    if kind == tuple[str, ...]:
        if isinstance(found, list) and all(type(item) is str for item in found):
            return tuple(found)
    elif type(found) is kind:
        return found
    raise SettingsError(f"{where} = {found!r}: expected {WORDS[kind]}")


def _from_text(kind: Any, found: str, where: str) -> Any:
    """An environment variable as `kind`; lists are separated by commas."""
    if kind is str:
        return found
    if kind == tuple[str, ...]:
        return tuple(item.strip() for item in found.split(",") if item.strip())
    if kind is bool:
        if found.lower() in ("true", "false", "1", "0"):
            return found.lower() in ("true", "1")
    else:
        try:
            return kind(found)
        except ValueError:
            pass
    raise SettingsError(f"{where} = {found!r}: expected {WORDS[kind].removesuffix(' in quotes')}")

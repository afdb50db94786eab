"""HAProxy, nginx and stunnel in front of app servers, with what browsers and attackers send."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import socket
import ssl
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import gevent
import psutil
import pytest
import requests
from cryptography import x509
from gevent.pywsgi import WSGIServer
from requests.adapters import HTTPAdapter

from app import assets
from supervisor import (
    catalog,
    certs,
    conf,
    front,
    haproxy,
    locations,
    privileges,
    programs,
    public,
)
from supervisor.haproxy import AppServer
from supervisor.renewal import Reloads, renew
from supervisor.service import CannotStart, State
from supervisor.supervisor import Supervisor
from tests import host

PATIENCE = 30.0


class Echo:
    """An app server that answers with the headers it got."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.server = WSGIServer(("127.0.0.1", 0), self._answer, log=None, error_log=None)
        self.server.start()

    @property
    def as_app_server(self) -> AppServer:
        return AppServer(self.name, "127.0.0.1", self.port)

    @property
    def port(self) -> int:
        port = self.server.server_port
        assert port
        return port

    def _answer(self, environ: dict[str, object], start: Callable[..., object]) -> list[bytes]:
        start("200 OK", [("Content-Type", "application/json")])
        said = {key: value for key, value in environ.items() if isinstance(value, str)}
        return [json.dumps({"server": self.name, **said}).encode()]


class Front:
    """HAProxy and what goes with it, under a supervisor."""

    def __init__(self, folder: Path, app_servers: tuple[AppServer, ...], **keys: str) -> None:
        ports = {"haproxy_port": str(host.free_port())}
        ports["haproxy_redirect_port"] = str(host.free_port())
        self.settings = host.settings_in(
            folder, **{"haproxy_host": "127.0.0.1", "supervisor_hung_seconds": "5", **ports, **keys}
        )
        locations.make_all(self.settings)
        self.said: list[tuple[str, State, str]] = []
        self.services = front.services(self.settings, app_servers)
        self.supervisor = Supervisor(
            services=self.services,
            rules=catalog.rules(self.settings),
            on_change=lambda name, state, reason: self.said.append((name, state, reason)),
        )
        self.reloads = Reloads(lambda: self.services, self.supervisor.signal)
        self.origin = public.origin(self.settings)
        self.ca = self.settings.data_dir / "certificates" / "ca.pem"

    def start(self) -> None:
        self.supervisor.start()
        failures = self.supervisor.wait_settled()
        assert not failures, (failures, self.logs())
        self.reloads.run()

    def get(self, path: str, *, source: str = "127.0.0.1", **headers: str) -> requests.Response:
        """`source`: the address to ask from. Headers with _ for -."""
        with requests.Session() as session:
            session.mount("https://", From(source))
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            ca = str(self.ca)
            return session.get(self.origin + path, headers=named, verify=ca, timeout=PATIENCE)

    def pid(self, name: str) -> int:
        (pid,) = (one["pid"] for one in self.supervisor.snapshot() if one["name"] == name)
        assert pid
        return pid

    def ups(self, name: str) -> int:
        return sum(said[:2] == (name, State.UP) for said in self.said)

    def serial(self) -> int:
        """Of the certificate that browsers are shown now."""
        return serial(public.ports(self.settings).https)

    def logs(self) -> str:
        files = sorted((self.settings.data_dir / "logs").glob("*.log"))
        return "\n".join(f"--- {file.name}\n{file.read_text()}" for file in files)


class From(HTTPAdapter):
    """Asks from an address of this host."""

    def __init__(self, source: str) -> None:
        self._source = source
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **keys: Any) -> None:
        super().init_poolmanager(*arguments, source_address=(self._source, 0), **keys)


def serial(port: int) -> int:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as raw,
        context.wrap_socket(raw) as secured,
    ):
        shown = secured.getpeercert(binary_form=True)
    assert shown
    return x509.load_der_x509_certificate(shown).serial_number


def wait_until(holds: Callable[[], object], seconds: float = PATIENCE) -> None:
    with gevent.Timeout(seconds):
        while not holds():
            gevent.sleep(0.05)


@contextmanager
def echo(name: str = "app1") -> Iterator[Echo]:
    made = Echo(name)
    yield made
    made.server.stop()


@pytest.fixture
def app_server() -> Iterator[Echo]:
    with echo() as made:
        yield made


Started = Callable[..., Front]


@pytest.fixture
def started(app_server: Echo) -> Iterator[Started]:
    """Starts fronts of the app server, with settings as in the environment."""
    host.needs("haproxy")
    stack = ExitStack()

    def start(*app_servers: AppServer, **keys: str) -> Front:
        servers = app_servers or (app_server.as_app_server,)
        made = Front(stack.enter_context(host.short_folder()), servers, **keys)
        stack.callback(made.supervisor.stop)
        made.start()
        return made

    with stack:
        yield start


# --- What app servers are told -------------------------------------------------------


def test_app_servers_are_told_who_asks_and_by_nobody_else(started: Started) -> None:
    found = started().get(
        "/somewhere?x=1",
        source="127.0.0.7",
        X_Forwarded_For="9.9.9.9",
        X_Forwarded_Proto="http",
        X_Forwarded_Host="evil.example",
        X_Forwarded_Prefix="/evil",
        X_Real_IP="9.9.9.9",
        Forwarded="for=9.9.9.9",
    ).json()
    told = {name: value for name, value in found.items() if "FORWARDED" in name or "REAL" in name}
    assert told == {"HTTP_X_FORWARDED_FOR": "127.0.0.7", "HTTP_X_FORWARDED_PROTO": "https"}
    assert found["QUERY_STRING"] == "x=1"


def test_names_that_programs_take_for_others_do_not_pass(started: Started) -> None:
    """X_Forwarded_For and X-Forwarded-For are the same to WSGI."""
    with requests.Session() as session:
        site = started()
        found = session.get(
            site.origin + "/",
            headers={"X_Forwarded_For": "9.9.9.9", "SCRIPT_NAME": "/evil"},
            verify=str(site.ca),
            timeout=PATIENCE,
        ).json()
    assert found["HTTP_X_FORWARDED_FOR"] == "127.0.0.1"
    assert "/evil" not in found.values()


# --- TLS -----------------------------------------------------------------------------


def test_browsers_get_http_2_and_no_old_tls(started: Started) -> None:
    site = started()
    context = ssl.create_default_context(cafile=str(site.ca))
    context.set_alpn_protocols(["h2", "http/1.1"])
    port = public.ports(site.settings).https
    with (
        socket.create_connection(("127.0.0.1", port)) as raw,
        context.wrap_socket(raw, server_hostname="127.0.0.1") as secured,
    ):
        assert secured.selected_alpn_protocol() == "h2"
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", port)) as raw,
        pytest.raises(OSError, match=r"(?i)protocol|alert|EOF"),
    ):
        context.wrap_socket(raw, server_hostname="127.0.0.1")


@pytest.mark.parametrize("terminator", ["haproxy", "stunnel"])
@pytest.mark.parametrize("listen", ["0.0.0.0", "::", "::1"])
def test_it_listens_at_all_addresses_or_at_one(
    started: Started, terminator: str, listen: str
) -> None:
    if terminator == "stunnel":
        host.needs("stunnel4")
    if ":" in listen and not Path("/proc/net/if_inet6").exists():
        host.missing("IPv6")
    site = started(haproxy_host=listen, tls_terminator=terminator)
    address = f"https://{'[::1]' if listen == '::1' else '127.0.0.1'}:{site.settings.haproxy.port}"
    found = requests.get(address, verify=str(site.ca), timeout=PATIENCE)
    assert found.json()["HTTP_X_FORWARDED_FOR"] == ("::1" if listen == "::1" else "127.0.0.1")


@pytest.mark.parametrize("name", ["a.org", "a.org:80", "10.1.2.3:80", "[::1]:80", "[::1]"])
def test_http_leads_to_https(started: Started, name: str) -> None:
    site = started()
    address = f"http://127.0.0.1:{public.ports(site.settings).redirect}"
    for path in ("/w/1?x=1&y=2", "/", "/.well-known/acme-challenge/x"):
        found = requests.get(
            address + path, headers={"Host": name}, allow_redirects=False, timeout=PATIENCE
        )
        assert found.status_code == 302
        host_name = name.removesuffix(":80")
        where = f"https://{host_name}:{site.settings.haproxy.port}{path}"
        assert found.headers["Location"] == where


def test_an_acme_client_gets_its_challenges(started: Started) -> None:
    with echo("acme") as client:
        site = started(tls_acme_port=str(client.port))
        address = f"http://127.0.0.1:{public.ports(site.settings).redirect}"
        found = requests.get(f"{address}/.well-known/acme-challenge/x", timeout=PATIENCE)
        assert found.json()["server"] == "acme"
        other = requests.get(f"{address}/", allow_redirects=False, timeout=PATIENCE)
        assert other.status_code == 302


def test_browsers_are_told_to_insist_on_tls_where_that_is_set(started: Started) -> None:
    assert "Strict-Transport-Security" not in started().get("/").headers
    found = started(tls_hsts_seconds="86400").get("/").headers
    assert found["Strict-Transport-Security"] == "max-age=86400"


def test_a_given_certificate_is_shown_and_followed(started: Started, tmp_path: Path) -> None:
    given = certs.ensure_public(tmp_path, ["sage.example.org"])
    site = started(
        tls_certificate=str(given.certificate), tls_certificate_key=str(given.key)
    )
    first = serial_of(given.certificate)
    assert site.serial() == first
    given.certificate.write_text("half a certifi")
    site.reloads.run()
    os.kill(site.pid("haproxy"), signal.SIGKILL)
    wait_until(lambda: site.ups("haproxy") == 2)
    assert site.serial() == first
    assert any("site.pem is refused" in notice for notice in front.notices(site.settings))
    certs.ensure_public(tmp_path, ["other.example.org"])
    assert serial_of(given.certificate) != first
    site.reloads.run()
    wait_until(lambda: site.serial() == serial_of(given.certificate))
    assert site.ups("haproxy") == 2, "it was reloaded, not restarted"
    assert front.notices(site.settings) == ()


@pytest.mark.parametrize("terminator", ["haproxy", "stunnel"])
def test_a_certificate_that_expires_is_renewed_and_shown(
    started: Started, terminator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if terminator == "stunnel":
        host.needs("stunnel4")
    site = started(tls_terminator=terminator)
    first, pid = site.serial(), site.pid(terminator)
    with monkeypatch.context() as patch:
        patch.setattr(certs, "HOST_LIFE", certs.RENEW_BEFORE + timedelta(seconds=1))
        certs.ensure_public(site.settings.data_dir, ["short.example.org"])
    gevent.sleep(1.1)
    renew(site.settings)
    site.reloads.run()
    wait_until(lambda: site.serial() != first)
    paths = certs.public_paths(site.settings.data_dir)
    assert site.serial() == serial_of(paths.certificate)
    shown = x509.load_pem_x509_certificate(paths.certificate.read_bytes())
    assert shown.not_valid_after_utc - datetime.now(UTC) > certs.RENEW_BEFORE
    assert site.pid(terminator) == pid
    assert site.get("/").status_code == 200


def serial_of(certificate: Path) -> int:
    return x509.load_pem_x509_certificate(certificate.read_bytes()).serial_number


# --- stunnel -------------------------------------------------------------------------


def test_through_stunnel_the_browser_s_address_arrives(started: Started) -> None:
    host.needs("stunnel4")
    site = started(tls_terminator="stunnel")
    found = site.get("/", source="127.0.0.9", X_Forwarded_For="9.9.9.9").json()
    assert found["HTTP_X_FORWARDED_FOR"] == "127.0.0.9"
    assert found["HTTP_X_FORWARDED_PROTO"] == "https"


def test_only_stunnel_reaches_where_addresses_are_believed(started: Started) -> None:
    host.needs("stunnel4")
    site = started(tls_terminator="stunnel")
    believed = haproxy.stunnel_socket(site.settings)
    assert stat.S_IMODE(believed.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(believed.stat().st_mode) == 0o600


# --- Several -------------------------------------------------------------------------


def test_app_servers_share_the_work_and_stand_in_for_each_other(
    started: Started, app_server: Echo
) -> None:
    with echo("app2") as second:
        site = started(app_server.as_app_server, second.as_app_server)
        assert {site.get("/").json()["server"] for _ in range(10)} == {"app1", "app2"}
        second.server.stop()
        assert {site.get("/").json()["server"] for _ in range(10)} == {"app1"}


def test_who_has_a_worksheet_open_meets_at_one_app_server(
    started: Started, app_server: Echo
) -> None:
    with echo("app2") as second:
        site = started(app_server.as_app_server, second.as_app_server)
        paths = [f"/socket/{number}" for number in range(10)]
        first = [site.get(path).json()["server"] for path in paths]
        assert [site.get(path).json()["server"] for path in paths] == first
        assert set(first) == {"app1", "app2"}


def test_two_haproxies_serve_one_site(started: Started, app_server: Echo) -> None:
    one, two = started(), started()
    for site in (one, two, one):
        assert site.get("/").json()["server"] == "app1"
    os.kill(one.pid("haproxy"), signal.SIGKILL)
    assert two.get("/").status_code == 200


def test_without_app_servers_the_site_is_said_to_start(
    started: Started, app_server: Echo
) -> None:
    site = started()
    app_server.server.stop()
    found = site.get("/")
    assert found.status_code == 503
    assert "tries again by itself" in found.text
    gevent.sleep(site.settings.supervisor.hung_seconds)
    assert site.ups("haproxy") == 1, "it is not to blame"


# --- Limits --------------------------------------------------------------------------


def test_who_asks_too_much_is_told_so_and_nobody_else(started: Started) -> None:
    site = started(haproxy_requests_per_minute="20", supervisor_probe_seconds="60")
    statuses = [site.get("/", source="127.0.0.2").status_code for _ in range(25)]
    assert statuses == [200] * 20 + [429] * 5
    refused = site.get("/", source="127.0.0.2")
    assert refused.text == (
        "Too many requests from your address: at most 20 a minute. Wait a little.\n"
    )
    assert int(refused.headers["Retry-After"]) > 0
    spoofed = site.get("/", source="127.0.0.2", X_Forwarded_For="9.9.9.9")
    assert spoofed.status_code == 429
    assert site.get("/", source="127.0.0.3").status_code == 200
    static = site.get(assets.address("icon.svg"), source="127.0.0.2")
    assert static.status_code == 200, "static files do not count"


@pytest.mark.parametrize("terminator", ["haproxy", "stunnel"])
def test_addresses_of_ipv4_are_told_apart_on_a_socket_of_ipv6(
    started: Started, terminator: str
) -> None:
    if terminator == "stunnel":
        host.needs("stunnel4")
    site = started(
        haproxy_host="::", haproxy_requests_per_minute="20", tls_terminator=terminator
    )
    site.origin = f"https://127.0.0.1:{site.settings.haproxy.port}"
    statuses = [site.get("/", source="127.0.0.2").status_code for _ in range(21)]
    assert statuses[-1] == 429
    assert site.get("/", source="127.0.0.3").status_code == 200


def test_who_holds_too_many_connections_is_told_so(started: Started) -> None:
    site = started(haproxy_connections_per_address="5")
    context = ssl.create_default_context(cafile=str(site.ca))
    address = ("127.0.0.1", public.ports(site.settings).https)
    held = [
        context.wrap_socket(
            socket.create_connection(address, source_address=("127.0.0.2", 0)),
            server_hostname="127.0.0.1",
        )
        for _ in range(5)
    ]
    refused = site.get("/", source="127.0.0.2")
    assert refused.status_code == 429
    assert "Too many connections from your address: at most 5" in refused.text
    assert site.get("/", source="127.0.0.3").status_code == 200
    for each in held:
        each.close()
    wait_until(lambda: site.get("/", source="127.0.0.2").status_code == 200)


# --- Static files --------------------------------------------------------------------


@pytest.mark.parametrize("path", ["js/worksheet.js", "vendor/fonts/KaTeX_AMS-Regular.woff2"])
def test_nginx_serves_static_files_to_be_kept_for_ever(started: Started, path: str) -> None:
    host.needs("nginx")
    found = started().get(assets.address(path))
    content = (assets.FOLDER / path).read_bytes()
    assert found.content == content
    assert found.headers["Content-Type"].partition(";")[0] == assets.TYPES[Path(path).suffix]
    assert "immutable" in found.headers["Cache-Control"]
    assert found.headers["X-Content-Type-Options"] == "nosniff"
    assert found.headers.get("Access-Control-Allow-Origin") == ("*" if "vendor" in path else None)
    if path.endswith(".js"):
        assert found.headers["Content-Encoding"] == "gzip"
        sent = int(found.headers["Content-Length"])
        assert sent == len(gzip.compress(content, 9)) < len(content)


@pytest.mark.parametrize(
    "path", ["nothing.js", "js/", "", "js/worksheet.js.gz", "../../../supervisor.lock", "a.html"]
)
def test_nginx_serves_nothing_else(started: Started, path: str) -> None:
    host.needs("nginx")
    site = started()
    address = site.origin + assets.address("") + path
    with requests.Session() as session:
        asked = requests.Request("GET", address).prepare()
        asked.url = address  # as it is, dots and all
        found = session.send(asked, verify=str(site.ca), timeout=PATIENCE)
    assert found.status_code in (400, 404)


def test_without_nginx_app_servers_serve_static_files(started: Started) -> None:
    host.needs("nginx")
    site = started()
    file = assets.address("icon.svg")
    assert "svg" in site.get(file).headers["Content-Type"]
    os.kill(site.pid("nginx"), signal.SIGSTOP)
    os.kill(site.pid("nginx"), signal.SIGKILL)
    found = site.get(file)
    assert found.status_code == 200
    wait_until(lambda: site.ups("nginx") == 2)
    wait_until(lambda: "svg" in site.get(file).headers["Content-Type"])


# --- Configuration -------------------------------------------------------------------


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the templates, which is used."""
    shutil.copytree(conf.TEMPLATES, tmp_path / "conf")
    monkeypatch.setattr(conf, "TEMPLATES", tmp_path / "conf")
    return tmp_path / "conf"


@pytest.mark.parametrize(
    ("name", "program", "words"),
    [
        ("haproxy.cfg", "haproxy", "unknown keyword 'nonsense'"),
        ("nginx.conf", "nginx", 'unknown directive "nonsense"'),
    ],
)
def test_a_broken_template_is_refused_and_the_old_file_kept(
    started: Started, templates: Path, name: str, program: str, words: str
) -> None:
    host.needs("nginx")
    site = started()
    assert front.notices(site.settings) == ()
    file = site.settings.data_dir / "conf" / name
    before = file.read_text()
    template = templates / name
    text = template.read_text()
    template.write_text(text + "\nnonsense here;\n")
    site.reloads.run()
    os.kill(site.pid(program), signal.SIGKILL)
    wait_until(lambda: site.ups(program) == 2)
    assert file.read_text() == before
    assert site.get("/").status_code == 200
    (notice,) = front.notices(site.settings)
    assert words in notice
    template.write_text(text)
    os.kill(site.pid(program), signal.SIGKILL)
    wait_until(lambda: site.ups(program) == 3)
    assert front.notices(site.settings) == ()


def test_a_changed_configuration_is_taken_up_and_connections_live_on(
    started: Started, templates: Path
) -> None:
    site = started()
    context = ssl.create_default_context(cafile=str(site.ca))
    address = ("127.0.0.1", public.ports(site.settings).https)
    raw = socket.create_connection(address, timeout=PATIENCE)
    with context.wrap_socket(raw, server_hostname="127.0.0.1") as opened:
        site.reloads.run()
        worker = workers(site)
        template = templates / "haproxy.cfg"
        template.write_text(
            template.read_text().replace(
                "http-response del-header Server", "http-response set-header Server new"
            )
        )
        site.reloads.run()
        wait_until(lambda: site.get("/").headers.get("Server") == "new")
        assert set(worker) <= set(workers(site)), "the one before still has a connection"
        opened.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert opened.recv(100).startswith(b"HTTP/1.1 200")
    wait_until(lambda: not set(worker) & set(workers(site)))
    assert site.ups("haproxy") == 1


def workers(site: Front) -> list[int]:
    return [child.pid for child in psutil.Process(site.pid("haproxy")).children()]


# --- Processes -----------------------------------------------------------------------


@pytest.mark.parametrize("program", ["haproxy", "nginx", "stunnel"])
def test_a_killed_one_leaves_nothing_and_comes_back(started: Started, program: str) -> None:
    host.needs("stunnel4" if program == "stunnel" else program)
    site = started(tls_terminator="stunnel" if program == "stunnel" else "haproxy")
    first = psutil.Process(site.pid(program))
    children = first.children(recursive=True)
    first.kill()
    wait_until(lambda: site.ups(program) == 2)
    assert not [child for child in children if child.is_running()]
    assert site.get("/").status_code == 200
    assert site.get(assets.address("icon.svg")).status_code == 200


def test_after_a_reload_a_killed_master_takes_all_workers_along(
    started: Started, app_server: Echo
) -> None:
    site = started()
    master = psutil.Process(site.pid("haproxy"))
    master.send_signal(haproxy.RELOAD)
    wait_until(lambda: site.get("/").status_code == 200)
    running = master.children()
    master.kill()
    wait_until(lambda: not any(worker.is_running() for worker in running))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to give up")
def test_what_root_starts_is_not_root_s(started: Started) -> None:
    for program in ("nginx", "stunnel4"):
        host.needs(program)
    site = started(tls_terminator="stunnel")
    for name in ("haproxy", "nginx", "stunnel"):
        process = psutil.Process(site.pid(name))
        for each in (process, *process.children()):
            assert 0 not in (each.uids().real, each.uids().effective, each.gids().effective)
            lines = Path(f"/proc/{each.pid}/status").read_text().splitlines()
            rights = dict(line.split(":\t") for line in lines if ":\t" in line)
            assert int(rights["CapEff"], 16) == int(rights["CapBnd"], 16) == 0
            assert rights["NoNewPrivs"] == "1"
    key = public.certificate(site.settings)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give away a low port")
def test_a_low_port_is_all_that_is_kept_of_root() -> None:
    told = conf.failure(
        privileges.confined(
            ("sh", "-c", "id -u; grep Cap /proc/self/status; exit 1"), "nobody", low_ports=True
        )
    )
    assert told.splitlines()[0] == "65534"
    assert {line.split()[1] for line in told.splitlines()[1:]} == {"0000000000000400"}


# --- What is missing -----------------------------------------------------------------


def test_what_is_not_installed_is_done_without_and_said(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = host.settings_in(data_dir, haproxy_host="127.0.0.1", tls_terminator="stunnel")
    monkeypatch.setattr(programs, "ALSO", "")
    monkeypatch.setenv("PATH", str(data_dir))
    assert front.services(settings, ()) == ()
    assert front.origin(settings) == "http://127.0.0.1:8000"
    assert front.proxies(settings) == ()
    (notice,) = front.notices(settings)
    assert "apt-get install haproxy" in notice
    (data_dir / "haproxy").touch(mode=0o755)
    words = " ".join(front.notices(settings))
    assert "apt-get install nginx-light" in words
    assert "apt-get install stunnel4" in words
    assert [one.name for one in front.services(settings, ())] == ["haproxy"]


@pytest.mark.parametrize(
    ("keys", "may", "origin", "words"),
    [
        ({}, False, "http://127.0.0.1:8000", []),
        ({"app_host": "0.0.0.0"}, False, "http://0.0.0.0:8000", ["without encryption"]),
        ({"haproxy_host": "10.1.2.3"}, True, "https://10.1.2.3", []),
        (
            {"haproxy_host": "10.1.2.3"},
            False,
            "https://10.1.2.3:8443",
            ["at port 8443, not 443", "nothing at port 80"],
        ),
        (
            {"haproxy_host": "::", "tls_names": "*.a.org,b.a.org", "haproxy_port": "444"},
            True,
            "https://b.a.org:444",
            [],
        ),
        ({"haproxy_host": "::1"}, True, "https://[::1]", []),
        ({"haproxy_host": "::1", "app_address": "https://a.org"}, True, "https://a.org", []),
    ],
)
def test_the_site_s_address(
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    keys: dict[str, str],
    may: bool,
    origin: str,
    words: list[str],
) -> None:
    host.needs("haproxy")
    host.needs("nginx")
    monkeypatch.setattr(privileges, "may_listen", lambda port: may or port >= 1024)
    settings = host.settings_in(data_dir, **keys)
    assert front.origin(settings) == origin
    notices = front.notices(settings)
    assert len(notices) == len(words)
    for notice, word in zip(notices, words, strict=True):
        assert word in notice


def test_a_port_that_only_root_may_have_is_refused_with_its_cure(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.needs("haproxy")
    monkeypatch.setattr(privileges, "may_listen", lambda port: port >= 1024)
    settings = host.settings_in(data_dir, haproxy_host="127.0.0.1", haproxy_port="443")
    with pytest.raises(CannotStart, match="only root may listen on a port below 1024"):
        haproxy.prepare(settings, ())


def test_as_many_connections_as_there_are_files_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda kind: (1024, 4096))
    assert haproxy.connections(20_000) == (4096 - haproxy.RESERVED_FILES) // 2
    assert haproxy.connections(100) == 100


def test_a_refused_file_is_told_where_there_is_no_front_too(data_dir: Path) -> None:
    settings = host.settings_in(data_dir)
    locations.make_all(settings)
    (locations.rendered(settings) / "postgresql.conf.reason").write_text("no such setting")
    assert front.notices(settings) == (
        "postgresql.conf is refused, the one before is in use: no such setting",
    )

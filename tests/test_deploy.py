"""Deploys over a real sshd, of the test's own, to a second host that is this machine."""

from __future__ import annotations

import getpass
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import gevent
import psutil
import pytest

from app import settings as settings_file
from app.settings import ROOT, Settings, SettingsError
from app.wire.messages_pb2 import State
from supervisor import deployment, lock
from supervisor.deployment import DeployError, Deployment, Options
from tests import host
from tests.page_client import Page, SignedIn
from tests.running_site import RunningSite, supervised

SITE = """
[site]
data_dir = "{folder}/beta data"
[app]
port = {ports}
[sage]
port = {sage}
warm_up = false
[database]
port = {database}
[memcached]
port = {memcached}
[supervisor]
port = {supervisor}
[hosts.alpha]
address = "127.0.0.1"
roles = ["database", "cache", "app"]
[hosts.beta]
address = "127.0.0.2"
roles = ["sage"]
ssh = "ssh://{user}@127.0.0.1:{ssh}"
folder = "{folder}/it's $(touch gone); a \\\\ folder"
"""
SSHD = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
PidFile none
StrictModes no
PasswordAuthentication no
UsePAM no
SetEnv SALVUS_SAGE_PYTHON={python}
"""
SSH = """
IdentityFile {folder}/user_key
IdentitiesOnly yes
UserKnownHostsFile {folder}/known_hosts
GlobalKnownHostsFile none
"""


@dataclass
class Far:
    """The site file, and how ssh finds the second host."""

    folder: Path
    ports: dict[str, int]

    @property
    def file(self) -> Path:
        return self.folder / "site.toml"

    @property
    def config(self) -> Path:
        return self.folder / "ssh_config"

    @property
    def program(self) -> Path:
        return Path(self.settings("beta").hosts["beta"].folder)

    @property
    def data_dir(self) -> Path:
        return self.folder / "beta data"

    def settings(self, name: str = "alpha") -> Settings:
        variables = {"SALVUS_SITE_HOST": name}
        if name == "alpha":
            variables["SALVUS_SITE_DATA_DIR"] = str(self.folder / "alpha")
        return settings_file.read(self.file, variables)

    def deploy(self, *, install: bool = False, start: bool = False) -> list[str]:
        """What it says."""
        said: list[str] = []
        options = Options(install=install, start=start, ssh_config=str(self.config))
        Deployment(self.settings(), "beta", options, said.append).run()
        return said


@pytest.fixture(scope="module")
def far() -> Iterator[Far]:
    sshd = Path(host.needs("sshd"))
    for program in ("ssh", "ssh-keygen", "memcached"):
        host.needs(program)
    plain = ROOT / ".venv-plain" / "bin" / "python"
    if not plain.exists():
        host.missing(".venv-plain")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with host.short_folder() as folder:
        port = host.free_port()
        ports = {name: host.free_port() for name in ("sage", "database", "memcached", "supervisor")}
        ports["ports"] = host.free_port()
        (folder / "site.toml").write_text(
            SITE.format(folder=folder, user=getpass.getuser(), ssh=port, **ports)
        )
        for name in ("host_key", "user_key"):
            make_key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            subprocess.run(make_key, check=True)
        key = (folder / "host_key.pub").read_text()
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {key}")
        (folder / "ssh_config").write_text(SSH.format(folder=folder))
        config = folder / "sshd_config"
        config.write_text(SSHD.format(folder=folder, port=port, python=plain))
        with open(folder / "sshd.log", "wb") as log:
            server = subprocess.Popen([str(sshd), "-D", "-e", "-f", str(config)], stderr=log)
        try:
            wait_listening(server, port, folder / "sshd.log")
            yield Far(folder, ports)
        finally:
            stop_supervisor(folder / "beta data")
            server.terminate()
            server.wait()


def wait_listening(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert server.poll() is None, log.read_text()
        gevent.sleep(0.02)


def stop_supervisor(data_dir: Path) -> None:
    pid = lock.holder(data_dir) if data_dir.exists() else None
    if pid:
        process = psutil.Process(pid)
        process.send_signal(signal.SIGTERM)
        process.wait(60)


@pytest.fixture(scope="module")
def alpha(far: Far) -> Iterator[RunningSite]:
    """The host that has the CA and all but Sage."""
    site = supervised(
        far.folder / "alpha",
        config=str(far.file),
        site_host="alpha",
        app_port=str(far.ports["ports"]),
        sage_port=str(far.ports["sage"]),
    )
    site.start()
    yield site
    site.stop()


def test_a_host_is_made_and_computes(far: Far, alpha: RunningSite) -> None:
    """Nothing in its folder's name is taken for a command."""
    make_environment(far.program / ".venv")
    said = "\n".join(far.deploy(install=True, start=True))
    assert re.search(r"sending \d+ files of the program", said)
    assert "sending the settings" in said
    assert "host.key" in said
    assert re.search(r"sage-1 .*up", said), said
    certificates = far.data_dir / "certificates"
    assert not (certificates / "ca.key").exists()
    for path in (*certificates.glob("*.*"), far.data_dir / "token"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.access(far.program / "install.sh", os.X_OK)
    assert not list(far.folder.rglob("gone"))
    person = SignedIn(alpha.new_address())
    page = Page(person, person.new_worksheet())
    # The app server has found the new sage server.
    page.until(lambda m: m.HasField("state") and m.state.kind != State.STARTING)
    page.run("print(6 * 7)")
    assert page.printed() == "42\n"
    page.close()

    # The same again, then changed settings, then a program that somebody has changed.
    pid = lock.holder(far.data_dir)
    assert far.deploy(install=True, start=True)[-1] == f"nothing to do: it runs (pid {pid})"
    far.file.write_text(far.file.read_text() + "# a comment\n")
    said = "\n".join(far.deploy(start=True))
    assert "sending the settings" in said
    assert f"runs already (pid {pid})" in said
    assert lock.holder(far.data_dir) == pid
    (far.program / "README.md").write_text("changed")
    said = "\n".join(far.deploy(start=True))
    assert "sending README.md of the program" in said
    assert f"stopping the supervisor of before (pid {pid})" in said
    assert lock.holder(far.data_dir) not in (pid, None)
    assert (far.program / "README.md").read_bytes() == (ROOT / "README.md").read_bytes()


def make_environment(folder: Path) -> None:
    """Our own, as install.sh would make it: it finds everything there."""
    folder.mkdir(parents=True)
    for name in ("bin", "lib", "pyvenv.cfg"):
        (folder / name).symlink_to((ROOT / ".venv" / name).resolve())
    (folder / ".installed").write_text("requirements-test.txt")


def test_what_deploys_no_longer_have_is_removed_and_other_files_are_not(far: Far) -> None:
    far.deploy()
    own, other = far.program / "app" / "old.py", far.program / "app" / "notes.txt"
    for path in (own, other):
        path.write_text("x")
    record = far.program / ".deployed"
    record.write_text(record.read_text().replace("[", '["program/app/old.py", ', 1))
    assert "removing app/old.py of the program" in far.deploy()
    assert not own.exists()
    assert other.exists()
    other.unlink()


def test_a_host_that_has_a_ca_of_its_own_is_not_overwritten(far: Far) -> None:
    key = far.data_dir / "certificates" / "ca.key"
    key.parent.mkdir(parents=True, exist_ok=True)
    key.touch()
    with pytest.raises(DeployError, match=r"beta: .*has the key of a CA"):
        far.deploy()
    key.unlink()


def test_a_full_disk_is_told_before_anything_is_sent(far: Far, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        host.missing("root, for a small file system")
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        host.missing("the right to mount")
    usual = far.file.read_text()
    try:
        folder = re.sub(r'(?m)^folder = .*$', f'folder = "{tmp_path}"', usual)
        far.file.write_text(folder)
        with pytest.raises(DeployError, match=r"beta: .*: no space: 1 MB are free, and \d+ MB"):
            far.deploy()
        assert list(tmp_path.iterdir()) == []
    finally:
        far.file.write_text(usual)
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_an_unknown_or_silent_host_is_told_with_the_cure(far: Far) -> None:
    usual = far.config.read_text()
    known = (far.folder / "known_hosts").read_text()
    try:
        (far.folder / "known_hosts").write_text("")
        with pytest.raises(DeployError, match=r"Host key verification .*connect once by hand"):
            far.deploy()
        (far.folder / "known_hosts").write_text(known)
        far.config.write_text(usual.replace("/user_key", "/host_key"))
        with pytest.raises(DeployError, match=r"Permission denied.*authorized_keys"):
            far.deploy()
        far.config.write_text(usual + f"ProxyCommand {sys.executable} -c pass\n")
        with pytest.raises(DeployError, match="beta: ssh ssh://"):
            far.deploy()
    finally:
        (far.folder / "known_hosts").write_text(known)
        far.config.write_text(usual)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gamma", r"has no section \[hosts\.gamma\]; its hosts: alpha, beta"),
        ("alpha", "alpha is this host"),
    ],
)
def test_what_is_no_other_host_is_refused(far: Far, name: str, words: str) -> None:
    with pytest.raises(DeployError, match=words):
        Deployment(far.settings(), name, Options(), print).run()


@pytest.mark.parametrize("ssh", ["-oProxyCommand=touch gone", "root@host name", "-l root"])
def test_options_are_no_destination(far: Far, tmp_path: Path, ssh: str) -> None:
    file = tmp_path / "site.toml"
    file.write_text(re.sub(r'(?m)^ssh = .*$', f'ssh = "{ssh}"', far.file.read_text()))
    with pytest.raises(SettingsError, match="user@host"):
        settings_file.read(file, {})


def test_neither_environments_nor_caches_are_sent(tmp_path: Path) -> None:
    for name in ("app/a.py", ".venv-sage/bin/python", "app/__pycache__/a.pyc", ".git/HEAD"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert list(deployment.program_files(tmp_path)) == ["program/app/a.py"]


def test_a_host_without_python_is_told(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployment, "PYTHON", "no-such-python3")
    with pytest.raises(DeployError, match="there is no python3: `apt-get install python3`"):
        far.deploy()

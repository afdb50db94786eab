"""The commands about a site's data and its other hosts: `backup`, `restore`, `deploy`."""

from __future__ import annotations

from pathlib import Path

import click

from app import settings as settings_file
from supervisor import archive, backup
from supervisor.archive import NoBackup
from supervisor.backup import BackupError
from supervisor.deployment import DeployError, Deployment, Options
from supervisor.restore import Restoration


@click.command("backup")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--base", is_flag=True, help="A copy of PostgreSQL's files, for large sites.")
@click.option("--keep", type=click.IntRange(min=1), help="Keep so many there, remove older ones.")
def backup_command(folder: Path | None, base: bool, keep: int | None) -> None:
    """Make a backup, in one file: database, certificates, token and settings.

    The site may run. The file goes to DIR, else to `[backup] folder`. It holds the site's
    secrets: only its owner may read it.
    """
    settings = settings_file.read()
    into = folder or backup.folder(settings)
    try:
        path = backup.take(settings, into, base=base)
    except BackupError as error:
        raise click.ClickException(f"no backup was made: {error}") from error
    click.echo(f"{path}: {_size(path)}")
    if keep:
        for old in backup.remove_old(into, settings.site.name, keep):
            click.echo(f"removed {old}")


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--stop", is_flag=True, help="Stop the site, if it runs, when all is ready.")
def restore_command(file: Path, stop: bool) -> None:
    """Make the site what it was when FILE was made by `backup`.

    The database there is now is kept aside. Certificates, token and settings that this host
    has stay as they are; those that are missing are put back.
    """
    settings = settings_file.read()
    click.echo(f"looking through {file} …")
    try:
        found = archive.read(file)
        about = found.about
        click.echo(f"it is of the site {about['site']}, made {about['made']} on {about['host']}")
        Restoration(settings, found, click.echo).run(stop=stop)
    except (NoBackup, BackupError) as error:
        raise click.ClickException(f"nothing was restored: {error}") from error


@click.command("deploy")
@click.argument("hosts", nargs=-1, required=True, metavar="HOST…|all")
@click.option("--no-install", is_flag=True, help="Don't run install.sh there.")
@click.option("--no-start", is_flag=True, help="Don't start or restart it.")
@click.option("-F", "ssh_config", default="", metavar="FILE", help="ssh's configuration.")
def deploy_command(
    hosts: tuple[str, ...], no_install: bool, no_start: bool, ssh_config: str
) -> None:
    """Put the program, settings and certificates on other hosts of the site, over ssh.

    HOST is a section `[hosts.HOST]`, whose `ssh` says where it is. Only what differs is sent.
    What runs there with another program is restarted, which ends its sessions. The key of the
    site's CA stays here.
    """
    settings = settings_file.read()
    if hosts == ("all",):
        hosts = tuple(name for name in settings.hosts if name != settings.host_name)
    options = Options(install=not no_install, start=not no_start, ssh_config=ssh_config)
    for name in hosts:
        click.secho(f"{name}:", bold=True)
        try:
            Deployment(settings, name, options, _say_below).run()
        except (DeployError, OSError) as error:
            raise click.ClickException(str(error)) from error


ALL = (backup_command, restore_command, deploy_command)


def _say_below(text: str) -> None:
    for line in text.splitlines():
        click.echo(f"  {line}")


def _size(path: Path) -> str:
    size = path.stat().st_size
    return f"{size / 1e6:.1f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"

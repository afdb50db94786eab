"""The commands that are about a site's data and its other hosts: `backup`, `restore`."""

from __future__ import annotations

from pathlib import Path

import click

from app import settings as settings_file
from supervisor import archive, backup
from supervisor.archive import NoBackup
from supervisor.backup import BackupError
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


ALL = (backup_command, restore_command)


def _size(path: Path) -> str:
    size = path.stat().st_size
    return f"{size / 1e6:.1f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"

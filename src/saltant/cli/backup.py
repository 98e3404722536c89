"""`saltant backup` and `saltant restore`."""

import os
from pathlib import Path

import click

from saltant.cli.database import refuse_postgresql
from saltant.config import Settings, SettingsError
from saltant.up.folder import DataFolder

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(epilog="Example: saltant backup /backups/saltant-$(date +%F).tar.gz")
@click.argument("file", type=FILE)
@click.option("--data-dir", type=click.Path(path_type=Path), help="The folder of the `saltant up` that is meant.")
@click.option("--without-files", is_flag=True, help="Leave logs and results out.")
@click.option("--force", is_flag=True, help="Write over FILE.")
def backup(file: Path, data_dir: Path | None, without_files: bool, force: bool) -> None:
    """Pack database, keys, logs and results into FILE, a .tar.gz, while `saltant up` goes on.

    Who has FILE can do everything that you can: it is made readable by you alone.
    """
    from saltant.up.archive import ArchiveError
    from saltant.up.backup import make_backup

    try:
        folder = _folder(data_dir, instead="pg_dump backs PostgreSQL up; logs and results are in SALTANT_FILES_DIR.")
        made = make_backup(folder, file, files=not without_files, force=force)
    except ArchiveError as error:
        raise click.ClickException(str(error)) from None
    elsewhere = None if without_files else _files_elsewhere(folder)
    if elsewhere:
        click.echo(f"Left out: what the server keeps of logs and results in {elsewhere}. Back that up too.", err=True)
    for each in made.left_out:
        # Jobs choose names: what would steer a terminal is escaped.
        click.echo(f"Left out: {each if each.isprintable() else ascii(each)}", err=True)
    size = file.stat().st_size / 1024**2
    click.echo(f"Backed up {len(made.entries)} files and folders to {file} ({size:.1f} MiB).", err=True)


@click.command(epilog="Example: saltant restore saltant-2026-01-31.tar.gz --data-dir /srv/saltant")
@click.argument("file", type=FILE)
@click.option("--data-dir", type=click.Path(path_type=Path), help="The folder to make: missing or empty.")
def restore(file: Path, data_dir: Path | None) -> None:
    """Make a folder of what `saltant backup` packed, after a check of all its checksums.

    `saltant up` on that folder then goes on from there: what ran at the time of the backup is lost, what waited runs.
    """
    from saltant.up.archive import ArchiveError
    from saltant.up.restore import restore as restore_to

    folder = _folder(data_dir, instead="pg_restore fills PostgreSQL.")
    os.umask(0o077)
    try:
        entries = restore_to(file, folder)
    except ArchiveError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Restored {len(entries)} files and folders into {folder.path}.", err=True)


def _files_elsewhere(folder: DataFolder) -> str | None:
    """Where the server keeps logs and results, if that is not in the folder itself."""
    settings = Settings.from_env(data_dir=folder.path)
    if settings.s3_bucket:
        return f"the bucket {settings.s3_bucket}"
    kept = settings.files_folder.absolute()
    return None if kept == folder.path / "files" else str(kept)


def _folder(data_dir: Path | None, *, instead: str) -> DataFolder:
    try:
        settings = Settings.from_env(data_dir=data_dir)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    refuse_postgresql(settings, data_dir, instead=instead)
    return DataFolder(settings.data_dir)

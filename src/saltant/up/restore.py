"""Makes a folder of an archive."""

import os
import shutil
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path
from typing import IO

from saltant.up.archive import CHUNK, DATABASE, MANIFEST, ArchiveError, Entry, is_backed_up, reading, verify
from saltant.up.folder import DataFolder

UNFINISHED = "unfinished-restore"
"""Holds what is not complete. `saltant up` takes no folder that holds this and no database."""


def restore(archive: Path, folder: DataFolder) -> dict[str, Entry]:
    """Make `folder`, which must be empty or missing, what it was when `archive` was made; returns what that holds.

    Raises:
        ArchiveError: the folder is in use or not empty, or the archive is not whole. Then nothing is left behind.
    """
    check_empty(folder)
    try:
        with archive.open("rb") as file:
            entries = _of(archive, file)
            made = not folder.path.exists()
            try:
                _unpack(file, entries, folder.path)
            except BaseException:
                shutil.rmtree(folder.path / UNFINISHED, ignore_errors=True)
                if made:
                    shutil.rmtree(folder.path, ignore_errors=True)
                raise
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise ArchiveError(f"{archive} cannot be restored: {error.strerror or error}{where}.") from None
    return entries


def check_empty(folder: DataFolder) -> None:
    """Raise ArchiveError unless the folder is missing or empty."""
    address = folder.running()
    if address is not None:
        raise ArchiveError(
            f"A `saltant up` (process {address.pid}) is using {folder.path}. Restore into a new folder with --data-dir."
        )
    try:
        if folder.path.exists() and any(folder.path.iterdir()):
            raise ArchiveError(f"{folder.path} is not empty. Restore into a new folder with --data-dir.")
    except OSError as error:
        raise ArchiveError(f"The folder {folder.path} cannot be used: {error.strerror}.") from None


def _of(archive: Path, file: IO[bytes]) -> dict[str, Entry]:
    try:
        entries = verify(file)
        foreign = [name for name in entries if not is_backed_up(name)]
        if foreign:
            raise ArchiveError(f"It holds {foreign[0]!r}, which no backup of saltant's does.")
    except ArchiveError as error:
        raise ArchiveError(f"{archive} is not a whole backup, and nothing was restored. {error}") from None
    except OSError as error:  # gzip says so of what is no gzip file
        raise ArchiveError(f"{archive} is no backup of saltant's: {error.strerror or error}.") from None
    return entries


def _unpack(file: IO[bytes], entries: dict[str, Entry], folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    unfinished = folder / UNFINISHED
    unfinished.mkdir(mode=0o700)
    with reading(file) as tar:
        _extract(tar, unfinished)
    _set_modes(unfinished, entries)
    _check_database(unfinished / DATABASE)
    if [entry.name for entry in folder.iterdir()] != [UNFINISHED]:
        raise ArchiveError(f"Somebody else began to use {folder} meanwhile. Restore into another folder.")
    # The database last: a folder without one is no folder of saltant's yet.
    for entry in sorted(unfinished.iterdir(), key=lambda entry: entry.name == DATABASE):
        entry.rename(folder / entry.name)
    unfinished.rmdir()
    os.sync()


def _extract(tar: tarfile.TarFile, root: Path) -> None:
    """Make what the archive, which was verified, holds. Links come last: so nothing is written through one.

    Not by tarfile's own filters: early versions of Python 3.11 lack them.
    """
    links = []
    for member in tar:
        path = root / member.name
        source = tar.extractfile(member) if member.isreg() else None
        if member.issym():
            links.append((path, member.linkname))
        elif source is None:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        elif member.name != MANIFEST:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with path.open("xb") as file:
                shutil.copyfileobj(source, file, CHUNK)
            os.utime(path, (member.mtime, member.mtime))
    for path, target in links:
        path.symlink_to(target)


def _set_modes(root: Path, entries: dict[str, Entry]) -> None:
    """The modes that were; what is in a folder before the folder, which may be closed then."""
    for name, entry in sorted(entries.items(), reverse=True):
        if entry.kind != "link":
            (root / name).chmod(entry.mode)


def _check_database(database: Path) -> None:
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        found = (str(error),)
    if found != ("ok",):
        raise ArchiveError(f"Its database is damaged ({found[0]}), and nothing was restored.")

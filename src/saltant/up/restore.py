"""Makes a folder of an archive."""

import os
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import IO

from saltant.up.archive import CHUNK, DATABASE, KEYS, MANIFEST, TREES, ArchiveError, Entry, Members, reading, verify
from saltant.up.folder import DataFolder
from saltant.up.trees import Maker
from saltant.worker.removal import remove_tree

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
                with suppress(OSError):
                    remove_tree(folder.path if made else folder.path / UNFINISHED)
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
        return verify(file)
    except ArchiveError as error:
        raise ArchiveError(f"{archive} is not a whole backup, and nothing was restored. {error}") from None
    except OSError as error:  # gzip says so of what is no gzip file
        raise ArchiveError(f"{archive} is no backup of saltant's: {error.strerror or error}.") from None


def _unpack(file: IO[bytes], entries: dict[str, Entry], folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    unfinished = folder / UNFINISHED
    unfinished.mkdir(mode=0o700)
    with reading(file) as members, Maker(unfinished) as maker:
        _extract(members, maker)
        _set_modes(maker, entries)
    _check_database(unfinished / DATABASE)
    if [entry.name for entry in folder.iterdir()] != [UNFINISHED]:
        raise ArchiveError(f"Somebody else began to use {folder} meanwhile. Restore into another folder.")
    # The database last: a folder without one is no folder of saltant's yet.
    for entry in sorted(unfinished.iterdir(), key=lambda entry: entry.name == DATABASE):
        entry.rename(folder / entry.name)
    unfinished.rmdir()
    os.sync()


def _extract(members: Members, maker: Maker) -> None:
    """Make what the archive, which was verified, holds. Links come last, and nothing is written through one.

    Not by tarfile's own filters: early versions of Python 3.11 lack them.
    """
    links = []
    for member, source in members:
        parent, _, base = member.name.rpartition("/")
        if member.issym():
            links.append((parent, base, member.linkname))
        elif source is None:
            maker.at(member.name)
        elif member.name != MANIFEST:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open(base, flags, 0o600, dir_fd=maker.at(parent))
            with os.fdopen(fd, "wb") as file:
                shutil.copyfileobj(source, file, CHUNK)
                file.flush()
                os.utime(fd, (member.mtime, member.mtime))
                os.fchmod(fd, 0o600 if member.name in (DATABASE, *KEYS) else member.mode & 0o777)
    for parent, base, target in links:
        os.symlink(target, base, dir_fd=maker.at(parent))


def _set_modes(maker: Maker, entries: dict[str, Entry]) -> None:
    """The folders' modes that were; what is in a folder before the folder, which may be closed then."""
    for name, entry in sorted(entries.items(), key=lambda entry: entry[0], reverse=True):
        if entry.kind == "folder":
            os.fchmod(maker.at(name), 0o700 if name in TREES else entry.mode & 0o777)


def _check_database(database: Path) -> None:
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        found = (str(error),)
    if found != ("ok",):
        raise ArchiveError(f"Its database is damaged ({found[0]}), and nothing was restored.")

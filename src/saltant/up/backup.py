"""Makes an archive of a folder while its `saltant up` goes on."""

import io
import os
import shutil
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import IO

from saltant.up.archive import (
    CHUNK,
    DATABASE,
    KEYS,
    MANIFEST,
    TREES,
    ArchiveError,
    Entry,
    digest_of,
    digest_of_link,
    dump_manifest,
    kind_of,
    leads_inside,
)
from saltant.up.folder import DataFolder

SPOOLED = 16 * 1024**2


@dataclass
class Backup:
    """What was backed up.

    Attributes:
        entries: what the archive holds.
        left_out: what it could not take along, each with why.
    """

    entries: dict[str, Entry] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def make_backup(folder: DataFolder, target: Path, *, files: bool = True, force: bool = False) -> Backup:
    """Write an archive of `folder` to `target`: all of it or nothing, readable by its owner alone.

    Args:
        files: take logs and results along.
        force: write over what is there.

    Raises:
        ArchiveError: it cannot be done.
    """
    target = target.absolute()
    if not folder.database.exists():
        raise ArchiveError(f"{folder.path} is not a saltant folder yet. Name the folder of a `saltant up`.")
    if folder.path.resolve() in target.resolve().parents:
        raise ArchiveError(f"{target} lies in the folder itself and would be lost with it. Choose a place elsewhere.")
    if target.exists() and not force:
        raise ArchiveError(f"{target} exists. Choose another name, or write over it with --force.")
    if target.is_dir():
        raise ArchiveError(f"{target} is a folder. Name a file.")
    part = None
    try:
        fd, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)  # mode 0600
        part = Path(name)
        with os.fdopen(fd, "w+b") as file:
            backup = _Writer(folder, target.parent).write(file, files=files)
            file.flush()
            os.fsync(file.fileno())
        if not force and target.exists():
            raise ArchiveError(f"{target} exists by now. Choose another name.")
        part.rename(target)
        return backup
    except sqlite3.Error as error:
        raise ArchiveError(f"The database cannot be copied: {error}. `saltant check` may say more.") from None
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise ArchiveError(f"The backup cannot be written: {error.strerror}{where}.") from None
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


class _Writer:
    """Writes one archive. What has to be copied aside for it lies beside it."""

    def __init__(self, folder: DataFolder, aside: Path) -> None:
        self._folder = folder
        self._aside = aside
        self._backup = Backup()

    def write(self, file: IO[bytes], *, files: bool) -> Backup:
        """The database first: of every instance that it knows as ended, logs and results are complete by then."""
        with tarfile.open(fileobj=file, mode="w:gz", format=tarfile.PAX_FORMAT, compresslevel=6) as tar:
            with tempfile.TemporaryDirectory(prefix=".saltant-backup-", dir=self._aside) as made:
                copy = Path(made) / DATABASE
                copy_database(self._folder.database, copy)
                self._add_file(tar, copy, DATABASE)
            for name in KEYS:
                if (self._folder.path / name).exists():
                    self._add_file(tar, self._folder.path / name, name)
            for tree in TREES if files else ():
                self._add_tree(tar, tree)
            text = dump_manifest(self._backup.entries, saltant=version("saltant-py"), made=int(time.time()))
            last = tarfile.TarInfo(MANIFEST)
            last.size, last.mode, last.mtime = len(text), 0o600, int(time.time())
            tar.addfile(last, io.BytesIO(text))
        return self._backup

    def _add_tree(self, tar: tarfile.TarFile, tree: str) -> None:
        for path in _walk(self._folder.path / tree, self._backup.left_out):
            name = str(path.relative_to(self._folder.path))
            # Jobs go on meanwhile: what is gone by now is nothing to keep.
            with suppress(FileNotFoundError):
                if path.is_symlink() or path.is_dir():
                    self._add_member(tar, tar.gettarinfo(path, name))
                elif path.is_file():
                    self._add_file(tar, path, name)
                else:
                    self._backup.left_out.append(f"{path}: neither a file nor a folder")

    def _add_member(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        if member.issym() and not leads_inside(member.name, member.linkname):
            self._backup.left_out.append(f"{self._folder.path / member.name}: a link to the outside")
            return
        self._forget_owner(member)
        tar.addfile(member)
        digest = digest_of_link(member.linkname) if member.issym() else ""
        self._backup.entries[member.name] = Entry(kind_of(member), member.mode, 0, digest)

    def _add_file(self, tar: tarfile.TarFile, path: Path, name: str) -> None:
        """A file as it is now. It may grow or shrink meanwhile, and its size is written before it: hence the copy."""
        try:
            source = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
        except PermissionError:
            self._backup.left_out.append(f"{path}: may not be read")
            return
        with source, tempfile.SpooledTemporaryFile(SPOOLED, "w+b", dir=str(self._aside)) as copy:
            left = os.fstat(source.fileno()).st_size
            while left > 0 and (data := source.read(min(left, CHUNK))):
                copy.write(data)
                left -= len(data)
            member = tar.gettarinfo(arcname=name, fileobj=source)
            member.type, member.linkname = tarfile.REGTYPE, ""  # a second name of a file is a copy
            member.size = copy.tell()
            self._forget_owner(member)
            copy.seek(0)
            digest = digest_of(copy)
            copy.seek(0)
            tar.addfile(member, copy)
            self._backup.entries[name] = Entry("file", member.mode, member.size, digest)

    def _forget_owner(self, member: tarfile.TarInfo) -> None:
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        member.mode &= 0o777


def copy_database(source: Path, target: Path) -> None:
    """A consistent copy of a database that others write to. Raises sqlite3.Error, and OSError for a full disk."""
    needed, free = source.stat().st_size, shutil.disk_usage(target.parent).free
    if free < needed:
        raise OSError(28, "No space left on device", str(target.parent))
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with (
        closing(sqlite3.connect(f"{source.as_uri()}?mode=rw", uri=True, timeout=30)) as database,
        closing(sqlite3.connect(target)) as copy,
    ):
        # In one step: in several, each write of others makes it begin anew. Writers do not wait for readers here.
        database.backup(copy, pages=-1)
        found = copy.execute("PRAGMA quick_check(1)").fetchone()
    if found != ("ok",):
        raise sqlite3.DatabaseError(f"it is damaged ({found[0]})")


def _walk(root: Path, left_out: list[str]) -> Iterator[Path]:
    """A folder and all below it, folders before what is in them; links are not followed."""

    def unreadable(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            left_out.append(f"{error.filename}: {error.strerror}")

    for folder, folders, files in os.walk(root, onerror=unreadable):
        yield Path(folder)
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        yield from (Path(folder) / name for name in [*links, *files])

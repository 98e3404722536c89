"""Makes an archive of a folder while its `saltant up` goes on."""

import io
import os
import secrets
import shutil
import sqlite3
import stat
import tarfile
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import IO

from saltant.up.archive import (
    CHUNK,
    DATABASE,
    KEYS,
    LATEST,
    MANIFEST,
    TREES,
    ArchiveError,
    Entry,
    digest_of,
    digest_of_link,
    dump_manifest,
    leads_inside,
    leads_through,
)
from saltant.up.folder import DataFolder
from saltant.up.trees import Found, walk

SPOOLED = 16 * 1024**2
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


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
    # Named before they are made: an interruption at any moment finds them.
    token = secrets.token_hex(8)
    part, aside = (target.with_name(f".saltant-backup-{token}.{kind}") for kind in ("part", "aside"))
    try:
        with os.fdopen(os.open(part, _NEW, 0o600), "w+b") as file:
            backup = _Writer(folder, aside).write(file, files=files)
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
        part.unlink(missing_ok=True)
        shutil.rmtree(aside, ignore_errors=True)


class _Writer:
    """Writes one archive. What has to be copied for it goes into the folder `aside`."""

    def __init__(self, folder: DataFolder, aside: Path) -> None:
        self._folder = folder
        self._aside = aside
        self._backup = Backup()
        self._links: dict[str, tuple[str, os.stat_result]] = {}

    def write(self, file: IO[bytes], *, files: bool) -> Backup:
        """The database first: of every instance that it knows as ended, logs and results are complete by then."""
        with tarfile.open(fileobj=file, mode="w:gz", format=tarfile.PAX_FORMAT, compresslevel=6) as tar:
            self._aside.mkdir(mode=0o700)
            copy = self._aside / DATABASE
            copy_database(self._folder.database, copy)
            self._add_file(tar, os.open(copy, _READ), DATABASE)
            copy.unlink()
            for name in KEYS:
                self._add_found(tar, None, self._folder.path / name, name)
            for tree in TREES if files else ():
                self._add_tree(tar, tree)
            self._add_links(tar)
            text = dump_manifest(self._backup.entries, saltant=version("saltant-py"), made=int(time.time()))
            last = tarfile.TarInfo(MANIFEST)
            last.size, last.mode, last.mtime = len(text), 0o600, int(time.time())
            tar.addfile(last, io.BytesIO(text))
        return self._backup

    def _add_tree(self, tar: tarfile.TarFile, tree: str) -> None:
        for found in walk(self._folder.path / tree, self._leave_out):
            if stat.S_ISDIR(found.status.st_mode):
                self._add(tar, _member(found.name, found.status, tarfile.DIRTYPE), "folder")
            elif stat.S_ISLNK(found.status.st_mode):
                self._keep_link(found)
            elif stat.S_ISREG(found.status.st_mode):
                self._add_found(tar, found.parent, found.base, found.name)
            else:
                self._leave_out(found.name, "neither a file nor a folder")

    def _keep_link(self, found: Found) -> None:
        try:
            target = os.readlink(found.base, dir_fd=found.parent)
        except FileNotFoundError:
            return
        except OSError as error:
            self._leave_out(found.name, str(error.strerror))
            return
        if leads_inside(found.name, target):
            self._links[found.name] = target, found.status
        else:
            self._leave_out(found.name, "a link to the outside")

    def _add_links(self, tar: tarfile.TarFile) -> None:
        """Last: only now it is known which of them lead through others, which `restore` refuses."""
        targets = {name: target for name, (target, _) in self._links.items()}
        for name, (target, status) in self._links.items():
            if leads_through(name, target, targets):
                self._leave_out(name, "a link that leads through another link")
                continue
            member = _member(name, status, tarfile.SYMTYPE)
            member.linkname = target
            self._add(tar, member, "link", digest_of_link(target))

    def _add_found(self, tar: tarfile.TarFile, parent: int | None, base: str | Path, name: str) -> None:
        try:
            fd = os.open(base, _READ, dir_fd=parent)
        except FileNotFoundError:  # jobs go on meanwhile: what is gone by now is nothing to keep
            return
        except OSError as error:
            self._leave_out(name, str(error.strerror))
            return
        self._add_file(tar, fd, name)

    def _add_file(self, tar: tarfile.TarFile, fd: int, name: str) -> None:
        """A file as it is now. It may grow or shrink meanwhile, and its size is written before it: hence the copy."""
        with os.fdopen(fd, "rb") as source, tempfile.SpooledTemporaryFile(SPOOLED, "w+b", dir=str(self._aside)) as copy:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):  # it took the place of one
                self._leave_out(name, "neither a file nor a folder")
                return
            left = status.st_size
            while left > 0:
                try:
                    data = source.read(min(left, CHUNK))
                except OSError as error:  # of this file; those of writing the archive end the backup
                    self._leave_out(name, str(error.strerror))
                    return
                if not data:
                    break
                copy.write(data)
                left -= len(data)
            member = _member(name, status, tarfile.REGTYPE)  # a second name of a file is a copy
            member.size = copy.tell()
            copy.seek(0)
            digest = digest_of(copy)
            copy.seek(0)
            self._add(tar, member, "file", digest, copy)

    def _add(
        self, tar: tarfile.TarFile, member: tarfile.TarInfo, kind: str, digest: str = "", data: IO[bytes] | None = None
    ) -> None:
        tar.addfile(member, data)
        tar.members = []  # type: ignore[attr-defined]  # it would keep them all
        self._backup.entries[member.name] = Entry(kind, member.mode, member.size, digest)

    def _leave_out(self, name: str, why: str) -> None:
        self._backup.left_out.append(f"{self._folder.path / name}: {why}")


def _member(name: str, status: os.stat_result, kind: bytes) -> tarfile.TarInfo:
    """Without its owner: files belong to who restores them."""
    member = tarfile.TarInfo(name)
    member.type, member.mode = kind, status.st_mode & 0o777
    member.mtime = max(-LATEST, min(status.st_mtime, LATEST))
    return member


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

"""Files in a folder of this machine, or of a disk that several share."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from saltant.files import CannotKeep
from saltant.server.files.stores import Key, Missing

PART = 256 * 1024
"""Bytes that are read at once."""
MOST_KEPT_FREE = 256 * 1024 * 1024
"""Bytes of the disk that are left free, or a twentieth of it: a database on it must still be able to write."""
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class FolderStore:
    """One file for each key."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def write_at(self, key: Key, offset: int, data: bytes) -> None:
        """Write into a file."""
        path = self._root / key.path
        with self._said():
            fd = self._open(path)
            try:
                self._leave_room(fd, len(data))
                left = memoryview(data)
                while left:
                    written = os.pwrite(fd, left, offset)
                    left, offset = left[written:], offset + written
                os.fdatasync(fd)
            finally:
                os.close(fd)

    def read(self, key: Key, start: int, end: int) -> Iterator[bytes]:
        """Read a file in parts."""
        if start >= end:
            return
        try:
            with self._said():
                fd = os.open(self._root / key.path, _READ)
        except FileNotFoundError:
            raise Missing(f"{self._root / key.path} is gone.") from None
        try:
            while start < end:
                with self._said():
                    part = os.pread(fd, min(PART, end - start), start)
                if not part:
                    raise Missing(f"{self._root / key.path} is shorter than it was.")
                yield part
                start += len(part)
        finally:
            os.close(fd)

    def delete(self, prefix: str) -> None:
        """Remove a folder, and those above it that are empty then."""
        path = self._root / prefix
        with self._said(), suppress(FileNotFoundError):
            shutil.rmtree(path)
        for above in list(path.parents)[: prefix.count("/")]:
            try:
                above.rmdir()
            except FileNotFoundError:
                continue
            except OSError:  # there is something else in it
                break

    def check(self) -> None:
        """Write a file and remove it; where the folder is not there yet, only look whether it can be made."""
        if not self._root.exists():
            # Who asks may be another user than the server's: a folder of theirs would be in its way.
            above = next(path for path in self._root.parents if path.exists())
            if not (above.is_dir() and os.access(above, os.W_OK | os.X_OK)):
                raise CannotKeep(f"The server's folder {self._root} cannot be made: {above} takes no writes.")
            return
        probe = self._root / f".check-{os.getpid()}"
        with self._said():
            fd = self._open(probe)
            try:
                self._leave_room(fd, 1)
                os.pwrite(fd, b"\n", 0)
            finally:
                os.close(fd)
                probe.unlink()

    def _open(self, path: Path) -> int:
        for _ in range(10):
            try:
                return os.open(path, _WRITE, 0o600)
            except FileNotFoundError:  # again where `delete` takes the folder away meanwhile
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, _WRITE, 0o600)

    def _leave_room(self, fd: int, size: int) -> None:
        disk = os.fstatvfs(fd)
        kept_free = min(MOST_KEPT_FREE, disk.f_blocks * disk.f_frsize // 20)
        if disk.f_bavail * disk.f_frsize - size < kept_free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    @contextmanager
    def _said(self) -> Iterator[None]:
        """What goes wrong, as a sentence. That a file is not there is for the caller to judge."""
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            if is_full:
                raise CannotKeep(
                    f"The server's disk with {self._root} has no room for logs and results: make some, "
                    "for example with `saltant prune`.",
                    is_full=True,
                ) from None
            raise CannotKeep(f"The server's folder {self._root} cannot be used: {error.strerror}.") from None

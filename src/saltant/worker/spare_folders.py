"""Working folders that jobs left empty, to be used again."""

import errno
import os
import stat
import threading
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from saltant.worker.run_as import RunAs

MOST = 32
LARGEST = 64 * 1024
"""Bytes of a folder itself: on some file systems one that held many files stays large."""


class SpareFolders:
    """Keeps empty folders, up to `MOST`, beneath `place`, on the same file system as the ones that they become.

    ext4 goes around what was removed within the last minutes when it makes something new: with a folder made and
    removed for each short job, that took a worker up to a third of its time.
    """

    def __init__(self, place: Path, run_as: RunAs | None) -> None:
        self.place = place
        self._owner = (os.geteuid(), None) if run_as is None else (run_as.uid, run_as.gid)
        self._lock = threading.Lock()
        self._prefix = f"{place}/"
        self._folders: list[str] = []

    def keep(self, folder: Path) -> bool:
        """Take a folder away, if it is as good as new; whether it was. Nobody may use it any more."""
        with suppress(OSError):  # whatever is odd about it is found by who removes it then
            if len(self._folders) < MOST and self._is_like_new(folder):
                kept = f"{self._prefix}{uuid4().hex}"
                os.rename(folder, kept)  # noqa: PTH104 - a Path's own makes a new one
                with self._lock:
                    self._folders.append(kept)
                return True
        return False

    def give(self, folder: Path) -> bool:
        """Make a kept one be `folder`, which does not exist; whether there was one."""
        with self._lock:
            if not self._folders:
                return False
            kept = self._folders.pop()
        try:
            os.rename(kept, folder)  # noqa: PTH104
        except OSError:
            with suppress(OSError):
                os.rmdir(kept)  # noqa: PTH106
            return False
        return True

    def _is_like_new(self, folder: Path) -> bool:
        status = folder.lstat()
        uid, gid = self._owner
        return (
            status.st_mode == stat.S_IFDIR | 0o700
            and status.st_uid == uid
            and gid in (None, status.st_gid)
            and status.st_size <= LARGEST
            and not _attributes(folder)
            and not os.listdir(folder)  # noqa: PTH208 - names, not paths
        )


def _attributes(folder: Path) -> list[str]:
    """What a job may have attached to a folder: notes, and rules for whoever may use it."""
    try:
        names = os.listxattr(folder, follow_symlinks=False)
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        return []
    return [name for name in names if not name.startswith("security.")]

"""Removing what a job leaves in its working folder, whatever it is."""

import os
import stat
from pathlib import Path
from uuid import uuid4


def remove_tree(folder: Path) -> None:
    """Remove a folder with all that is in it, following no link and crossing no mount. Raises OSError.

    Works without recursion, by moving every folder up to the top before it is emptied: a job may nest folders deeper
    than any path or stack can hold.
    """
    try:
        folder.rmdir()  # the usual case: it is empty
        return
    except FileNotFoundError:
        return
    except OSError:
        pass
    _refuse_mounts(folder)
    _open_up(folder.lstat(), folder)
    top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        while names := os.listdir(top):  # noqa: PTH208 - a descriptor, not a path
            for name in names:
                _remove(top, name)
    finally:
        os.close(top)
    folder.rmdir()


def _remove(top: int, name: str) -> None:
    status = os.stat(name, dir_fd=top, follow_symlinks=False)
    if not stat.S_ISDIR(status.st_mode):
        os.unlink(name, dir_fd=top)
        return
    _open_up(status, name, top)
    inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
    try:
        for each in os.listdir(inner):  # noqa: PTH208
            below = os.stat(each, dir_fd=inner, follow_symlinks=False)
            if stat.S_ISDIR(below.st_mode):
                _open_up(below, each, inner)  # moving a folder changes its "..": it must be writable
                os.rename(each, uuid4().hex, src_dir_fd=inner, dst_dir_fd=top)
            else:
                os.unlink(each, dir_fd=inner)
    finally:
        os.close(inner)
    os.rmdir(name, dir_fd=top)


def _open_up(status: os.stat_result, name: str | Path, parent: int | None = None) -> None:
    """Give ourselves back what a job's chmod took, through a descriptor: another job of the same user may still live,
    and put a link in its place.
    """
    if status.st_mode & 0o700 != 0o700:
        found = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        try:
            os.chmod(f"/proc/self/fd/{found}", 0o700)  # noqa: PTH101 - fchmod takes no O_PATH
        finally:
            os.close(found)


def _refuse_mounts(folder: Path) -> None:
    """Something mounted below, by a job that runs as root, is not the job's to lose."""
    below = os.fsencode(folder.resolve()) + b"/"
    with Path("/proc/self/mountinfo").open("rb") as file:
        for line in file:
            if line.split(None, 5)[4].startswith(below):  # blanks are octal there; ours have none
                raise OSError(f"something is mounted below {folder}")

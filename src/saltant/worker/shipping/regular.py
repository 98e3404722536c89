"""Regular files below a folder that belongs to a job: found and opened without following a link."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from saltant.files import BadName, RefusedFile, check_name

DEEPEST = 64
"""Folders within each other. Of deeper ones nothing is taken."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_KINDS = {
    stat.S_IFLNK: "It is a link.",
    stat.S_IFIFO: "It is a pipe.",
    stat.S_IFSOCK: "It is a socket.",
    stat.S_IFCHR: "It is a device.",
    stat.S_IFBLK: "It is a device.",
}


class NotTaken(Exception):
    """This file is not for shipping. The message is a sentence that says why."""


@dataclass(frozen=True, slots=True)
class Found:
    """A regular file: its name below the folder, and its size."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class JobFolder:
    """An open folder that a job writes to.

    Attributes:
        fd: its descriptor.
        owner: the number of the user that the job ran as, if that is not the worker's: what is somebody else's and has
            another name elsewhere is not taken. None: the job could read no less than the worker.
    """

    fd: int
    owner: int | None = None

    def is_empty(self) -> bool:
        """Whether nothing is in it. Raises OSError."""
        return not os.listdir(self.fd)  # noqa: PTH208 - a descriptor, not a path

    def walk(self) -> Iterator[Found | RefusedFile]:
        """What is in it, folders aside, sorted within each folder. What vanishes meanwhile is passed over."""
        device = os.fstat(self.fd).st_dev
        waiting: list[tuple[str, ...]] = [()]
        while waiting:
            parts = waiting.pop()
            below = []
            for each, status in self._list(parts):
                path = (*parts, each)
                try:
                    name = check_name("/".join(path))
                except BadName as error:
                    yield RefusedFile(_shown("/".join(path)), str(error))
                    continue
                kind = stat.S_IFMT(status.st_mode)
                if kind == stat.S_IFREG:
                    yield Found(name, status.st_size)
                elif kind != stat.S_IFDIR:
                    yield RefusedFile(name, _KINDS.get(kind, "It is no regular file."))
                elif len(path) >= DEEPEST:
                    yield RefusedFile(name, f"It is a folder within {DEEPEST} others.")
                elif status.st_dev != device:
                    yield RefusedFile(name, "Something is mounted there.")
                else:
                    below.append(path)
            waiting += reversed(below)

    @contextmanager
    def open(self, name: str) -> Iterator[int]:
        """A file of it, to be read.

        Raises:
            NotTaken: it is none that is shipped, or is not there.
        """
        *parts, last = check_name(name).split("/")
        try:
            with self._folder(tuple(parts)) as folder:
                if not stat.S_ISREG(os.stat(last, dir_fd=folder, follow_symlinks=False).st_mode):
                    raise NotTaken("It is no regular file.")
                file = os.open(last, _FILE, dir_fd=folder)
        except OSError as error:
            raise NotTaken(f"It cannot be read: {error.strerror}.") from None
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                raise NotTaken("It is no regular file.")
            if self.owner is not None and status.st_uid != self.owner and status.st_nlink > 1:
                raise NotTaken("It is another user's.")
            yield file
        finally:
            os.close(file)

    def close(self) -> None:
        """Let go of it."""
        os.close(self.fd)

    def _list(self, parts: tuple[str, ...]) -> list[tuple[str, os.stat_result]]:
        try:
            with self._folder(parts) as folder:
                names = sorted(os.listdir(folder))  # noqa: PTH208 - a descriptor, not a path
                return [(name, status) for name in names if (status := _look(folder, name)) is not None]
        except OSError:
            return []

    @contextmanager
    def _folder(self, parts: tuple[str, ...]) -> Iterator[int]:
        """A folder below, opened step by step: no step of the way may be a link."""
        at = os.open(".", _FOLDER, dir_fd=self.fd)
        try:
            for part in parts:
                below = os.open(part, _FOLDER, dir_fd=at)
                os.close(at)
                at = below
            yield at
        finally:
            os.close(at)


def open_folder(path: str | os.PathLike[str], *, parent: int | None = None) -> int:
    """A descriptor of a folder that is no link. Raises OSError."""
    return os.open(path, _FOLDER, dir_fd=parent)


def _look(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return None


def _shown(name: str) -> str:
    """A name that cannot be one, for people to read."""
    whole = os.fsencode(name).decode("utf-8", "replace")
    printable = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in whole)
    return printable if len(printable) <= 200 else f"{printable[:199]}…"

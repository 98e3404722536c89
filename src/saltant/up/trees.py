"""Walks and makes trees of folders by descriptor: through no link, without recursion, and of whatever depth."""

import os
import stat
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from saltant.up.archive import LONGEST_NAME

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Found:
    """One entry of a tree.

    Attributes:
        parent: descriptor of its folder, open until the next entry is asked for.
        base: its name in there.
        name: its path, which begins with the tree's name.
        status: of itself, even if it is a link.
    """

    parent: int
    base: str
    name: str
    status: os.stat_result


def walk(root: Path, failed: Callable[[str, str], None]) -> Iterator[Found]:
    """A tree, each folder before what is in it. `failed` is told what cannot be looked at, and why.

    Jobs go on meanwhile: what is gone by now is passed over in silence.
    """
    try:
        top = os.open(root, _FOLDER)  # the folder itself may be a link: an admin's, to a larger disk
    except FileNotFoundError:
        return
    except OSError as error:
        failed(root.name, str(error.strerror))
        return
    here, depth = os.dup(top), 0
    path: list[str] = []
    try:
        yield Found(top, ".", root.name, os.fstat(top))
        waiting = [(yield from _entries(here, root.name, failed))]  # of each folder on the path, the folders to come
        while waiting:
            if not waiting[-1]:
                waiting.pop()
                path = path[:-1]
                continue
            base = waiting[-1].pop()
            name = "/".join([root.name, *path, base])
            try:
                below = _open_below(here, [base]) if depth == len(path) else _open_below(top, [*path, base])
            except FileNotFoundError:
                continue
            except OSError as error:
                failed(name, str(error.strerror))
                continue
            os.close(here)
            here = below
            path.append(base)
            depth = len(path)
            waiting.append((yield from _entries(here, name, failed)))
    finally:
        os.close(here)
        os.close(top)


def _entries(folder: int, name: str, failed: Callable[[str, str], None]) -> Generator[Found, None, list[str]]:
    """What is in one folder; returns the folders among it."""
    folders: list[str] = []
    try:
        bases = os.listdir(folder)
    except OSError as error:
        failed(name, str(error.strerror))
        return folders
    for base in bases:
        full = f"{name}/{base}"
        if len(os.fsencode(full)) > LONGEST_NAME:
            failed(full, "its path is too long")
            continue
        try:
            status = os.stat(base, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            continue
        except OSError as error:
            failed(full, str(error.strerror))
            continue
        yield Found(folder, base, full, status)
        if stat.S_ISDIR(status.st_mode):
            folders.append(base)
    return folders


class Maker:
    """Makes folders below one, and gives their descriptors."""

    def __init__(self, root: Path) -> None:
        self._top = os.open(root, _FOLDER | os.O_NOFOLLOW)
        self._here = os.dup(self._top)
        self._path: list[str] = []

    def at(self, name: str) -> int:
        """The folder of that name, "" for the root; made if it is missing. Open until the next call."""
        path = name.split("/") if name else []
        known = len(self._path)
        if path[:known] == self._path:
            below = _open_below(self._here, path[known:], make=True)
        else:
            below = _open_below(self._top, path, make=True)
        os.close(self._here)
        self._here, self._path = below, path
        return below

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._here)
        os.close(self._top)


def _open_below(folder: int, path: Sequence[str], *, make: bool = False) -> int:
    here = os.dup(folder)
    try:
        for base in path:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(base, 0o700, dir_fd=here)
            below = os.open(base, _FOLDER | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = below
    except BaseException:
        os.close(here)
        raise
    return here

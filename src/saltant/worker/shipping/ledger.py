"""What the server has of a worker's files and what it has not, on disk: a worker may be killed at any time."""

import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

from saltant.jobs import Attempt

log = logging.getLogger("saltant.worker")

ENDED = "ended"
"""Of an attempt: nothing of it is alive any more, so its results are what they are."""
WATCHED = "watched"
"""Of an attempt: all text files of its logs folder are shipped, not only stdout and stderr."""

_DAYS = "shipped-"


@dataclass(frozen=True, slots=True)
class Shipped:
    """An attempt that the server has all of, and the folders it has here, by inode: names may change hands."""

    attempt: Attempt
    inodes: frozenset[int]


class Ledger:
    """A folder with a file for each attempt that is not shipped yet, and a list a day of those that are.

    Every call may be made from any thread. Trouble with the disk is logged: it costs the attempt no more than that.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._prefix = f"{folder}/"

    def open(self) -> None:
        """Make the folder if it is missing. Raises OSError."""
        self.folder.mkdir(mode=0o700, exist_ok=True)

    def begin(self, attempt: Attempt) -> None:
        """Something of this attempt will be to ship."""
        self._write(self._path(attempt), "", os.O_CREAT)

    def say(self, attempt: Attempt, word: str) -> None:
        """Note one of the words above, if it still is to be shipped."""
        self._write(self._path(attempt), f"{word}\n")

    def words(self, attempt: Attempt) -> set[str] | None:
        """What was noted; None if nothing of it is to be shipped."""
        try:
            return set(Path(self._path(attempt)).read_text(encoding="ascii", errors="replace").split())
        except OSError:
            return None

    def pending(self) -> list[Attempt]:
        """What is still to be shipped, the oldest first. Raises OSError."""
        found = []
        for path in self.folder.iterdir():
            uuid, _, number = path.name.partition(".")
            with suppress(ValueError, FileNotFoundError):
                found.append((path.stat().st_mtime, str(path), Attempt(UUID(uuid), int(number))))
        return [attempt for *_, attempt in sorted(found, key=lambda each: each[:2])]

    def shipped(self, attempt: Attempt, inodes: frozenset[int]) -> None:
        """The server has all of it."""
        line = " ".join([str(attempt.uuid), str(attempt.number), *map(str, sorted(inodes))])
        if inodes:
            self._write(f"{self._prefix}{_DAYS}{datetime.now(UTC).date()}", f"{line}\n", os.O_CREAT)
        self.forget(attempt)

    def forget(self, attempt: Attempt) -> None:
        """Nothing more of it is to be shipped, though the server has not all."""
        try:
            os.unlink(self._path(attempt))  # noqa: PTH108
        except FileNotFoundError:
            pass
        except OSError as error:
            log.warning("%s: that it is shipped could not be noted: %s", attempt.uuid, error)

    def days(self) -> list[date]:
        """The days on which something was shipped. Raises OSError."""
        found = []
        for path in self.folder.iterdir():
            with suppress(ValueError):
                if path.name.startswith(_DAYS):
                    found.append(date.fromisoformat(path.name.removeprefix(_DAYS)))
        return sorted(found)

    def shipped_on(self, day: date) -> Iterator[Shipped]:
        """What was shipped on a day. Raises OSError."""
        with (self.folder / f"{_DAYS}{day}").open(encoding="ascii", errors="replace") as lines:
            for line in lines:
                with suppress(ValueError):  # cut short by a full disk
                    uuid, number, *inodes = line.split()
                    yield Shipped(Attempt(UUID(uuid), int(number)), frozenset(map(int, inodes)))

    def forget_day(self, day: date) -> None:
        """Nothing is left of what was shipped on a day. Raises OSError."""
        (self.folder / f"{_DAYS}{day}").unlink(missing_ok=True)

    def _path(self, attempt: Attempt) -> str:
        return f"{self._prefix}{attempt.uuid}.{attempt.number}"  # every job passes here: a Path is slow

    def _write(self, path: str, text: str, flags: int = 0) -> None:
        try:
            fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | flags, 0o600)
            try:
                if text:
                    os.write(fd, text.encode())
            finally:
                os.close(fd)
        except OSError as error:
            log.warning("%s could not be written, so files may be shipped late or kept here: %s", path, error)

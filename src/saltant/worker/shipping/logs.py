"""The logs of one attempt, and how much of each the server has."""

import logging
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Protocol

from saltant.files import NO_MORE
from saltant.jobs import Attempt
from saltant.worker.shipping.regular import Found, JobFolder, NotTaken

log = logging.getLogger("saltant.worker")

MOST_FILES = 100
"""How many files of a logs folder are shipped, beside stdout and stderr."""

_STALLS = 100  # answers that take nothing, after which a log is given up


class Source(Protocol):
    """Where the bytes of a log come from."""

    def size(self) -> int:
        """How many there are now. Raises OSError, NotTaken."""

    def read(self, offset: int, length: int) -> bytes:
        """Some of them. Raises OSError, NotTaken."""

    def close(self) -> None:
        """Read no more."""


class OpenFile:
    """A file that the worker has opened itself."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def size(self) -> int:
        """How many bytes there are now."""
        return os.fstat(self._fd).st_size

    def read(self, offset: int, length: int) -> bytes:
        """Some of them."""
        return os.pread(self._fd, length, offset)

    def close(self) -> None:
        """Read no more."""
        os.close(self._fd)


class FolderFile:
    """A text file that turned up in a folder: opened for each look, as there may be many. Once replaced it is over."""

    def __init__(self, folder: JobFolder, name: str) -> None:
        self._folder = folder
        self._name = name
        self._inode: int | None = None
        self._is_text = False

    def size(self) -> int:
        """How many bytes there are now."""
        with self._open() as file:
            return os.fstat(file).st_size

    def read(self, offset: int, length: int) -> bytes:
        """Some of them."""
        with self._open() as file:
            if not self._is_text:
                if b"\0" in os.pread(file, 8192, 0):
                    raise NotTaken("It is no text.")
                self._is_text = True
            return os.pread(file, length, offset)

    def close(self) -> None:
        """Read no more."""

    @contextmanager
    def _open(self) -> Iterator[int]:
        with self._folder.open(self._name) as file:
            inode = os.fstat(file).st_ino
            if self._inode not in (None, inode):
                raise NotTaken("Another file has taken its name.")
            self._inode = inode
            yield file


class Stream:
    """One log on its way to the server.

    Attributes:
        sent: how much of it the server has; None: it has to be asked.
        is_whole: whether all of it gets there.
    """

    def __init__(self, attempt: Attempt, name: str, source: Source, sent: int | None) -> None:
        self.attempt = attempt
        self.name = name
        self.sent = sent
        self.is_over = False
        self.is_whole = True
        self._source = source
        self._stalls = 0

    def rest(self) -> int:
        """How many bytes the server lacks, as far as that is known."""
        if self.is_over:
            return 0
        try:
            size = self._source.size()
        except (OSError, NotTaken) as error:
            self.stop(str(error))
            return 0
        if self.sent is None:
            return size
        if size < self.sent:
            self.stop("It has become shorter than what the server has of it.")
            return 0
        return size - self.sent

    def read(self, length: int) -> bytes:
        """What comes next."""
        if self.sent is None:
            return b""  # which asks how much the server has
        try:
            return self._source.read(self.sent, length)
        except (OSError, NotTaken) as error:
            self.stop(str(error))
            return b""

    def answered(self, offset: int, sent: int) -> bool:
        """The server has told from where it wants to go on, after `sent` bytes; False: it took nothing of them."""
        if offset <= NO_MORE:
            self.stop("")
            return True
        is_stalled = sent > 0 and self.sent is not None and offset <= self.sent
        self.sent = offset
        self._stalls = self._stalls + 1 if is_stalled else 0
        if self._stalls >= _STALLS:
            self.stop("The server takes nothing of it.")
        return not is_stalled

    def stop(self, why: str) -> None:
        """Ship no more of it. `why`: a sentence; "": the server wants no more."""
        if not self.is_over:
            self.is_over, self.is_whole = True, False
            level = logging.WARNING if why else logging.DEBUG
            log.log(level, "%s: no more of its log %s is shipped. %s", self.attempt.uuid, self.name, why)

    def close(self) -> None:
        """Read no more."""
        self.is_over = True
        self._source.close()


class JobLogs:
    """All logs of one attempt. Its calls are made one at a time."""

    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt
        self.streams: list[Stream] = []
        self.looked = 0.0  # when its folder was looked at last, by time.monotonic()
        self._folder: JobFolder | None = None
        self._known: set[str] = set()
        self._is_asked = False
        self._is_full = False

    @property
    def is_whole(self) -> bool:
        """Whether the server gets all of it."""
        return not self._is_full and all(stream.is_whole for stream in self.streams)

    @property
    def is_watched(self) -> bool:
        """Whether it has a folder where more of its logs may turn up."""
        return self._folder is not None

    def add(self, name: str, fd: int, sent: int | None = 0) -> None:
        """Ship what comes into an open file; the descriptor is closed with the rest."""
        self.streams.append(Stream(self.attempt, name, OpenFile(fd), sent))

    def watch(self, folder: JobFolder, skip: Collection[str], *, is_asked: bool = False) -> None:
        """Ship the text files that turn up in a folder, which is closed with the rest.

        Args:
            folder: the folder.
            skip: names in it that are none of them.
            is_asked: whether the server may have some of them already.
        """
        self._folder, self._known, self._is_asked = folder, set(skip), is_asked

    def look(self) -> None:
        """Look for new files."""
        if self._folder is None or self._is_full:
            return
        for found in self._folder.walk():
            if not isinstance(found, Found) or found.name in self._known or not found.size:
                continue
            if len(self.streams) >= MOST_FILES + 2:
                self._is_full = True
                log.warning("%s: of its logs folder only %d files are shipped.", self.attempt.uuid, MOST_FILES)
                return
            self._known.add(found.name)
            source = FolderFile(self._folder, found.name)
            self.streams.append(Stream(self.attempt, found.name, source, None if self._is_asked else 0))

    def rest(self) -> int:
        """How many bytes the server lacks."""
        return sum(stream.rest() for stream in self.streams)

    def close(self) -> None:
        """Read no more."""
        for stream in self.streams:
            stream.close()
        if self._folder is not None:
            self._folder.close()
            self._folder = None

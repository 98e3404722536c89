"""Where a run was when it was ended, kept in a file of the data folder. Losing it costs time alone."""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from saltant.folders import write_private


class Busy(Exception):
    """Another run imports from the same server."""


@dataclass(frozen=True)
class Round:
    """One reading of a list, from its last page to its first.

    Attributes:
        bound: the time of creation of the newest that is read.
        count: how many there are up to that.
        left: how many pages are not brought yet.
        done: how many were looked at.
        left_out: how many of these did not come.
    """

    bound: str
    count: int
    left: int
    done: int
    left_out: int


class Position:
    """The rounds that are under way, by the path of their list."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rounds: dict[str, Round] = {}
        with suppress(OSError, ValueError, TypeError):
            said = json.loads(path.read_text(encoding="utf-8"))
            self._rounds = {str(name): Round(**each) for name, each in said.items()}

    def get(self, path: str) -> Round | None:
        """The round of a list that was broken off."""
        return self._rounds.get(path)

    def set(self, path: str, position: Round | None) -> None:
        """Keep it; None: it is whole. Raises OSError."""
        self._rounds.pop(path, None)
        if position is not None:
            self._rounds[path] = position
        if self._rounds:
            write_private(self._path, json.dumps({name: asdict(each) for name, each in self._rounds.items()}))
        else:
            self._path.unlink(missing_ok=True)


@contextmanager
def position_of(data_dir: Path, url: str) -> Iterator[Position]:
    """The position of the run that imports from `url`, which nobody else has meanwhile. Raises OSError, Busy."""
    folder = data_dir / "imports"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = hashlib.sha256(url.encode()).hexdigest()[:16]
    fd = os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy("Another `saltant import` from this server is at work: wait for its end.") from None
        yield Position(folder / f"{name}.json")
    finally:
        os.close(fd)

"""The folder of a `saltant worker`: who may use it, and what lies where."""

import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from saltant.config import default_data_dir
from saltant.folders import LOCK, FolderLock
from saltant.jobs import Attempt, End
from saltant.worker.assembly import IDENTITY, identity_of
from saltant.worker.spool import Spool

DRAIN = signal.SIGUSR1
"""Tells a worker to drain. Unlike SIGTERM, said twice it is no order to end what runs."""

_UP = "saltant.sqlite3"  # of a `saltant up`, which has a worker of its own
_PAUSE = 0.2  # seconds between two looks at who drains


class CannotWork(Exception):
    """A worker cannot go on. The message says why, and what to do."""


def default_folder() -> Path:
    """Where a worker keeps its folder unless told otherwise."""
    return default_data_dir().with_name("saltant-worker")


class WorkerHome:
    """One folder, used by one worker at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        self.spool = Spool(self.path / "spool")
        self.held: Mapping[Attempt, End] = {}  # what an earlier life has not reported
        self.identity = ""
        self._lock = FolderLock(self.path)

    def open(self) -> None:
        """Make the folder if it is missing, readable by nobody else, and take it for this process.

        Raises:
            CannotWork: it is somebody else's, in use, or cannot be written.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            names = {entry.name for entry in self.path.iterdir()}
            if _UP in names:
                raise CannotWork(f"{self.path} is the folder of a `saltant up`. Choose another with --data-dir.")
            if names - {LOCK, f"{IDENTITY}.part"} and IDENTITY not in names:
                raise CannotWork(
                    f"{self.path} holds files that are not saltant's. Choose an empty or a new folder with --data-dir."
                )
            if not self._lock.take():
                raise CannotWork(f"Another worker is using {self.path}. Stop it, or choose another --data-dir.")
            self._lock.sign()
            self.identity = identity_of(self.path)
            self.held = self.spool.open()
        except OSError as error:
            raise CannotWork(
                f"The folder {self.path} cannot be used: {error.strerror}. Free some space there, make it writable for"
                " this user, or choose another --data-dir."
            ) from None

    def close(self) -> None:
        """Leave the folder to the next."""
        self._lock.release()

    def drain(self, say: Callable[[str], None]) -> None:
        """Tell the worker that uses this folder to drain, and wait until it is gone.

        Raises:
            CannotWork: none does, or it cannot be told.
        """
        try:
            pid = self._lock.tell(DRAIN) if self._lock.is_held() else 0
        except PermissionError:
            raise CannotWork(
                f"The worker of {self.path} is another user's: run this as the user who started it."
            ) from None
        except OSError as error:
            raise CannotWork(f"The folder {self.path} cannot be read: {error.strerror}.") from None
        if pid == 0:
            raise CannotWork(f"No worker is using {self.path}. Name the folder of the one that is meant: --data-dir.")
        if pid is None:
            raise CannotWork(
                f"The process of the worker that uses {self.path} cannot be found: is it in another container, or just"
                " starting or stopping? Try again, there."
            )
        said = ""
        while self._lock.is_held():
            waits = self.unfinished()
            told = f"The worker (process {pid}) drains; it still has {waits}." if waits else ""
            if told and told != said:
                said = told
                say(said)
            time.sleep(_PAUSE)

    def unfinished(self) -> str:
        """What a worker that drains still has to do, in words; "" if nothing."""
        running = _names(self.path / "work")
        unreported = _names(self.path / "spool", ".json")
        parts = []
        if running:
            shown = ", ".join(sorted(name.partition(".")[0] for name in running)[:10])
            parts.append(f"{len(running)} running: {shown}{', …' if len(running) > 10 else ''}")
        if unreported:
            parts.append(f"{len(unreported)} ended, which the server has not been told yet")
        return "; ".join(parts)


def _names(folder: Path, suffix: str = "") -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir() if entry.name.endswith(suffix)]
    except OSError:
        return []

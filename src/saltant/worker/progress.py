"""Reads how far jobs say they are: each in a file of its own, which the job writes as it likes."""

import os
import posixpath
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from saltant.jobs import Job
from saltant.progress import Progress, last_progress
from saltant.worker.folders import JobFolders
from saltant.worker.run_as import RunAs
from saltant.worker.running import Running
from saltant.worker.shipping.regular import JobFolder, NotTaken, open_folder

VARIABLE = "JOB_PROGRESS_FILE"
"""The variable that tells a job the file's path."""
PACE = 1.0
"""Seconds between two looks at the files of what runs."""
MOST_BYTES = 4096
"""Of a file no more than its end is read."""


class ProgressFile:
    """The file of one attempt. Every call may be made from any thread.

    Args:
        path: where it is, or will be.
        run_as: the user who writes it, if that is not the worker's own.
    """

    def __init__(self, path: Path, run_as: RunAs | None = None) -> None:
        self._path = path
        self._owner = None if run_as is None else run_as.uid
        self._lock = threading.Lock()
        self._seen = b""
        self._is_there = False

    def look(self) -> Progress | None:
        """What it says, if that is something new."""
        if not os.path.lexists(self._path):
            return None
        self._is_there = True
        with self._lock:
            data, is_cut = self._read()
            if not data or data == self._seen:
                return None
            self._seen = data
        return last_progress(data, is_cut=is_cut)

    def remove(self) -> None:
        """It is not needed any more, if a look has found it. It is neither a log nor a result."""
        if self._is_there:
            with suppress(OSError):
                self._path.unlink()

    def _read(self) -> tuple[bytes, bool]:
        """Its end, and whether that is not all."""
        try:
            folder = JobFolder(open_folder(self._path.parent), self._owner)
        except OSError:
            return b"", False
        try:
            with folder.open(self._path.name) as file:
                size = os.fstat(file).st_size
                return os.pread(file, MOST_BYTES, max(0, size - MOST_BYTES)), size > MOST_BYTES
        except (NotTaken, OSError):
            return b"", False
        finally:
            folder.close()


def report_in_container(job: Job, folders: JobFolders, run_as: RunAs | None, running: Running) -> dict[str, str]:
    """Have a container's file read; returns what tells the job of it: nothing if none of its folders is mounted."""
    for folder, inside in ((folders.logs, job.logs_path), (folders.results, job.results_path)):
        if inside:
            name = folders.progress.name
            running.report_from(ProgressFile(folder / name, run_as))
            return {VARIABLE: posixpath.join(inside, name)}
    return {}


class ProgressWatch:
    """Looks at the files of all that runs, in a thread of its own.

    Args:
        running: what runs now.
        on_change: called when one of them says something new.
    """

    def __init__(self, running: Callable[[], Iterable[Running]], on_change: Callable[[], None]) -> None:
        self._running = running
        self._on_change = on_change
        self._begun = threading.Event()
        self._closed = threading.Event()

    def look(self) -> None:
        """Something runs."""
        self._begun.set()

    def close(self) -> None:
        """Look no more."""
        self._closed.set()
        self._begun.set()

    def watch(self) -> None:
        """Look until it is closed; while nothing runs, not at all."""
        while not self._closed.is_set():
            self._begun.wait()
            self._begun.clear()
            began = time.monotonic()
            while not self._closed.wait(max(0.1, began + PACE - time.monotonic())):
                began = time.monotonic()
                running = list(self._running())
                if not running:
                    break
                news = [each for each in running if each.look_for_progress()]
                if news:
                    self._on_change()

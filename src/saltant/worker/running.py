"""The attempts that a worker has claimed and not yet reported."""

import threading
import time
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from saltant.jobs import Attempt, End
from saltant.progress import Progress
from saltant.reasons import Reason

_LATE = 5.0  # seconds past the grace after which a watch is taken for dead


class Endable(Protocol):
    """Something of a job that runs."""

    started: datetime | None
    """When its program was started, as soon as that is known."""

    def end(self, grace: float) -> None:
        """Have it ended, by force after `grace` seconds. From any thread; said again, force can only come sooner."""

    def force(self) -> None:
        """The last resort, when `end` had no effect long after its grace."""


class Files(Protocol):
    """What the server is to get of a job while it runs."""

    def follow(self, name: str, fd: int) -> None:
        """Ship what comes into an open file, which the caller may close."""

    def watch(self, skip: Collection[str] = ()) -> None:
        """Ship the text files that turn up in its logs folder, but for those whose names there are in `skip`."""


class Reports(Protocol):
    """Where a job says how far it is."""

    def look(self) -> Progress | None:
        """What it says, if that is something new."""

    def remove(self) -> None:
        """It has ended."""


class Running:
    """One claimed attempt. An order to end it holds whether it has started yet or not.

    Args:
        attempt: its name.
        lease: seconds without a heartbeat after which another attempt follows it; None: none does.
        renewed: when its lease was asked for last, by time.monotonic().
        files: what is shipped of it; None: nothing.
    """

    def __init__(
        self, attempt: Attempt, lease: float | None = None, renewed: float = 0.0, files: Files | None = None
    ) -> None:
        self.attempt = attempt
        self.lease = lease
        self.renewed = renewed
        self.is_over = False  # nothing of it is alive; its end may still have to be reported
        self.reason: Reason | None = None  # of the first order to end it
        self.why = ""
        self.progress: Progress | None = None  # as its job said last
        self.told: Progress | None = None  # of that, what the server has
        self._reports: Reports | None = None
        self._files = files
        self._lock = threading.Lock()
        self._process: Endable | None = None
        self._deadline = float("inf")
        self._limit = float("inf")

    def end(self, reason: Reason, grace: float, why: str = "") -> None:
        """Order its end, by SIGKILL after `grace` seconds. The first reason counts, and the shortest grace.

        `why` is a sentence for people, where the reason does not say it all.
        """
        with self._lock:
            if self.reason is None:
                self.reason, self.why = reason, why
            deadline = time.monotonic() + grace
            if deadline < self._deadline:
                self._deadline = deadline
                if self._process is not None:
                    self._process.end(grace)

    @property
    def started(self) -> datetime | None:
        """When its program was started; None if it was not, or if that is not known yet."""
        process = self._process
        return None if process is None else process.started

    def attach(self, process: Endable, within: float | None = None) -> None:
        """Say what is to be ended; done at once if that was ordered meanwhile.

        `within` so many seconds it ends of itself, for its timeout; None if it has none.
        """
        with self._lock:
            self._process = process
            if within is not None:
                self._limit = time.monotonic() + within
            if self.reason is not None:
                process.end(max(0.0, self._deadline - time.monotonic()))

    def follow(self, name: str, fd: int) -> None:
        """Its runner has opened the file of one of its logs: have it shipped while it grows. `fd` may be closed."""
        if self._files is not None:
            self._files.follow(name, fd)

    def watch_logs(self, skip: Collection[str] = ()) -> None:
        """Have the text files shipped that turn up in its logs folder, but for those whose names are in `skip`."""
        if self._files is not None:
            self._files.watch(skip)

    def report_from(self, reports: Reports) -> None:
        """Its job may say there how far it is."""
        self._reports = reports

    def look_for_progress(self) -> bool:
        """Look how far its job says it is; returns whether that is something new."""
        said = None if self._reports is None else self._reports.look()
        if said is None or said == self.progress:
            return False
        self.progress = said
        return True

    def conclude(self, end: End) -> End:
        """Its end, with how far its job said it was, as far as the server does not know."""
        if self._reports is None:
            return end
        self.look_for_progress()
        self._reports.remove()
        return end if self.progress == self.told else replace(end, progress=self.progress)

    def check(self) -> None:
        """Use force against what should have ended long ago."""
        with self._lock:
            if self._process is not None and time.monotonic() > min(self._deadline, self._limit) + _LATE:
                self.reason = self.reason or Reason.TIMED_OUT
                self._process.force()

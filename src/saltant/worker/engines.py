"""What a worker can run now: its engines are asked at the start, and again and again while it works."""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping

from saltant.jobs import Kind
from saltant.worker.rarely import Rarely
from saltant.worker.runners.base import AreLive, Runner

log = logging.getLogger("saltant.worker")

EVERY = 30.0
"""Seconds between two looks at the engines."""
FRESH = 5.0
"""Seconds for which an engine's answer holds where a job is about to be claimed."""

NAMES = {
    Kind.EXECUTABLE: "executables",
    Kind.DOCKER: "Docker containers",
    Kind.SINGULARITY: "Singularity containers",
}


class Engines(Collection[Kind]):
    """The kinds of jobs that can be run here now: a collection that changes. Every call may be made from any thread.

    Args:
        runners: how each kind is run.
        on_change: told when there are more kinds, or fewer.
        are_live: asks the server which attempts hold a lease.
        knows_server: whether the server has said who it is: what is not known to be its own is not removed.
        every: seconds between two looks.
    """

    def __init__(
        self,
        runners: Mapping[Kind, Runner],
        *,
        on_change: Callable[[], None] = lambda: None,
        are_live: AreLive,
        knows_server: Callable[[], bool],
        every: float = EVERY,
    ) -> None:
        self._runners = runners
        self._on_change = on_change
        self._are_live = are_live
        self._knows_server = knows_server
        self._every = every
        self._asking = {kind: threading.Lock() for kind in runners}
        self._asked = dict.fromkeys(runners, float("-inf"))
        self._why: dict[Kind, str | None] = dict.fromkeys(runners)  # None: never asked; empty: it can be run
        self._look_now = threading.Event()
        self._closed = False
        self._trouble = Rarely(log)

    def __contains__(self, kind: object) -> bool:
        return isinstance(kind, Kind) and self._why.get(kind) == ""

    def __iter__(self) -> Iterator[Kind]:
        return iter([kind for kind, why in self._why.items() if why == ""])

    def __len__(self) -> int:
        return len(list(iter(self)))

    def look(self) -> None:
        """Ask every engine, and tell of a change."""
        changed = [self._ask(kind) for kind in self._runners]
        if any(changed):
            self._on_change()

    def can_run(self, kind: Kind) -> bool:
        """Whether jobs of `kind` can be run, by an answer that is not old. A change is told before this returns."""
        if kind in self._runners and time.monotonic() - self._asked[kind] > FRESH and self._ask(kind, FRESH):
            self._on_change()
        return kind in self

    def doubt(self, kind: Kind) -> None:
        """An engine did not answer: ask it soon."""
        self._asked[kind] = float("-inf")
        self._look_now.set()

    def watch(self) -> None:
        """Look after the engines until closed, and remove what killed workers left."""
        self._sweep()
        while not self._closed:
            self._look_now.wait(self._every)
            self._look_now.clear()
            if not self._closed:
                self.look()
                self._sweep()

    def close(self) -> None:
        """End the watch. Returns at once."""
        self._closed = True
        self._look_now.set()

    def _ask(self, kind: Kind, fresh: float = 0.0) -> bool:
        """Ask an engine, unless somebody did so a moment ago; returns whether its kind came or went."""
        with self._asking[kind]:
            if time.monotonic() - self._asked[kind] <= fresh:
                return False  # who asked tells
            try:
                why = self._runners[kind].why_not()
            except Exception as error:
                log.exception("%s: the engine could not be asked.", kind)
                why = f"It could not be asked: {error}"
            if self._closed:
                return False  # what it is asked with may be closed as well
            before, self._why[kind] = self._why[kind], why
            self._asked[kind] = time.monotonic()
        if why and before == "":
            log.warning("%s cannot be run here any more: %s", NAMES[kind], why)
        elif why and before is None:
            log.info("%s cannot be run here: %s", NAMES[kind], why)
        elif not why and before:
            log.info("%s can be run here now.", NAMES[kind])
        return (before == "") != (why == "")

    def _sweep(self) -> None:
        if not self._knows_server():
            return
        for kind in self:
            try:
                self._runners[kind].sweep(self._are_live)
            except Exception as error:  # the engine went away, or the server: the next look tries again
                self._trouble.warn(f"What killed workers may have left of {NAMES[kind]} was not looked for: {error}")
            else:
                self._trouble.over("What killed workers left is looked for again.")

"""Ends on their way to the server: told again until it took them, and kept on disk meanwhile."""

import logging
import threading
from collections.abc import Callable

from saltant.jobs import Attempt, End
from saltant.worker.control import Control
from saltant.worker.shipping import Shipping
from saltant.worker.spool import Spool

log = logging.getLogger("saltant.worker")

_FIRST_DELAY, _LAST_DELAY = 0.05, 5.0  # seconds between tries


class Reports:
    """Reports the ends of one worker's attempts. Every call may be made from any thread.

    Args:
        control: the server.
        worker: the worker's name.
        spool: where ends are kept until the server took them; None: in memory only.
        held: ends of an earlier life of the worker, from the spool.
        abandoned: set when the time to report is over.
        shipping: ships an attempt's files, which are to be there before its end is; None: there are none to ship.
    """

    def __init__(
        self,
        control: Control,
        worker: str,
        spool: Spool | None,
        held: dict[Attempt, End],
        abandoned: threading.Event,
        shipping: Shipping | None = None,
    ) -> None:
        self._control = control
        self._worker = worker
        self._spool = spool
        self._abandoned = abandoned
        self._shipping = shipping
        self._lock = threading.Lock()
        self._pending = dict(held)
        self._kept = set(held)
        self._held = dict(held)
        self._full: set[Attempt] = set()  # whose trouble with the disk is told

    @property
    def pending(self) -> list[Attempt]:
        """Whose ends are not reported yet."""
        with self._lock:
            return list(self._pending)

    def report(self, attempt: Attempt, end: End) -> None:
        """Report an end, and before it deliver its files, however long it takes."""
        try:
            self._report(attempt, end)
        finally:
            if self._shipping is not None:
                self._shipping.release(attempt)

    def _report(self, attempt: Attempt, end: End) -> None:
        with self._lock:
            self._pending[attempt] = end
        delay, level = _FIRST_DELAY, logging.WARNING
        while True:
            try:
                if self._shipping is not None:
                    self._shipping.deliver(attempt, on_long=lambda: self._keep(attempt, end))
                if not self._control.finish(attempt, self._worker, end):
                    log.info("%s: the server had given attempt %d up.", attempt.uuid, attempt.number)
                self._done(attempt)
                return
            except Exception as error:
                log.log(level, "%s: its end (%s) could not be reported yet: %s", attempt.uuid, end.reason, error)
                level = logging.DEBUG  # the heart says how long the outage lasts
            self._keep(attempt, end)
            if self._abandoned.wait(delay):
                if attempt not in self._kept:
                    log.error("%s: its end (%s) was not reported before the worker stopped.", attempt.uuid, end.reason)
                return
            delay = min(delay * 2, _LAST_DELAY)

    def report_held(self, on_done: Callable[[Attempt], None]) -> None:
        """Report what an earlier life left."""
        for attempt, end in self._held.items():
            if self._abandoned.is_set():
                return
            self.report(attempt, end)
            on_done(attempt)

    def keep_all(self) -> None:
        """Keep on disk whatever is not reported: the worker goes, perhaps in the middle of a request."""
        with self._lock:
            pending = dict(self._pending)
        for attempt, end in pending.items():
            self._keep(attempt, end)

    def _keep(self, attempt: Attempt, end: End) -> None:
        with self._lock:
            if self._spool is None or attempt in self._kept or attempt not in self._pending:
                return
            try:
                self._spool.put(attempt, end)
                self._kept.add(attempt)
            except OSError as error:
                if attempt not in self._full:
                    self._full.add(attempt)
                    told = "%s: its end (%s) cannot be kept on disk (%s): it is lost if the worker stops too early."
                    log.error(told, attempt.uuid, end.reason, error)

    def _done(self, attempt: Attempt) -> None:
        with self._lock:
            self._pending.pop(attempt, None)
            self._full.discard(attempt)
            if self._spool is not None and attempt in self._kept:
                self._kept.discard(attempt)
                self._spool.drop(attempt)

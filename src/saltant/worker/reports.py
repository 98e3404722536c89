"""Ends on their way to the server: told again until it took them, and kept on disk meanwhile."""

import logging
import threading
from collections.abc import Callable
from functools import partial

from saltant.jobs import Attempt, End
from saltant.worker.control import Control
from saltant.worker.shipping import Shipping
from saltant.worker.spool import Spool

log = logging.getLogger("saltant.worker")

_FIRST_DELAY, _LAST_DELAY = 0.05, 5.0  # seconds between tries

Tell = Callable[[Attempt, End, Callable[[bool | Exception], None]], None]
"""Tells the server of an end, and its third argument what the server said or what went wrong."""


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
        self._troubled: set[Attempt] = set()  # whose ends the server could not be told at once

    @property
    def pending(self) -> list[Attempt]:
        """Whose ends are not reported yet."""
        with self._lock:
            return list(self._pending)

    @property
    def is_in_trouble(self) -> bool:
        """Whether there are ends that the server could not be told at once."""
        return bool(self._troubled)

    def report(self, attempt: Attempt, end: End, on_done: Callable[[], None], tell: Tell | None = None) -> None:
        """Report an end, and before it deliver its files, however long that takes.

        `on_done` is called, from any thread, when the server has taken it, or the time to report is over. While this
        is well it does not wait for the server's answer, which comes with those to others. `tell` may stand for the
        first try to tell the server.
        """
        with self._lock:
            self._pending[attempt] = end

        def answered(answer: bool | Exception) -> None:
            if isinstance(answer, Exception):
                self._in_trouble(attempt, end, answer)
                again = threading.Thread(target=self._repeat, args=(attempt, end, on_done), name="saltant-report")
                again.daemon = True
                again.start()
            else:
                self._taken(attempt, answer)
                self._over(attempt, on_done)

        try:
            self._deliver(attempt, end)
        except Exception as error:
            self._in_trouble(attempt, end, error)
            self._repeat(attempt, end, on_done)
        else:
            if tell is None:
                self._control.finish_soon(attempt, self._worker, end, answered)
            else:
                tell(attempt, end, answered)

    def _repeat(self, attempt: Attempt, end: End, on_done: Callable[[], None], delay: float = _FIRST_DELAY) -> None:
        """Report an end, again and again until the server has taken it."""
        try:
            while not self._abandoned.wait(delay):
                try:
                    self._deliver(attempt, end)
                    self._taken(attempt, self._control.finish(attempt, self._worker, end))
                    return
                except Exception as error:
                    self._in_trouble(attempt, end, error)
                delay = min(max(_FIRST_DELAY, delay * 2), _LAST_DELAY)
            if attempt not in self._kept:
                log.error("%s: its end (%s) was not reported before the worker stopped.", attempt.uuid, end.reason)
        finally:
            self._over(attempt, on_done)

    def _deliver(self, attempt: Attempt, end: End) -> None:
        if self._shipping is not None:
            self._shipping.deliver(attempt, on_long=lambda: self._keep(attempt, end))

    def _in_trouble(self, attempt: Attempt, end: End, error: Exception) -> None:
        # Told once; the heart says how long an outage lasts.
        level = logging.DEBUG if attempt in self._troubled else logging.WARNING
        log.log(level, "%s: its end (%s) could not be reported yet: %s", attempt.uuid, end.reason, error)
        self._troubled.add(attempt)
        self._keep(attempt, end)

    def _taken(self, attempt: Attempt, accepted: bool) -> None:
        if not accepted:
            log.info("%s: the server had given attempt %d up.", attempt.uuid, attempt.number)
        self._done(attempt)

    def _over(self, attempt: Attempt, on_done: Callable[[], None]) -> None:
        self._troubled.discard(attempt)
        if self._shipping is not None:
            self._shipping.release(attempt)
        on_done()

    def report_held(self, on_done: Callable[[Attempt], None]) -> None:
        """Report what an earlier life left."""
        for attempt, end in self._held.items():
            if self._abandoned.is_set():
                return
            self._repeat(attempt, end, partial(on_done, attempt), 0.0)

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

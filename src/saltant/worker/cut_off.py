"""Ends what another attempt would follow, before its lease ends: when the server is not to be reached."""

import logging
import threading
import time
from collections.abc import Callable, Iterable

from saltant.reasons import Reason
from saltant.worker.running import Running

log = logging.getLogger("saltant.worker")

CUT_OFF = "Its worker was cut off from its server, which would have begun the next attempt."

_MARGIN = 5.0  # seconds that reporters, clocks and a busy machine may take, where the lease is long enough
_LONGEST = 3600.0


class CutOff:
    """Watches the leases of what runs, in a thread of its own: a heartbeat may hang in the network.

    Args:
        running: what runs now.
        kill_grace: seconds between SIGTERM and SIGKILL, if the lease leaves them.
    """

    def __init__(self, running: Callable[[], Iterable[Running]], kill_grace: float) -> None:
        self._running = running
        self._kill_grace = kill_grace
        self._changed = threading.Event()
        self._closed = False

    def look(self) -> None:
        """Something new runs."""
        self._changed.set()

    def close(self) -> None:
        """Watch no more."""
        self._closed = True
        self._changed.set()

    def watch(self) -> None:
        """Watch until it is closed."""
        while not self._closed:
            self._changed.clear()
            due = [self.step(each, time.monotonic()) for each in self._running()]
            left = min((each for each in due if each is not None), default=None)
            self._changed.wait(None if left is None else min(max(left, 0.01), _LONGEST))

    def step(self, running: Running, now: float) -> float | None:
        """End an attempt if it is time to; returns in how many seconds it will be, None for never."""
        if running.lease is None or running.is_over or running.reason is not None:
            return None
        last = self.last_moment(running.lease)
        left = running.renewed + last[0] - now
        if left > 0:
            return left
        log.warning(
            "%s: the server did not hear of it for %.0f s of a lease of %.0f: attempt %d is ended, as another follows.",
            running.attempt.uuid,
            now - running.renewed,
            running.lease,
            running.attempt.number,
        )
        grace = min(self._kill_grace, running.renewed + last[1] - now)
        running.end(Reason.LOST, max(0.0, grace), CUT_OFF)
        return None

    def last_moment(self, lease: float) -> tuple[float, float]:
        """When an attempt is sent SIGTERM, and at the latest SIGKILL: in seconds since its lease was renewed."""
        killed = lease - min(_MARGIN, lease / 8)
        return max(lease / 2, killed - self._kill_grace), killed

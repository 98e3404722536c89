"""The thread that gives ends to what was left without one."""

import logging
import time
from threading import Event, Thread

from saltant.server.tasks.services import sweep

log = logging.getLogger("saltant.sweeper")


class Sweeper:
    """Sweeps every `interval` seconds. For one `lease` (seconds) after its start, or after the machine slept, no lease
    ends: workers that live need that time to say so."""

    def __init__(self, *, interval: float, lease: float) -> None:
        self._interval = interval
        self._lease = lease
        self._stop = Event()
        self._thread = Thread(target=self._run, name="sweeper", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for the sweep under way."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        # Leases are wall-clock times: where that clock leaps (a suspended machine, a corrected clock), they are void.
        offset = time.time() - time.monotonic()
        last = quiet_since = time.monotonic()
        while not self._stop.wait(self._interval):
            now, drift = time.monotonic(), time.time() - time.monotonic() - offset
            if abs(drift) > self._interval or now - last > self._lease / 2:
                log.warning("The clock leapt or the machine slept: leases last one lease time longer")
                offset, quiet_since = offset + drift, now
            last = now
            try:
                sweep(expire=now - quiet_since > self._lease)
            except Exception:
                log.exception("A sweep failed; the next one tries again")

"""The thread that gives ends to what was left without one, and begins what schedules say."""

import logging
import time
from datetime import timedelta
from threading import Event, Thread

from django.db import OperationalError, connection

from saltant.server.tasks.leadership import Leadership
from saltant.server.tasks.services import sweep

log = logging.getLogger("saltant.sweeper")

A_MOMENT = 0.001
"""Seconds. A pause may end a little early by the time of day: then this is the next one."""


class Patience:
    """When leases, and waits for a first worker, may end. All times in seconds.

    Leases are wall-clock times: where that clock leaps (a suspended machine, a corrected clock), or where nobody could
    renew them (a server that was away, a database that took no writes), workers that live first need a lease's time to
    say so.
    """

    def __init__(self, *, interval: float, lease: float, now: float, wall: float) -> None:
        self._interval = interval
        self._lease = lease
        self._offset = wall - now
        self._last = now
        self._started = now
        self._troubled = float("-inf")

    def look(self, now: float, wall: float) -> None:
        """Notice a leap: `now` is monotonic, `wall` the time of day."""
        drift = wall - now - self._offset
        if abs(drift) > self._interval or now - self._last > self._lease / 2:
            log.warning("The clock leapt or the machine slept: leases last one lease time longer")
            self._offset += drift
            self._troubled = now
        self._last = now

    def fail(self, now: float) -> None:
        """A sweep failed: then renewals may have failed as well."""
        self._troubled = now

    def waits_may_end(self, now: float) -> bool:
        """Whether what no worker has claimed may fail."""
        return now - self._troubled > self._lease

    def leases_may_end(self, now: float) -> bool:
        """Whether workers that are silent may be given up."""
        return self.waits_may_end(now) and now - self._started > self._lease


class Sweeper:
    """Sweeps every `interval` seconds, if no other process does; `lease` and `republish` as in the settings."""

    def __init__(self, *, interval: float, lease: float, republish: float = 10.0) -> None:
        self._interval = interval
        self._lease = lease
        self._look_for_tickets = max(interval, republish / 2)
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
        leadership = Leadership()
        patience: Patience | None = None
        looked = 0.0
        failing = False
        pause = self._interval
        while not self._stop.wait(pause):
            pause = self._interval
            now = time.monotonic()
            try:
                connection.close_if_unusable_or_obsolete()
                if not leadership.is_held():
                    patience = None
                    continue
                if patience is None:
                    # Who begins to lead does not know what could not be renewed before.
                    patience = Patience(interval=self._interval, lease=self._lease, now=now, wall=time.time())
                patience.look(now, time.time())
                tickets = now - looked >= self._look_for_tickets
                upcoming = sweep(
                    leases=patience.leases_may_end(now),
                    waits=patience.waits_may_end(now),
                    tickets=tickets,
                    horizon=timedelta(seconds=self._interval),
                )
                looked = now if tickets else looked
                if upcoming is not None:  # at its time, not a pause later
                    pause = min(pause, max(A_MOMENT, upcoming.timestamp() - time.time()))
            except Exception as error:
                if patience is not None:
                    patience.fail(time.monotonic())
                if not failing:  # once, not every second until the disk has room again
                    log.error("A sweep failed; it is tried again until it works: %s", error, exc_info=_is_ours(error))
                failing = True
                if connection.vendor == "postgresql":
                    connection.close()  # it may be what failed
            else:
                failing = False
        connection.close()


def _is_ours(error: Exception) -> bool:
    """Whether it is a fault of ours, whose traceback is of use."""
    return not isinstance(error, OperationalError)

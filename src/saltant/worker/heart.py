"""What a worker tells its server of itself: its announcement, then heartbeats, and that it leaves."""

import logging
import threading
import time
from collections.abc import Callable, Collection
from datetime import datetime

from saltant.jobs import Attempt
from saltant.reasons import Reason
from saltant.worker.control import Control
from saltant.worker.rarely import Rarely
from saltant.worker.running import Running
from saltant.workers import Announcement, Refused

log = logging.getLogger("saltant.worker")

_FIRST_DELAY, _LAST_DELAY = 0.05, 5.0  # seconds between tries to reach the server
_LAST_ANNOUNCEMENT = 30.0  # seconds between tries at a start, at the most


class Heart:
    """Keeps a worker's leases.

    Attributes:
        lanes: by which names the server sends tickets of the worker's queues, as it said at the start; None: by any.

    Args:
        control: the server.
        said: what the worker is; asked for each time that it is announced.
        running: what runs, or is not reported yet.
        pending: ends of an earlier life that are not reported yet.
        interval: seconds between heartbeats.
        kill_grace: seconds between SIGTERM and SIGKILL for what the server has ended.
        on_drain: called when the server wants the worker to drain.
        abandoned: set when the worker is at its end.
    """

    def __init__(
        self,
        *,
        control: Control,
        said: Callable[[], Announcement],
        running: Callable[[], list[Running]],
        pending: Callable[[], Collection[Attempt]],
        interval: Callable[[], float],
        kill_grace: float,
        on_drain: Callable[[], None],
        abandoned: threading.Event,
    ) -> None:
        self._control = control
        self._said = said
        self._running = running
        self._pending = pending
        self._interval = interval
        self._kill_grace = kill_grace
        self._on_drain = on_drain
        self._abandoned = abandoned
        self._to_look = threading.Event()
        self._trouble = Rarely(log)
        self._refusal = Rarely(log)
        self._worker = said().worker
        self._is_other = False  # than it was announced
        self._is_draining = False
        self._is_draining_told = False
        self.is_announced = False
        self.lanes: Collection[str] | None = None

    def look(self) -> None:
        """Beat soon."""
        self._to_look.set()

    def drain(self) -> None:
        """Say soon that the worker takes nothing new."""
        self._is_draining = True
        self._to_look.set()

    def say_again(self) -> None:
        """Announce the worker anew soon: it is other than it was."""
        self._is_other = True
        self._to_look.set()

    def announce(self, is_wanted: Callable[[], bool]) -> None:
        """Announce the worker at its start, however long that takes, as long as it `is_wanted`. Raises Refused."""
        delay = _FIRST_DELAY
        while is_wanted():
            try:
                self._is_other = False
                self.lanes = self._control.announce(self._said(), self._pending())
            except Refused:
                raise
            except Exception as error:
                self._trouble.warn(f"The server cannot be reached yet: {error}")
            else:
                self.is_announced = True
                self._trouble.over("The server is reached.")
                return
            self._abandoned.wait(delay)
            delay = min(delay * 2, _LAST_ANNOUNCEMENT)

    def beat(self) -> None:
        """Beat until the worker is at its end."""
        delay = 0.0
        while not self._abandoned.is_set():
            self._to_look.wait(delay or self._interval())
            if delay:
                self._abandoned.wait(delay)  # a look that is asked for often does not hurry a server that is away
            self._to_look.clear()
            try:
                self._beat_once()
            except Exception as error:
                self._trouble.warn(f"The server cannot be reached: {error}")
                delay = min(delay * 2 or _FIRST_DELAY, _LAST_DELAY, self._interval())
                continue
            self._trouble.over("The server is reached again.")
            delay = 0.0

    def _beat_once(self) -> None:
        running = self._running()
        told: dict[Attempt, datetime | None] = dict.fromkeys(self._pending())
        told |= {each.attempt: each.started for each in running}
        asked = time.monotonic()
        try:
            progress = {each.attempt: each.progress for each in running if each.progress != each.told and each.progress}
            orders = self._control.heartbeat(self._worker, told, progress)
            for each in running:
                each.renewed = asked
                each.told = progress.get(each.attempt, each.told)
                if each.attempt in orders.to_end:
                    each.end(Reason.CANCELLED, self._kill_grace)
        finally:
            for each in running:
                each.check()
        if orders.announce or self._is_other:
            self._is_other = False
            self._announce_again()
        if orders.drain:
            self._on_drain()
        if self._is_draining and not self._is_draining_told:
            self._control.leave(self._worker, draining=True)
            self._is_draining_told = True

    def _announce_again(self) -> None:
        """The server does not know this worker, or not as it is now. What runs goes on, also where it is refused."""
        try:
            self._control.announce(self._said(), None)
        except Refused as refused:
            self._refusal.warn(str(refused))
        except Exception:
            self._is_other = True
            raise
        else:
            self._is_draining_told = False

    def leave(self) -> None:
        """Say once that the worker is gone."""
        if not self.is_announced:
            return
        try:
            self._control.leave(self._worker)
        except Exception as error:
            log.warning("The server could not be told that this worker leaves: %s", error)

"""The worker: takes tickets, claims attempts, runs them and reports how they ended."""

import logging
import threading
import time
from collections.abc import Collection, Mapping
from typing import Protocol

from saltant.jobs import Attempt, End, Job, Kind, Ticket
from saltant.reasons import Reason
from saltant.worker.control import Control
from saltant.worker.runners.base import Runner
from saltant.worker.running import Running
from saltant.workers import Announcement

log = logging.getLogger("saltant.worker")

_CLAIM_TRIES = 8
_FIRST_DELAY, _LAST_DELAY = 0.05, 5.0  # seconds between tries to reach the server
_HURRY = 2.0  # seconds that a stop without grace may take to kill and to report


class Source(Protocol):
    """Where tickets come from. Every call may be made from any thread."""

    def take(self, queues: Collection[str] | None, kinds: Collection[Kind], timeout: float | None) -> Ticket | None:
        """The next ticket for one of `queues` (None: any) and `kinds`; None after `timeout` seconds, or when closed."""

    def give_back(self, ticket: Ticket) -> None:
        """Give the ticket out again: it could not be claimed, as the server was not to be reached."""

    def close(self) -> None:
        """Give out nothing any more, and wake all takers with None."""


class Worker:
    """Runs what it gets tickets for, as many at once as it has slots.

    Args:
        name: its name, unique among the workers of a server.
        control: the server.
        source: where tickets come from; closed when the worker stops.
        runners: how it runs each kind of job; it takes tickets of these kinds, and closes them when it stops.
        queues: the queues it serves; None for all.
        slots: how many jobs it runs at once.
        heartbeat_seconds: how often it renews its leases.
        kill_grace: seconds between SIGTERM and SIGKILL for a job that is terminated.
    """

    def __init__(
        self,
        *,
        name: str,
        control: Control,
        source: Source,
        runners: Mapping[Kind, Runner],
        queues: Collection[str] | None = None,
        slots: int = 2,
        heartbeat_seconds: float = 10.0,
        kill_grace: float = 5.0,
    ) -> None:
        self.name = name
        self._control = control
        self._source = source
        self._runners = dict(runners)
        self._queues = queues
        self._heartbeat_seconds = heartbeat_seconds
        self._kill_grace = kill_grace
        self._changed = threading.Condition()
        self._running: dict[Attempt, Running] = {}
        self._busy = slots  # slots whose thread lives
        self._looks = 0
        self._to_look = threading.Event()
        self._announced = threading.Event()
        self._stopping = False
        self._kill_at: float | None = None  # set when all that runs is to be ended
        self._abandoned = threading.Event()  # set when the time to report is over
        self._deadlines = (float("inf"), float("inf"), float("inf"))
        self._slots = [
            threading.Thread(target=self._slot, name=f"saltant-slot-{number}", daemon=True) for number in range(slots)
        ]
        self._heart = threading.Thread(target=self._beat, name="saltant-heartbeat", daemon=True)

    def start(self) -> None:
        """Begin to take tickets; returns at once."""
        for thread in (self._heart, *self._slots):
            thread.start()

    def look(self) -> None:
        """Ask the server soon whether something that runs is to be ended. From any thread."""
        with self._changed:
            self._looks += 1
        self._to_look.set()

    @property
    def running(self) -> list[Attempt]:
        """What runs now."""
        with self._changed:
            return list(self._running)

    def stop(self, grace: float = 10.0) -> None:
        """Stop within `grace` seconds, though no job is killed unreported in less than two.

        Takes nothing new. What runs has half of the grace to end by itself, is then sent SIGTERM, and SIGKILL shortly
        before the grace is over; what was ended so is reported as such. Another call, from another thread, can make it
        quicker: stop(0) kills at once. Not to be called from a signal handler.
        """
        now = time.monotonic()
        margin = min(1.0, grace / 4)
        planned = (now + grace / 2, now + grace - margin, now + max(grace, _HURRY))
        with self._changed:
            self._deadlines = (
                min(planned[0], self._deadlines[0]),
                min(planned[1], self._deadlines[1]),
                min(planned[2], self._deadlines[2]),
            )
            self._stopping = True
            self._changed.notify_all()
        self._source.close()
        self._announced.set()  # slots that never began end, too
        if not self._wait_for_slots(0):
            with self._changed:
                self._kill_at = self._deadlines[1]
                running = list(self._running.values())
            for each in running:
                each.end(Reason.SERVER_STOPPED, max(0.0, self._deadlines[1] - time.monotonic()))
            if not self._wait_for_slots(2):
                log.error("Stopping although these still run: %s", ", ".join(str(a.uuid) for a in self.running))
        self._abandoned.set()
        self._to_look.set()
        for runner in self._runners.values():
            runner.close(max(0.5, self._deadlines[2] - time.monotonic()))
        self._heart.join(0.5)

    def _wait_for_slots(self, deadline: int) -> bool:
        """Wait until all slots are done: False if one of the deadlines came first."""
        with self._changed:
            while self._busy:
                left = self._deadlines[deadline] - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(left)
        return True

    def _slot(self) -> None:
        try:
            self._announced.wait()
            while not self._stopping:
                try:
                    ticket = self._source.take(self._queues, self._runners, None)
                except Exception:
                    log.exception("No ticket could be taken.")
                    self._abandoned.wait(1.0)
                    continue
                if ticket is None or self._stopping:
                    return  # what is not claimed is somebody else's, or comes again
                try:
                    self._serve(ticket)
                except Exception:
                    log.exception("%s: a slot failed; it goes on.", ticket.attempt.uuid)
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    def _serve(self, ticket: Ticket) -> None:
        looks = self._looks
        job = self._claim(ticket)
        if job is None:
            return
        running = Running(job.attempt)
        with self._changed:
            self._running[job.attempt] = running
            kill_at = self._kill_at
        if kill_at is not None:
            running.end(Reason.SERVER_STOPPED, max(0.0, kill_at - time.monotonic()))
        if looks != self._looks:
            self._to_look.set()  # who looked meanwhile did not know of this one
        try:
            end = self._run(job, running)
            self._finish(job.attempt, end)
        finally:
            with self._changed:
                del self._running[job.attempt]

    def _run(self, job: Job, running: Running) -> End:
        runner = self._runners.get(job.kind)
        if runner is None:
            return End(Reason.WORKER_ERROR, f"This worker cannot run jobs of kind {job.kind}.")
        try:
            return runner.run(job, running)
        except Exception as error:
            log.exception("%s: the worker failed to run it.", job.attempt.uuid)
            return End(Reason.WORKER_ERROR, f"The worker failed: {type(error).__name__}: {error}")

    def _claim(self, ticket: Ticket) -> Job | None:
        """Claim an attempt. A ticket that cannot be claimed for long makes room for others."""
        delay = _FIRST_DELAY
        for left in reversed(range(_CLAIM_TRIES)):
            try:
                return self._control.claim(ticket, self.name)
            except Exception as error:
                log.warning("%s: could not be claimed (%s more tries): %s", ticket.attempt.uuid, left, error)
            if self._stopping or self._abandoned.wait(delay):
                break
            delay = min(delay * 2, _LAST_DELAY)
        self._source.give_back(ticket)
        return None

    def _finish(self, attempt: Attempt, end: End) -> None:
        """Report an end, however long it takes."""
        delay = _FIRST_DELAY
        while True:
            try:
                if not self._control.finish(attempt, self.name, end):
                    log.info("%s: the server had given attempt %d up.", attempt.uuid, attempt.number)
                return
            except Exception as error:
                log.warning("%s: its end (%s) could not be reported yet: %s", attempt.uuid, end.reason, error)
            if self._abandoned.wait(delay):
                log.error("%s: its end (%s) was not reported before the worker stopped.", attempt.uuid, end.reason)
                return
            delay = min(delay * 2, _LAST_DELAY)

    def _beat(self) -> None:
        self._announce()
        delay = 0.0
        while not self._abandoned.is_set():
            self._to_look.wait(delay or self._heartbeat_seconds)
            if delay:
                self._abandoned.wait(delay)  # a look that is asked for often does not hurry a server that is away
            self._to_look.clear()
            with self._changed:
                running = list(self._running.values())
            try:
                orders = self._control.heartbeat(self.name, {each.attempt: each.started for each in running})
            except Exception as error:
                log.warning("The server cannot be reached: %s", error)
                delay = min(delay * 2 or _FIRST_DELAY, _LAST_DELAY, self._heartbeat_seconds)
                continue
            delay = 0.0
            for each in running:
                if each.attempt in orders.to_end:
                    each.end(Reason.CANCELLED, self._kill_grace)
                each.check()

    def _announcement(self) -> Announcement:
        return Announcement(worker=self.name, queues=self._queues, kinds=list(self._runners), slots=len(self._slots))

    def _announce(self) -> None:
        delay = _FIRST_DELAY
        while not self._abandoned.is_set():
            try:
                self._control.announce(self._announcement())
                break
            except Exception as error:
                log.warning("The server cannot be reached: %s", error)
            self._abandoned.wait(delay)
            delay = min(delay * 2, _LAST_DELAY)
        self._announced.set()

"""The worker: takes tickets, claims attempts, runs them and reports how they ended."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from uuid import UUID

from saltant.jobs import Attempt, End, Job, Kind, Ticket
from saltant.reasons import Reason
from saltant.worker.control import Control
from saltant.worker.cut_off import CutOff
from saltant.worker.engines import EVERY, Engines
from saltant.worker.heart import Heart
from saltant.worker.reports import Reports
from saltant.worker.runners.base import Runner
from saltant.worker.running import Running
from saltant.worker.shipping import Shipping
from saltant.worker.source import Source
from saltant.worker.spool import Spool
from saltant.workers import Announcement, Refused

log = logging.getLogger("saltant.worker")

_CLAIM_TRIES = 8
_FIRST_DELAY, _LAST_DELAY = 0.05, 5.0  # seconds between tries to claim
_HURRY = 2.0  # seconds that a stop without grace may take to kill and to report
_REPORT = 5.0  # seconds to report, and to leave, after what ran was killed
_LONGEST = 3600.0  # seconds to wait at once: a lock's time-out may overflow


class Worker:
    """Runs what it gets tickets for, as many at once as it has slots.

    Args:
        said: what it is: its name, queues and slots, and more that only its server needs.
        control: the server.
        source: where tickets come from; closed when the worker stops.
        runners: how it runs each kind of job; it takes tickets of those kinds that can be run at the time, announces
            those, and closes the runners when it stops.
        heartbeat_seconds: how often it renews its leases; asked for each time.
        kill_grace: seconds between SIGTERM and SIGKILL for a job that is terminated.
        stopped: the reason, and a sentence, for what is ended as the worker is stopped.
        spool: where ends are kept that the server has not taken; None: in memory only.
        held: what the spool held at the start.
        engines_seconds: how often it asks again what can be run.
        shipping: ships what jobs leave; None: it stays where it is. Closed when the worker stops.
        on_ready: called once the server has taken it, before it takes tickets.
    """

    def __init__(
        self,
        *,
        said: Announcement,
        control: Control,
        source: Source,
        runners: Mapping[Kind, Runner],
        heartbeat_seconds: float | Callable[[], float] = 10.0,
        kill_grace: float = 5.0,
        engines_seconds: float = EVERY,
        stopped: tuple[Reason, str] = (Reason.SERVER_STOPPED, ""),
        spool: Spool | None = None,
        held: Mapping[Attempt, End] | None = None,
        shipping: Shipping | None = None,
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = said.worker
        self.refused: Refused | None = None  # why the server did not take it
        self._control = control
        self._source = source
        self._runners = dict(runners)
        self._queues = said.queues
        self._stopped = stopped
        self._shipping = shipping
        self._on_ready = on_ready
        self._changed = threading.Condition()
        self._running: dict[Attempt, Running] = {}
        self._taken: set[Attempt] = set(held or ())  # running, being claimed or being reported
        self._busy = said.slots + bool(held)  # threads that have something to finish
        self._looks = 0
        self._announced = threading.Event()  # or never to be
        self._stopping = False  # takes nothing new
        self._kill_at: float | None = None  # set when all that runs is to be ended
        self._abandoned = threading.Event()  # set when the time to report is over
        self._ended = threading.Event()
        self._deadlines = (float("inf"), float("inf"), float("inf"))
        self._reports = Reports(control, said.worker, spool, dict(held or {}), self._abandoned, shipping)
        self._engines = Engines(
            self._runners,
            on_change=self._on_engines,
            are_live=control.live,
            knows_server=lambda: bool(control.server),
            every=engines_seconds,
        )
        self._cut_off = CutOff(self._all_running, kill_grace)
        self._heart = Heart(
            control=control,
            said=lambda: replace(said, kinds=list(self._engines)),
            running=self._all_running,
            pending=lambda: self._reports.pending,
            interval=heartbeat_seconds if callable(heartbeat_seconds) else lambda: heartbeat_seconds,
            kill_grace=kill_grace,
            on_drain=self.drain,
            abandoned=self._abandoned,
        )
        threads = {f"saltant-slot-{number}": self._slot for number in range(said.slots)}
        threads |= {"saltant-heartbeat": self._live, "saltant-cut-off": self._cut_off.watch}
        threads |= {"saltant-engines": self._watch_engines}
        if held:
            threads["saltant-reports"] = self._report_held
        self._threads = [threading.Thread(target=run, name=name, daemon=True) for name, run in threads.items()]

    def start(self) -> None:
        """Begin to take tickets; returns at once."""
        for thread in self._threads:
            thread.start()

    def look(self) -> None:
        """Ask the server soon whether something that runs is to be ended. From any thread."""
        with self._changed:
            self._looks += 1
        self._heart.look()

    def look_into(self, uuid: UUID) -> None:
        """Ask the server soon whether an instance is to be ended, if it is here. From any thread."""
        with self._changed:
            is_here = any(attempt.uuid == uuid for attempt in self._taken)
        if is_here:
            self.look()

    @property
    def running(self) -> list[Attempt]:
        """What runs now."""
        with self._changed:
            return list(self._running)

    def wait(self) -> None:
        """Wait until it has stopped: it was told to, it has drained, or the server has refused it."""
        self._ended.wait()

    def drain(self) -> None:
        """Take nothing new, finish what runs however long it takes, then stop. Returns at once."""
        with self._changed:
            if self._stopping:
                return
            self._stopping = True
        log.info("Draining: nothing new is taken, and what runs (%d) is finished.", len(self.running))
        self._heart.drain()
        threading.Thread(target=self._finish_all, name="saltant-drain", daemon=True).start()

    def stop(self, grace: float = 10.0) -> None:
        """Stop within `grace` seconds, though no job is killed unreported in less than two.

        Takes nothing new. What runs has half of the grace to end by itself, is then sent SIGTERM, and SIGKILL shortly
        before the grace is over; what was ended so is reported as such. Another call, from another thread, can make it
        quicker: stop(0) kills at once. Not to be called from a signal handler.
        """
        margin = min(1.0, grace / 4)
        self._stop(grace / 2, grace - margin, max(grace, _HURRY))

    def end_now(self, grace: float) -> None:
        """Stop: what runs is sent SIGTERM now, SIGKILL in `grace` seconds, and reported."""
        self._stop(0.0, grace, grace + _REPORT)

    def _stop(self, *seconds: float) -> None:
        """Stop: from now, when what runs is sent SIGTERM, when SIGKILL, and until when ends are reported."""
        now = time.monotonic()
        with self._changed:
            sooner = [min(now + each, known) for each, known in zip(seconds, self._deadlines, strict=True)]
            self._deadlines = (sooner[0], sooner[1], sooner[2])
            self._stopping = True
            self._changed.notify_all()
        # A broker may take a second or two to let go, and that is not to come off what jobs have to end.
        threading.Thread(target=self._source.close, name="saltant-close", daemon=True).start()
        self._announced.set()  # slots that never began end, too
        if not self._wait_for_slots(0):
            with self._changed:
                self._kill_at = self._deadlines[1]
                running = list(self._running.values())
            for each in running:
                self._end_stopped(each, self._deadlines[1])
            if self._shipping is not None and not self._wait_for_slots(1, 2):
                self._shipping.hurry()
            if not self._wait_for_slots(2):
                log.error("Stopping although these still run: %s", ", ".join(str(a.uuid) for a in self.running))
        leaving = threading.Thread(target=self._heart.leave, name="saltant-leave", daemon=True)
        if not self._ended.is_set():
            leaving.start()
        self._abandoned.set()
        self._heart.look()
        self._cut_off.close()
        self._engines.close()
        for runner in self._runners.values():
            runner.close(max(0.5, self._deadlines[2] - time.monotonic()))
        if not self._ended.is_set():
            leaving.join(max(0.5, min(_REPORT, self._deadlines[2] - time.monotonic())))
        if self._shipping is not None:
            self._shipping.close()
        self._reports.keep_all()
        self._ended.set()

    def _finish_all(self) -> None:
        """A drain: stop when nothing runs any more and every end is reported."""
        self._source.close()
        if not self._heart.is_announced:
            self._announced.set()  # it has nothing to finish, but for ends that stay on disk
        if self._wait_for_slots(0):  # otherwise a stop has taken over
            self._stop(0.0, 0.0, _REPORT)

    def _wait_for_slots(self, *deadlines: int) -> bool:
        """Wait until all slots are done: False if one of the deadlines, or the middle of several, came first."""
        with self._changed:
            while self._busy:
                left = sum(self._deadlines[each] for each in deadlines) / len(deadlines) - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(min(left, _LONGEST))
        return True

    def _live(self) -> None:
        """The heartbeat's thread: the worker's announcement, and its beats."""
        try:
            self._engines.look()
            self._heart.announce(lambda: not self._stopping)
            if self._heart.is_announced:
                if self._shipping is not None:
                    self._shipping.start()
                self._on_ready()
        except Exception as error:
            if isinstance(error, Refused):
                log.error("This worker stops: %s", error)
                self.refused = error
            else:
                log.exception("The worker failed at its start.")
                self.refused = Refused(f"The worker failed at its start: {error}")
            self._stop(0.0, 0.0, _HURRY)
            return
        finally:
            self._announced.set()
        self._heart.beat()

    def _watch_engines(self) -> None:
        self._announced.wait()
        if self._heart.is_announced:
            self._engines.watch()

    def _on_engines(self) -> None:
        """Other kinds of jobs can be run than before."""
        self._source.refresh(self._engines)
        self._heart.say_again()

    def _report_held(self) -> None:
        try:
            self._announced.wait()
            if self._heart.is_announced:
                self._reports.report_held(self._release)
        finally:
            self._done()

    def _release(self, attempt: Attempt) -> None:
        with self._changed:
            self._taken.discard(attempt)

    def _done(self) -> None:
        with self._changed:
            self._busy -= 1
            self._changed.notify_all()

    def _slot(self) -> None:
        try:
            self._announced.wait()
            while not self._stopping:
                try:
                    ticket = self._source.take(self._queues, self._engines, None)
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
            self._done()

    def _serve(self, ticket: Ticket) -> None:
        with self._changed:
            if ticket.attempt in self._taken:
                return  # a ticket that came twice
            self._taken.add(ticket.attempt)
        try:
            self._serve_once(ticket)
        finally:
            self._release(ticket.attempt)

    def _serve_once(self, ticket: Ticket) -> None:
        if ticket.kind in self._runners and not self._engines.can_run(ticket.kind):
            self._source.give_back(ticket)  # its engine is away: it waits, here or elsewhere, for one
            return
        looks = self._looks
        claimed = self._claim(ticket)
        if claimed is None:
            return
        job, asked = claimed
        files = None if self._shipping is None else self._shipping.begin(job.attempt)
        running = Running(job.attempt, job.lease if job.is_retried_when_lost else None, asked, files)
        with self._changed:
            self._running[job.attempt] = running
            kill_at = self._kill_at
        if running.lease is not None:
            self._cut_off.look()
        if kill_at is not None:
            self._end_stopped(running, kill_at)
        if looks != self._looks:
            self._heart.look()  # who looked meanwhile did not know of this one
        try:
            end = self._run(job, running)
            running.is_over = True
            if end.reason is Reason.ENGINE_UNAVAILABLE:
                self._engines.doubt(job.kind)
            self._reports.report(job.attempt, end)
        finally:
            with self._changed:
                del self._running[job.attempt]

    def _end_stopped(self, running: Running, kill_at: float) -> None:
        reason, why = self._stopped
        running.end(reason, max(0.0, kill_at - time.monotonic()), why)

    def _run(self, job: Job, running: Running) -> End:
        runner = self._runners.get(job.kind)
        if runner is None:
            return End(Reason.WORKER_ERROR, f"This worker cannot run jobs of kind {job.kind}.")
        try:
            end = runner.run(job, running)
        except Exception as error:
            log.exception("%s: the worker failed to run it.", job.attempt.uuid)
            return End(Reason.WORKER_ERROR, f"The worker failed: {type(error).__name__}: {error}")
        if running.why and end.reason is running.reason:
            return replace(end, message=f"{running.why} {end.message}".rstrip())
        return end

    def _claim(self, ticket: Ticket) -> tuple[Job, float] | None:
        """Claim an attempt; returns the job and when it was asked for.

        A ticket that cannot be claimed for long makes room for others.
        """
        delay = _FIRST_DELAY
        for left in reversed(range(_CLAIM_TRIES)):
            asked = time.monotonic()
            try:
                job = self._control.claim(ticket, self.name)
                if job is not None and job.lease is not None and time.monotonic() - asked > job.lease / 2:
                    continue  # the answer was long on its way: the server may have given the attempt up since
                return None if job is None else (job, asked)
            except Exception as error:
                level = logging.WARNING if left in (0, _CLAIM_TRIES - 1) else logging.DEBUG
                log.log(level, "%s: could not be claimed (%s more tries): %s", ticket.attempt.uuid, left, error)
            if self._stopping or self._abandoned.wait(delay):
                break
            delay = min(delay * 2, _LAST_DELAY)
        self._source.give_back(ticket)
        return None

    def _all_running(self) -> list[Running]:
        with self._changed:
            return list(self._running.values())

"""The threads that serve tickets: each claims an attempt, runs it, hands its end on and takes the next one."""

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from uuid import UUID

from saltant.jobs import Attempt, End, Job, Kind, Ticket
from saltant.reasons import Reason
from saltant.worker.control import Control
from saltant.worker.engines import Engines
from saltant.worker.reports import Reports
from saltant.worker.runners.base import Runner
from saltant.worker.running import Running
from saltant.worker.shipping import Shipping
from saltant.worker.source import Source

log = logging.getLogger("saltant.worker")

_CLAIM_TRIES = 8
_FIRST_DELAY, _LAST_DELAY = 0.05, 5.0  # seconds between tries to claim
_RECOVERY = 0.1  # seconds between looks whether ends can be told again
_LONGEST = 3600.0  # seconds to wait at once: a lock's time-out may overflow

Exchange = Callable[[Attempt, str, End, Ticket], tuple[bool, Job | None]]
"""Called with an attempt, the worker, its end and a ticket; returns what `finish` and `claim` would."""


@dataclass(frozen=True, slots=True)
class _Claimed:
    """A job to run, when it was asked for, and how often the server had been asked what is to be ended by then."""

    job: Job
    asked: float
    looks: int


class Slots:
    """Runs as many attempts at once as there are slots, and knows them until their ends are told.

    Args:
        worker: the worker's name.
        count: how many there are.
        control: the server.
        source: where tickets come from.
        runners: how each kind of job is run.
        engines: which kinds can be run at the time.
        reports: where ends are handed to.
        announced: set when the server knows the worker, or never will.
        abandoned: set when the time to report is over.
        stopped: the reason, and a sentence, for what is ended as the worker is stopped.
        shipping: ships what jobs leave; None: it stays where it is.
        held: the attempts of an earlier life whose ends are reported first.
        on_running: told of each attempt that was claimed.
        look: asks the server soon whether something that runs is to be ended.
        exchange: reports an end and claims the next attempt, both or neither; None: they are done one by one.
    """

    def __init__(
        self,
        *,
        worker: str,
        count: int,
        control: Control,
        source: Source,
        runners: Mapping[Kind, Runner],
        engines: Engines,
        reports: Reports,
        announced: threading.Event,
        abandoned: threading.Event,
        stopped: tuple[Reason, str],
        shipping: Shipping | None,
        held: Collection[Attempt],
        on_running: Callable[[Running], None],
        look: Callable[[], None],
        exchange: Exchange | None = None,
    ) -> None:
        self.lanes: Collection[str] | None = None  # by which the tickets of its queues come; None: all
        self.is_announced = False  # the server knows the worker
        self.stopping = False  # nothing new is taken
        self._worker = worker
        self._control = control
        self._source = source
        self._runners = runners
        self._engines = engines
        self._reports = reports
        self._announced = announced
        self._abandoned = abandoned
        self._stopped = stopped
        self._shipping = shipping
        self._on_running = on_running
        self._look = look
        self._exchange = exchange
        self._changed = threading.Condition()
        self._running: dict[Attempt, Running] = {}
        self._taken = set(held)  # running, being claimed or being reported
        self._busy = count + bool(held)  # threads that have something to finish, and ends that are not told yet
        self._looks = 0
        self._kill_at: float | None = None  # set when all that runs is to be ended
        threads = {f"saltant-slot-{number}": self._slot for number in range(count)}
        if held:
            threads["saltant-reports"] = self._report_held
        self._threads = [threading.Thread(target=run, name=name, daemon=True) for name, run in threads.items()]

    def start(self) -> None:
        """Start the threads, which wait until the worker is announced."""
        for thread in self._threads:
            thread.start()

    def running(self) -> list[Running]:
        """What runs, and what has ended and is not told yet."""
        with self._changed:
            return list(self._running.values())

    def has(self, uuid: UUID) -> bool:
        """Whether an attempt of an instance is here, be it only about to be claimed."""
        with self._changed:
            return any(attempt.uuid == uuid for attempt in self._taken)

    def looked(self) -> None:
        """Somebody asks the server what is to be ended: what is being claimed now has to be asked for again."""
        with self._changed:
            self._looks += 1

    def stop_taking(self) -> bool:
        """Take nothing new; whether that is news."""
        with self._changed:
            is_news = not self.stopping
            self.stopping = True
            self._changed.notify_all()
        return is_news

    def end_all(self, kill_at: float) -> None:
        """End all that runs, and what still comes to run: by force at `kill_at`, as time.monotonic() tells it."""
        with self._changed:
            self._kill_at = kill_at
            running = list(self._running.values())
        for each in running:
            self._end_stopped(each, kill_at)

    def wait(self, deadline: Callable[[], float]) -> bool:
        """Wait until all is over, each end told: False if `deadline`, asked for each time, came first."""
        with self._changed:
            while self._busy:
                left = deadline() - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(min(left, _LONGEST))
        return True

    def _report_held(self) -> None:
        try:
            self._announced.wait()
            if self.is_announced:
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
            claimed: _Claimed | None = None
            while claimed is not None or not self.stopping:
                try:
                    if claimed is None:
                        claimed = self._take_one()
                    if claimed is not None:
                        claimed = self._serve(claimed)
                except Exception:
                    claimed = None
                    log.exception("A slot failed; it goes on.")
        finally:
            self._done()

    def _take_one(self) -> _Claimed | None:
        """Wait for a ticket, and claim its attempt; None if that came to nothing."""
        if self._reports.is_in_trouble:
            self._abandoned.wait(_RECOVERY)  # whoever cannot tell an end can claim nothing either
            return None
        try:
            ticket = self._source.take(self.lanes, self._engines, None)
        except Exception:
            log.exception("No ticket could be taken.")
            self._abandoned.wait(1.0)
            return None
        if ticket is None:  # the source is closed
            self.stop_taking()
        if ticket is None or (self.stopping and not ticket.is_claimed) or not self._accept(ticket):
            return None  # what is not claimed is somebody else's, or comes again
        claimed = None
        try:
            claimed = self._claim(ticket)
        finally:
            if claimed is None:
                self._release(ticket.attempt)
        return claimed

    def _accept(self, ticket: Ticket) -> bool:
        """Whether a ticket is to be claimed; then its attempt counts as taken."""
        with self._changed:
            if ticket.attempt in self._taken:
                return False  # a ticket that came twice
            self._taken.add(ticket.attempt)
        if ticket.kind in self._runners and not self._engines.can_run(ticket.kind):
            self._release(ticket.attempt)
            self._source.give_back(ticket)  # its engine is away: it waits, here or elsewhere, for one
            return False
        return True

    def _serve(self, claimed: _Claimed) -> _Claimed | None:
        """Run what was claimed, and hand its end on; returns the next one, if that was claimed with it."""
        attempt = claimed.job.attempt
        try:
            end = self._carry_out(claimed)
        except BaseException:
            self._release(attempt)
            raise
        following: list[_Claimed] = []
        tell = None if self._exchange is None else partial(self._tell_and_claim, self._exchange, following)
        try:
            self._reports.report(attempt, end, partial(self._is_told, attempt), tell)
        except Exception:
            log.exception("%s: its end could not be handed on.", attempt.uuid)
        return following[0] if following else None

    def _tell_and_claim(
        self,
        exchange: Exchange,
        following: list[_Claimed],
        attempt: Attempt,
        end: End,
        on_answer: Callable[[bool | Exception], None],
    ) -> None:
        """Report an end; if a ticket waits, its attempt is claimed with that, and added to `following`."""
        ticket = self._take_waiting()
        if ticket is None:
            self._control.finish_soon(attempt, self._worker, end, on_answer)
            return
        asked, looks = time.monotonic(), self._looks
        try:
            accepted, job = exchange(attempt, self._worker, end, ticket)
        except Exception as error:  # then neither was done
            on_answer(error)
            self._release(ticket.attempt)
            self._source.give_back(ticket)
            return
        if job is None:
            self._release(ticket.attempt)
        else:
            following.append(_Claimed(job, asked, looks))
        on_answer(accepted)

    def _take_waiting(self) -> Ticket | None:
        """A ticket that waits and is to be claimed. It raises nothing: there is an end to be told."""
        try:
            ticket = None if self.stopping else self._source.take(self.lanes, self._engines, 0)
            return ticket if ticket is not None and self._accept(ticket) else None
        except Exception:
            log.exception("No ticket could be taken.")
            return None

    def _carry_out(self, claimed: _Claimed) -> End:
        """Run an attempt; from here to its told end it counts as running."""
        job = claimed.job
        files = None if self._shipping is None else self._shipping.begin(job.attempt)
        running = Running(job.attempt, job.lease if job.is_retried_when_lost else None, claimed.asked, files)
        with self._changed:
            self._running[job.attempt] = running
            self._busy += 1
            kill_at = self._kill_at
        try:
            self._on_running(running)
            if kill_at is not None:
                self._end_stopped(running, kill_at)
            if claimed.looks != self._looks:
                self._look()  # who looked meanwhile did not know of this one
            end = self._run(job, running)
            running.is_over = True
            if end.reason is Reason.ENGINE_UNAVAILABLE:
                self._engines.doubt(job.kind)
            return running.conclude(end)
        except BaseException:
            self._is_told(job.attempt)
            raise

    def _is_told(self, attempt: Attempt) -> None:
        with self._changed:
            del self._running[attempt]
            self._taken.discard(attempt)
            self._busy -= 1
            self._changed.notify_all()

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

    def _claim(self, ticket: Ticket) -> _Claimed | None:
        """Claim an attempt. A ticket that cannot be claimed for long makes room for others."""
        delay, looks = _FIRST_DELAY, self._looks
        for left in reversed(range(_CLAIM_TRIES)):
            asked = time.monotonic()
            try:
                job = self._control.claim(ticket, self._worker)
                if job is not None and job.lease is not None and time.monotonic() - asked > job.lease / 2:
                    continue  # the answer was long on its way: the server may have given the attempt up since
                return None if job is None else _Claimed(job, asked, looks)
            except Exception as error:
                level = logging.WARNING if left in (0, _CLAIM_TRIES - 1) else logging.DEBUG
                log.log(level, "%s: could not be claimed (%s more tries): %s", ticket.attempt.uuid, left, error)
            if self.stopping or self._abandoned.wait(delay):
                break
            delay = min(delay * 2, _LAST_DELAY)
        self._source.give_back(ticket)
        return None

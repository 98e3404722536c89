"""Tickets within one process: the engine of `saltant up`."""

from collections import defaultdict, deque
from collections.abc import Callable, Collection
from dataclasses import replace
from heapq import heappop, heappush
from itertools import count
from threading import Condition
from uuid import UUID

from saltant.jobs import Attempt, Job, Kind, Ticket

Wanted = tuple[Collection[str] | None, Collection[Kind]]
"""The queues (None: any) and kinds that a taker takes."""


class EmbeddedEngine:
    """Hands each ticket to one taker: the highest priority first, and of equals the oldest.

    It keeps nothing: a start refills it.

    Who makes an instance may `reserve` a taker who waits for nothing else, claim the attempt for its worker, and `hand`
    both over: `job_of` gives the claimed job to whoever has taken the ticket.

    Attributes:
        worker: the name of the worker whose takers can be reserved; empty: none can.
        on_cancel: called with the instance that somebody wants ended.
    """

    is_lossless = True

    def __init__(self, worker: str = "") -> None:
        self.worker = worker
        self._changed = Condition()
        self._lanes: defaultdict[tuple[str, Kind], list[tuple[int, int, Ticket]]] = defaultdict(list)
        self._pending: set[Attempt] = set()
        self._waiting: list[Wanted] = []  # takers
        self._reserved = 0  # of them
        self._handed: deque[Ticket] = deque()
        self._jobs: dict[Attempt, Job] = {}  # claimed for tickets that were handed over
        self._cancelled: set[UUID] = set()  # of those
        self._order = count()
        self._closed = False
        self.on_cancel: Callable[[UUID], None] = lambda uuid: None

    def publish(self, ticket: Ticket) -> None:
        """Queue the ticket, unless it is queued already."""
        with self._changed:
            if ticket.attempt not in self._pending:
                self._pending.add(ticket.attempt)
                heappush(self._lanes[ticket.queue, ticket.kind], (-ticket.priority, next(self._order), ticket))
                self._wake()

    def cancel(self, uuid: UUID) -> None:
        """Have the worker look at once."""
        with self._changed:
            if any(attempt.uuid == uuid for attempt in self._jobs):
                self._cancelled.add(uuid)  # the worker does not know it yet
        self.on_cancel(uuid)

    def reserve(self, queue: str, kind: Kind) -> bool:
        """Keep a taker who waits for such a ticket from all others, until `hand` or `release`; whether there is one."""
        with self._changed:
            if self._closed or not self.worker:
                return False
            idle = sum(kind in kinds and (queues is None or queue in queues) for queues, kinds in self._waiting)
            if idle <= self._reserved + len(self._handed) + len(self._pending):
                return False
            self._reserved += 1
            return True

    def release(self) -> None:
        """Let a reserved taker take what comes."""
        with self._changed:
            self._reserved -= 1
            self._wake()

    def hand(self, ticket: Ticket, job: Job) -> bool:
        """Give a reserved taker a ticket whose attempt is claimed; False: it is too late, nothing is given out more."""
        with self._changed:
            self._reserved -= 1
            if self._closed:
                return False
            self._handed.append(replace(ticket, is_claimed=True))
            self._jobs[ticket.attempt] = job
            self._wake()
            return True

    def job_of(self, attempt: Attempt) -> Job | None:
        """The job that was claimed for a ticket which was handed over, once; None: there is none."""
        with self._changed:
            job = self._jobs.pop(attempt, None)
            if attempt.uuid not in self._cancelled:
                return job
            self._cancelled.discard(attempt.uuid)
        self.on_cancel(attempt.uuid)  # again: now the worker knows it
        return job

    def ping(self) -> None:
        """Always well: it lives in the process that asks."""

    def take(
        self, queues: Collection[str] | None, kinds: Collection[Kind], timeout: float | None = None
    ) -> Ticket | None:
        """The first in line of `queues` (None: every queue) and `kinds`; None after `timeout` seconds or a close."""
        with self._changed:
            if timeout != 0:
                wanted = (queues, kinds)
                self._waiting.append(wanted)
                try:
                    self._changed.wait_for(lambda: self._has_for(*wanted), timeout)
                finally:
                    self._waiting.remove(wanted)
                if self._handed:
                    return self._handed.popleft()
            lane = None if self._closed else self._first(queues, kinds)
            if lane is None:
                return None
            *_, ticket = heappop(self._lanes[lane])
            if not self._lanes[lane]:
                del self._lanes[lane]
            self._pending.discard(ticket.attempt)
            return ticket

    def depth(self, queue: str, kind: Kind) -> int:
        """How many tickets wait."""
        with self._changed:
            return len(self._lanes.get((queue, kind), ()))

    def refresh(self, kinds: Collection[Kind]) -> None:
        """Have those who wait look anew: the kinds that they take have changed."""
        with self._changed:
            self._changed.notify_all()

    def give_back(self, ticket: Ticket) -> None:
        """Queue a ticket again, behind the others of its priority."""
        self.publish(ticket)

    def close(self) -> None:
        """Give out nothing more: every taker gets None."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _wake(self) -> None:
        """There is one more thing to take. Where all takers want the same, the others would wake for nothing."""
        if all(wanted == self._waiting[0] for wanted in self._waiting):
            self._changed.notify()
        else:
            self._changed.notify_all()

    def _has_for(self, queues: Collection[str] | None, kinds: Collection[Kind]) -> bool:
        """Whether a taker who waits has waited for long enough."""
        if self._closed or self._handed:
            return True
        return len(self._waiting) > self._reserved and self._first(queues, kinds) is not None

    def _first(self, queues: Collection[str] | None, kinds: Collection[Kind]) -> tuple[str, Kind] | None:
        lanes = [lane for lane in self._lanes if lane[1] in kinds and (queues is None or lane[0] in queues)]
        return min(lanes, key=lambda lane: self._lanes[lane][0][:2], default=None)

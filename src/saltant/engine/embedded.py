"""Tickets within one process: the engine of `saltant up`."""

from collections import defaultdict
from collections.abc import Callable, Collection
from heapq import heappop, heappush
from itertools import count
from threading import Condition
from uuid import UUID

from saltant.jobs import Attempt, Kind, Ticket


class EmbeddedEngine:
    """Hands each ticket to one taker: the highest priority first, and of equals the oldest.

    It keeps nothing: a start refills it.
    """

    is_lossless = True

    def __init__(self) -> None:
        self._changed = Condition()
        self._lanes: defaultdict[tuple[str, Kind], list[tuple[int, int, Ticket]]] = defaultdict(list)
        self._pending: set[Attempt] = set()
        self._order = count()
        self._closed = False
        self.on_cancel: Callable[[UUID], None] = lambda uuid: None

    def publish(self, ticket: Ticket) -> None:
        """Queue the ticket, unless it is queued already."""
        with self._changed:
            if ticket.attempt not in self._pending:
                self._pending.add(ticket.attempt)
                heappush(self._lanes[ticket.queue, ticket.kind], (-ticket.priority, next(self._order), ticket))
                self._changed.notify_all()

    def cancel(self, uuid: UUID) -> None:
        """Have the worker look at once."""
        self.on_cancel(uuid)

    def ping(self) -> None:
        """Always well: it lives in the process that asks."""

    def take(
        self, queues: Collection[str] | None, kinds: Collection[Kind], timeout: float | None = None
    ) -> Ticket | None:
        """The first in line of `queues` (None: every queue) and `kinds`; None after `timeout` seconds or a close."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._first(queues, kinds) is not None, timeout)
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

    def _first(self, queues: Collection[str] | None, kinds: Collection[Kind]) -> tuple[str, Kind] | None:
        lanes = [lane for lane in self._lanes if lane[1] in kinds and (queues is None or lane[0] in queues)]
        return min(lanes, key=lambda lane: self._lanes[lane][0][:2], default=None)

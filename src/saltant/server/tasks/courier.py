"""Carries tickets and cancels to an engine that may be slow or away, so that no request waits for it."""

import logging
import time
from collections import deque
from collections.abc import Mapping
from threading import Condition, Thread
from uuid import UUID

from django.db import DatabaseError, connection
from django.db.models import Case, F, Value, When
from django.utils import timezone

from saltant.engine import Engine, EngineUnavailable
from saltant.jobs import Attempt, Ticket
from saltant.server.tasks import changes
from saltant.server.tasks.models import TaskInstance
from saltant.states import WAITING, State

log = logging.getLogger("saltant.courier")

MOST = 10_000
"""How much it keeps. What is more is left to the sweeper, as is all that the engine does not take."""
BATCH = 100
"""How many tickets are sent before the database is told of them,"""
GATHER = 0.05
"""or how many seconds after the first. Most are claimed by then, and there is little to tell."""
REST = 1.0
"""Seconds after a failure in which nothing is tried."""


class Courier:
    """A thread that serves one engine, first come, first served."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._changed = Condition()
        self._tickets: deque[tuple[int, Ticket]] = deque()
        self._pending: set[Attempt] = set()  # whose tickets are here, or on their way
        self._cancels: deque[UUID] = deque(maxlen=MOST)
        self._closed = False
        self._rests_until = 0.0
        self._thread: Thread | None = None

    def publish(self, pk: int, ticket: Ticket) -> bool:
        """Have the ticket of the instance `pk` sent soon; False if it cannot be, and the sweeper has to see to it."""
        with self._changed:
            if self._closed or len(self._tickets) >= MOST or time.monotonic() < self._rests_until:
                return False
            if ticket.attempt not in self._pending:  # the sweeper may find what is still in line here
                self._pending.add(ticket.attempt)
                self._tickets.append((pk, ticket))
                self._wake()
        return True

    def cancel(self, uuid: UUID) -> None:
        """Have a cancel sent soon."""
        with self._changed:
            if not self._closed:
                self._cancels.append(uuid)
                self._wake()

    def close(self) -> None:
        """Stop when what is there was sent, or could not be."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _wake(self) -> None:
        # Begun when it is first needed: a process may fork before.
        if self._thread is None:
            self._thread = Thread(target=self._run, name="courier", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _run(self) -> None:
        sent: dict[Attempt, int] = {}  # which the database is not told of yet
        due = 0.0
        is_over = False
        while not is_over:
            with self._changed:
                has_work = lambda: self._closed or self._tickets or self._cancels  # noqa: E731
                self._changed.wait_for(has_work, max(0.0, due - time.monotonic()) if sent else None)
                is_over = self._closed and not (self._tickets or self._cancels)
                cancels = list(self._cancels)
                self._cancels.clear()
                tickets = [self._tickets.popleft() for _ in range(min(BATCH, len(self._tickets)))]
            if not sent:
                due = time.monotonic() + GATHER
            self._carry(cancels, tickets, sent)
            if sent and (is_over or time.monotonic() >= due or len(sent) >= BATCH):
                _mark_published(sent)
                with self._changed:
                    self._pending.difference_update(sent)
                sent = {}
        connection.close()

    def _carry(self, cancels: list[UUID], tickets: list[tuple[int, Ticket]], sent: dict[Attempt, int]) -> None:
        """Give the engine what is to be carried; notes in `sent` what it took."""
        try:
            for uuid in cancels:
                self._engine.cancel(uuid)
            for pk, ticket in tickets:
                self._engine.publish(ticket)
                sent[ticket.attempt] = pk
        except EngineUnavailable as error:
            with self._changed:
                self._rests_until = time.monotonic() + REST
                left = [*tickets, *self._tickets]
                self._tickets.clear()
                self._pending.intersection_update(sent)
            count = sum(ticket.attempt not in sent for _, ticket in left)
            log.warning("%d tickets wait until the broker takes them: %s", count, error)
        except Exception:
            log.exception("Tickets could not be sent; they are sent again later.")
            with self._changed:
                self._pending.difference_update(ticket.attempt for _, ticket in tickets if ticket.attempt not in sent)


def _mark_published(sent: Mapping[Attempt, int]) -> None:
    """Record that tickets were sent. A worker may have claimed them already: those are left alone."""
    now = timezone.now()
    mine = TaskInstance.objects.filter(pk__in=sent.values(), state__in=WAITING)
    changed = Case(When(state=State.CREATED, then=Value(now)), default=F("datetime_changed"))
    try:
        connection.close_if_unusable_or_obsolete()
        if mine.update(state=State.PUBLISHED, datetime_published=now, datetime_changed=changed):
            changes.tell(*(attempt.uuid for attempt in sent))
    except DatabaseError as error:
        log.warning("%d sent tickets could not be recorded, and will be sent again: %s", len(sent), error)
        connection.close()

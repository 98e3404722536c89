"""Where a worker's tickets come from when a broker carries them.

Exactly one ticket is taken for each free slot. Celery's own worker takes tickets ahead (prefetch), so that a short job
can wait for hours behind a long one while another machine is idle; and its remote commands (shutdown, pool ...) obey
whoever reaches the broker. Here who reaches the broker can wake a worker, and that is all. A ticket is acknowledged
when a slot has it, not when its job is done: so neither RabbitMQ's consumer_timeout nor Redis's visibility timeout
ever sends a long job's ticket out again.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from uuid import UUID

from saltant.engine import EngineUnavailable
from saltant.engine.brokers import Broker
from saltant.engine.celery import CeleryEngine
from saltant.engine.messages import lane
from saltant.jobs import Kind, Ticket
from saltant.worker.broker_links import CancelLink, Outage, TicketLink, Unreadable

log = logging.getLogger("saltant.worker")

_TURN = 0.5  # seconds that a reader waits for the broker at a time: so soon a close is noticed
_TEND = 2.0  # seconds between looks after a connection that nobody reads from
_FIRST_DELAY, _LAST_DELAY = 0.1, 5.0  # seconds between tries to reach the broker


class BrokerSource:
    """Tickets of some queues and kinds, one for each slot that waits, and cancels.

    Of the slots that wait, one reads from the broker and the others wait for their turn: so a ticket passes no thread
    on its way, and without a waiting slot nobody reads.

    Args:
        url: where the broker is.
        queues: the saltant queues it serves, if `start` says nothing else.
        kinds: the kinds of jobs it takes tickets for, until `refresh` says others.
        slots: how many slots there are; what counts is how many of them wait.
        ca: a file of certificates that the broker's must be signed with; empty: the system's.
        on_cancel: told which instance is to be looked into, from a thread of the source.

    Raises:
        SettingsError: the URL cannot be used.
    """

    def __init__(
        self,
        url: str,
        *,
        queues: Sequence[str],
        kinds: Collection[Kind],
        slots: int,
        ca: str = "",
        on_cancel: Callable[[UUID], None],
    ) -> None:
        self._broker = Broker.from_url(url, ca)
        self._queues = list(dict.fromkeys(queues))
        self._kinds = kinds
        self._lanes = self._lanes_of(kinds)
        self._on_cancel = on_cancel
        self._back = CeleryEngine(url, ca=ca)  # carries tickets that are given back
        self._outage = Outage(self._broker)
        self._closed = threading.Event()
        self._turn = threading.Lock()  # guards the link; held by the slot that reads
        self._link: TicketLink | None = None
        self._linked_lanes: list[str] = []
        self._delay = 0.0
        self._next_try = 0.0
        self._count = threading.Lock()
        self._waiting = 0
        self._threads = [
            threading.Thread(target=self._tend, name="saltant-broker", daemon=True),
            threading.Thread(target=self._listen, name="saltant-cancels", daemon=True),
        ]

    def start(self, lanes: Collection[str] | None = None) -> None:
        """Connect, and go on trying; returns at once. `lanes` are those of its queues, where they have other names."""
        if lanes is not None:
            self._queues = list(dict.fromkeys(lanes))
            self.refresh(self._kinds)
        for thread in self._threads:
            thread.start()

    def take(self, queues: Collection[str] | None, kinds: Collection[Kind], timeout: float | None) -> Ticket | None:
        """The next ticket; None after `timeout` seconds, or when closed. What it serves was said before."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._count:
            self._waiting += 1
        ticket = None
        try:
            if not self._turn.acquire(timeout=-1 if timeout is None else timeout):
                return None
            try:
                ticket = self._read(deadline)
                return ticket
            finally:
                if ticket is None and self._waiting == 1:
                    self._let_go()
                self._turn.release()
        finally:
            if ticket is None:
                with self._count:
                    self._waiting -= 1

    def refresh(self, kinds: Collection[Kind]) -> None:
        """Take tickets of `kinds` from now on. What is on its way of others goes back to its queue."""
        self._kinds = kinds
        self._lanes = self._lanes_of(kinds)

    def give_back(self, ticket: Ticket) -> None:
        """Send the ticket again, for whichever worker has a free slot."""
        try:
            self._back.publish(ticket)
        except EngineUnavailable as error:
            log.warning("%s: its ticket is left to the server, which sends it again: %s", ticket.attempt.uuid, error)

    def close(self) -> None:
        """Give out nothing any more, wake all takers with None, and leave the broker what was not handed over."""
        self._closed.set()
        if self._turn.acquire(timeout=2 * _TURN):
            self._let_go()
            self._turn.release()
        self._back.close()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(2 * _TURN)

    def _read(self, deadline: float | None) -> Ticket | None:
        while not self._closed.is_set():
            left = _TURN if deadline is None else min(_TURN, deadline - time.monotonic())
            if left <= 0:
                return None
            try:
                link = self._linked()
                if link is None:
                    self._closed.wait(min(left, max(0.0, self._next_try - time.monotonic())))
                    continue
                ticket = link.next(left)
                if ticket is not None and self._linked_lanes is not self._lanes:
                    self._let_go()  # it may be of a kind that cannot be run any more
                    continue
            except Unreadable as error:
                log.warning("A message on a queue of the broker was dropped: %s.", error)
                self._let_go()
                continue
            except Exception as error:
                self._lost(error)
                continue
            self._well()
            if ticket is not None:
                self._hand_over(link)
                return ticket
        return None

    def _hand_over(self, link: TicketLink) -> None:
        with self._count:
            self._waiting -= 1
            is_last = self._waiting == 0
        try:
            link.hand_over(is_last=is_last)
        except Exception as error:  # the ticket may come twice, which does no harm
            self._lost(error)

    def _linked(self) -> TicketLink | None:
        """The connection; None while it is too early to try again."""
        if self._linked_lanes is not self._lanes:
            self._let_go()
        if self._link is None and time.monotonic() >= self._next_try:
            self._linked_lanes = self._lanes
            self._link = TicketLink(self._broker, self._linked_lanes)
        return self._link

    def _lanes_of(self, kinds: Collection[Kind]) -> list[str]:
        return [lane(queue, kind) for queue in self._queues for kind in Kind if kind in kinds]

    def _let_go(self) -> None:
        """Close the connection, as no slot waits: what is on its way goes back to its queue."""
        if self._link is not None:
            self._link.close()
            self._link = None

    def _lost(self, error: Exception) -> None:
        self._outage.begins("tickets", error)
        if self._link is not None:
            self._link.drop()
            self._link = None
        self._next_try = time.monotonic() + self._delay
        self._delay = min(max(_FIRST_DELAY, self._delay * 2), _LAST_DELAY)

    def _well(self) -> None:
        self._delay = 0.0
        self._outage.ends("tickets")

    def _tend(self) -> None:
        """Look after the connection while all slots are busy."""
        while not self._closed.wait(_TEND):
            if not self._turn.acquire(blocking=False):
                continue  # who reads looks after it, too
            try:
                if self._waiting == 0 and self._link is not None and self._link.is_consuming:
                    self._let_go()  # the slot that was to read next went away
                link = self._linked()
                if link is not None:
                    link.tend()
                    self._well()
            except Exception as error:
                self._lost(error)
            finally:
                self._turn.release()

    def _listen(self) -> None:
        delay = 0.0
        while not self._closed.wait(delay):
            link = None
            try:
                link = CancelLink(self._broker, self._on_cancel)
                while not self._closed.is_set():
                    link.listen(_TURN)
                    delay = 0.0
                    self._outage.ends("cancels")
            except Unreadable as error:
                log.warning("A cancel was dropped: %s.", error)
            except Exception as error:
                self._outage.begins("cancels", error)
                delay = min(max(_FIRST_DELAY, delay * 2), _LAST_DELAY)
            finally:
                if link is not None:
                    link.close()

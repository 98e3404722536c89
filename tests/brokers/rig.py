"""What the tests of brokers share: tickets, and slots that take them."""

import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from saltant.engine.brokers import Broker
from saltant.engine.messages import declared
from saltant.jobs import Attempt, Kind, Ticket
from saltant.worker.broker import BrokerSource

PATIENCE = 30.0
"""Seconds after which something counts as not happening."""


def a_ticket(queue: str, *, priority: int = 5, kind: Kind = Kind.EXECUTABLE, number: int = 1) -> Ticket:
    return Ticket(Attempt(uuid4(), number), queue, kind, priority)


def wait_for(condition: Callable[[], Any]) -> Any:
    """What the condition says as soon as it is true."""
    deadline = time.monotonic() + PATIENCE
    while not (said := condition()):
        assert time.monotonic() < deadline, "It did not happen."
        time.sleep(0.01)
    return said


class Slot:
    """A thread that takes one ticket when told to, as a worker's slot does."""

    def __init__(self, source: BrokerSource) -> None:
        self.ticket: Ticket | None = None
        self.is_done = threading.Event()
        self._thread = threading.Thread(target=self._take, args=(source,), daemon=True)
        self._thread.start()

    def get(self) -> Ticket | None:
        assert self.is_done.wait(PATIENCE), "The slot still waits."
        return self.ticket

    def _take(self, source: BrokerSource) -> None:
        self.ticket = source.take(None, (), None)
        self.is_done.set()


class Channel:
    """A connection of our own to a broker, to do there what an operator or a stranger does."""

    def __init__(self, url: str) -> None:
        self.broker = Broker.from_url(url)
        self.connection = self.broker.connect()
        self.channel = self.connection.channel()

    def declare(self, name: str) -> None:
        declared(name)(self.channel).declare()

    def publish(self, name: str, body: Any, **options: Any) -> None:
        producer = self.connection.Producer(self.channel, auto_declare=False)
        producer.publish(body, exchange="", routing_key=name, **options)

    def purge(self, name: str) -> int:
        return int(self.channel.queue_purge(name))

    def delete(self, name: str) -> None:
        self.channel.queue_delete(name)
        if self.broker.is_redis:
            self.purge(name)  # which leaves nothing there; kombu deletes only what it bound

    def close(self) -> None:
        self.connection.close()

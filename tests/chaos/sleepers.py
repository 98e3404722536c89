"""Instances that sleep for longer than the broker waits for an acknowledgement."""

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from kombu.connection import Connection
from kombu.entity import Queue
from kombu.messaging import Producer

from tests.acceptance.cluster import Cluster
from tests.acceptance.ready import ready_database
from tests.acceptance.system import wait_until
from tests.services import PostgreSQL, RabbitMQ

CONSUMER_TIMEOUT, TICK = 2000, 500  # milliseconds
COUNT, SLOTS = 20, 10
SLEEP = 5.0
COMPLAINT = "has timed out"


def make_broker() -> RabbitMQ:
    """A RabbitMQ with little patience, not started yet."""
    return RabbitMQ(consumer_timeout=CONSUMER_TIMEOUT, channel_tick_interval=TICK)


def run_sleepers(folder: Path, postgresql: PostgreSQL, rabbitmq: RabbitMQ, *, say: Callable[[str], None]) -> None:
    """All end well, each in one attempt, and the broker has not missed an acknowledgement."""
    say(f"{COUNT} instances of {SLEEP:g} s on a broker that waits for {CONSUMER_TIMEOUT / 1000:g} s")
    database = ready_database(postgresql)
    with Cluster(folder, database_url=database, broker_url=rabbitmq.url, concurrency=SLOTS) as site:
        task_type = site.executable(f"/bin/sleep {SLEEP:g}")
        sleeping = [site.submit(task_type) for _ in range(COUNT)]
        for each in sleeping:
            each.wait_until_finished(0.2, timeout=120)
        ends = {(each.state, each.reason, each.attempt, len(each.attempts())) for each in sleeping}
        assert ends == {("successful", "exited", 1, 1)}, ends
    assert COMPLAINT not in rabbitmq.output, rabbitmq.output[-5000:]
    _check_that_it_complains(rabbitmq)
    say("all of them ended well, and the broker has not missed an acknowledgement")


def _check_that_it_complains(rabbitmq: RabbitMQ) -> None:
    """A consumer that keeps its message too long is noticed: otherwise nothing would be proved."""
    taken = threading.Event()
    with Connection(rabbitmq.url) as connection:
        channel: Any = connection.channel()
        queue = Queue("kept", channel=channel, durable=False, auto_delete=True)
        queue.declare()
        Producer(channel).publish("kept", routing_key="kept")
        queue.consume("kept", lambda _: taken.set())

        def is_noticed() -> bool:
            with suppress(Exception):  # it closes the channel
                connection.drain_events(timeout=0.2)
            return taken.is_set() and COMPLAINT in rabbitmq.output

        wait_until(is_noticed, "the broker notices a message that is not acknowledged")

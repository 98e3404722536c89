"""What is in a broker: the names of its queues, how they are declared, and the forms of tickets and cancels.

A ticket is an ordinary Celery task message of the task `saltant.run`, so that the tools people have for Celery show it.
Server and worker must declare alike, or RabbitMQ refuses the second: hence both do it from here.
"""

from collections.abc import Collection
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid4

from kombu.entity import Exchange, Queue

from saltant.jobs import Kind, Ticket
from saltant.protocol import ticket_from_json

TASK = "saltant.run"

HIGHEST = 9
"""RabbitMQ gives out the largest priority first, as saltant does; Redis, in kombu's hands, the smallest."""

CANCELS = Exchange("saltant.cancel", type="fanout", durable=True)


class Foreign(Exception):
    """A message that is none of ours."""


def lane(queue: str, kind: Kind) -> str:
    """The broker's queue for tickets of a saltant queue and a kind. Names of saltant queues hold no dot."""
    return queue if kind is Kind.EXECUTABLE else f"{queue}.{kind.value}"


@lru_cache(maxsize=1000)
def declared(name: str) -> Any:
    """The declaration of a lane. The type is said because a virtual host may have another default."""
    return Queue(name, durable=True, max_priority=HIGHEST, queue_arguments={"x-queue-type": "classic"})


def cancels_queue(*, is_redis: bool) -> Any:
    """A worker's own queue of cancels. On Redis it is a subscription, and a name of its own would only be litter."""
    name = CANCELS.name if is_redis else f"{CANCELS.name}.{uuid4().hex}"
    return Queue(name, exchange=CANCELS, durable=False, exclusive=True, auto_delete=True)


def ticket_of(message: Any, lanes: Collection[str]) -> Ticket:
    """The ticket in a message that came from one of `lanes`.

    Raises:
        Foreign: there is none.
    """
    if not isinstance(message.headers, dict) or message.headers.get("task") != TASK:
        raise Foreign(f"it is not of the task {TASK}")
    said = _body(message)
    try:
        ticket = ticket_from_json(said[1])
        if lane(ticket.queue, ticket.kind) not in lanes:
            raise Foreign(f"it is for the queue {lane(ticket.queue, ticket.kind)!r:.100}")
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
        raise Foreign(f"it holds no ticket: {error!s:.200}") from None
    return ticket


def cancelled_by(message: Any) -> UUID:
    """The instance that a message of the cancels' exchange names.

    Raises:
        Foreign: it names none.
    """
    said = _body(message)
    try:
        return UUID(said["uuid"])
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise Foreign(f"it names no instance: {error!s:.200}") from None


def _body(message: Any) -> Any:
    """JSON, and nothing else: other forms can run code where they are read."""
    message.accept = {"application/json"}
    try:
        return message.decode()
    except Exception as error:
        raise Foreign(f"it cannot be read: {type(error).__name__}: {error!s:.200}") from None

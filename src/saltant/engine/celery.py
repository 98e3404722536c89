"""Tickets through RabbitMQ or Redis, to workers on other machines: the server's side.

They are sent by Celery, and a saltant queue is the Celery queue of its lane. The workers do not run Celery's own
worker, though: it takes tickets ahead of its free slots, so that a short job waits for hours behind a long one while
another machine is idle, and its remote commands (shutdown, pool ...) obey whoever reaches the broker.
"""

import time
from collections.abc import Callable
from threading import Lock
from typing import Any, TypeVar
from uuid import UUID, uuid4

import amqp

from saltant.engine import EngineUnavailable
from saltant.engine.brokers import Broker, app, drop, is_about_one_thing
from saltant.engine.messages import CANCELS, HIGHEST, TASK, declared, lane
from saltant.jobs import Kind, Ticket
from saltant.protocol import ticket_to_json

_T = TypeVar("_T")

_NOT_FOUND = 404
_FAIL_FAST = 1.0  # seconds after a failure in which nobody waits for the broker again


class CeleryEngine:
    """One connection to a broker, made when it is first needed and made again when it broke.

    Args:
        url: where the broker is.
        ca: a file of certificates that the broker's must be signed with; empty: the system's.

    Raises:
        SettingsError: the URL cannot be used.
    """

    is_lossless = False

    def __init__(self, url: str, *, ca: str = "") -> None:
        self._broker = Broker.from_url(url, ca)
        self._lock = Lock()
        self._link: _Link | None = None
        self._down_until = 0.0
        self._down: EngineUnavailable | None = None

    def publish(self, ticket: Ticket) -> None:
        """Put the ticket on its queue; on RabbitMQ it is on disk when this returns, if the queue itself is already."""
        self._do(lambda link: link.publish(ticket))

    def cancel(self, uuid: UUID) -> None:
        """Tell every worker. One that does not hear it learns it with its next heartbeat."""
        self._do(lambda link: link.cancel(uuid))

    def ping(self) -> None:
        """Have the broker answer."""
        self._do(lambda link: link.ping())

    def depth(self, queue: str, kind: Kind) -> int:
        """How many tickets lie in the broker; a queue that it does not know has none."""
        return self._do(lambda link: link.depth(lane(queue, kind)))

    def close(self) -> None:
        """Close the connection. A later call would make another."""
        with self._lock:
            self._drop()

    def _do(self, act: "Callable[[_Link], _T]") -> _T:
        """Act over the connection there is, or once more over a new one if that one turns out to be broken."""
        with self._lock:
            if self._down is not None and time.monotonic() < self._down_until:
                raise EngineUnavailable(str(self._down))
            while True:
                is_new = self._link is None
                try:
                    if self._link is None:
                        self._link = _Link(self._broker)
                    return act(self._link)
                except Exception as error:  # broken connections raise what they like, AttributeError too
                    self._drop()
                    if not is_new and not _is_timeout(error):
                        continue  # the broker was started again since
                    self._down = self._broker.unavailable(error)
                    self._down_until = 0.0 if is_about_one_thing(error) else time.monotonic() + _FAIL_FAST
                    raise self._down from None

    def _drop(self) -> None:
        if self._link is not None:
            drop(self._link.connection)
            self._link = None


class _Link:
    """A connection, a channel and what was declared on them."""

    def __init__(self, broker: Broker) -> None:
        self._is_redis = broker.is_redis
        self._returned = False
        self.connection = broker.connect()
        try:
            self._channel = self.connection.channel()
            self._producer = app.amqp.Producer(self._channel, serializer="json", auto_declare=False)
            if not self._is_redis:
                self._channel.events["basic_return"].add(self._on_return)
        except BaseException:
            drop(self.connection)
            raise

    def publish(self, ticket: Ticket) -> None:
        self._send(ticket)
        if self._returned:  # somebody deleted the queue since it was declared
            self.connection.declared_entities.clear()
            self._send(ticket)

    def cancel(self, uuid: UUID) -> None:
        self._producer.publish({"uuid": str(uuid)}, exchange=CANCELS, declare=[CANCELS], delivery_mode=1)

    def ping(self) -> None:
        self.connection.channel().close()

    def depth(self, name: str) -> int:
        channel = self.connection.channel()  # its own: RabbitMQ closes it when there is no such queue
        try:
            return int(channel.queue_declare(name, passive=True).message_count)
        except amqp.exceptions.ChannelError as error:
            if int(error.reply_code) != _NOT_FOUND:
                raise
            return 0
        finally:
            if channel.connection is not None:
                channel.close()

    def _send(self, ticket: Ticket) -> None:
        self._returned = False
        priority = min(max(ticket.priority, 0), HIGHEST)
        task, kwargs = str(uuid4()), ticket_to_json(ticket)
        # `app.send_task` does the same, and what it adds for tasks of other kinds takes as long as the sending.
        message = app.amqp.as_task_v2(
            task, TASK, kwargs=kwargs, argsrepr="()", kwargsrepr=repr(kwargs), ignore_result=True
        )
        said = {name: value for name, value in message.headers.items() if value is not None}
        app.amqp.send_task_message(
            self._producer,
            TASK,
            message._replace(headers=said),
            queue=declared(lane(ticket.queue, ticket.kind)),
            priority=HIGHEST - priority if self._is_redis else priority,
            retry=False,
            mandatory=True,
        )

    def _on_return(self, *_: Any) -> None:
        self._returned = True


def _is_timeout(error: BaseException) -> bool:
    return isinstance(error, TimeoutError) or isinstance(error.__cause__, TimeoutError)

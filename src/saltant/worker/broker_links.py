"""A worker's connections to its broker: one for tickets, one for cancels. Each is for one thread at a time."""

import logging
from collections.abc import Callable, Collection
from threading import Lock
from typing import Any
from uuid import UUID

import amqp
import redis

from saltant.engine.brokers import Broker, drop
from saltant.engine.messages import Foreign, cancelled_by, cancels_queue, declared, ticket_of
from saltant.jobs import Ticket

log = logging.getLogger("saltant.worker")

_HEARTBEAT = 10  # seconds; RabbitMQ gives a connection up after two


class Unreadable(Exception):
    """The broker's library could not read a message, which is gone; the connection is best made anew."""


class TicketLink:
    """Takes one ticket after the other from some of the broker's queues, and none while it is not asked.

    Only one message is ever on its way (prefetch 1). What comes when nobody wants it goes back at once.
    """

    def __init__(self, broker: Broker, lanes: Collection[str]) -> None:
        self._is_redis = broker.is_redis
        self._lanes = lanes
        self._asked = False
        self._message: Any = None
        self.is_consuming = False
        self._connection = broker.connect(heartbeat=_HEARTBEAT)
        try:
            self._channel = self._connection.channel()
            self._queues = [declared(name)(self._channel) for name in lanes]
            for queue in self._queues:
                queue.declare()
            # Over all queues of the channel where the broker can do that; otherwise each queue may send one.
            self._is_one_for_all = self._is_redis or not self._connection.qos_semantics_matches_spec
            self._channel.basic_qos(0, 1, self._is_one_for_all)
        except BaseException:
            drop(self._connection)
            raise

    def next(self, seconds: float) -> Ticket | None:
        """Wait for a ticket. It stays the broker's until it is handed over."""
        if not self.is_consuming:
            self.is_consuming = True
            for queue in self._queues:
                queue.consume(queue.name, self._on_message, nowait=True)
        self._asked = True
        try:
            self._read(seconds)
        finally:
            self._asked = False
        if self._message is None:
            return None
        try:
            return ticket_of(self._message, self._lanes)
        except Foreign as error:
            log.warning("A message on a queue of the broker was dropped: %s.", error)
            self._ack()
            return None

    def hand_over(self, *, is_last: bool) -> None:
        """Tell the broker that somebody has the ticket; and if it was for the last free slot, to send no more first."""
        if is_last:
            self.is_consuming = False
            for queue in self._queues:
                if self._is_redis:
                    self._channel.basic_cancel(queue.name)
                else:
                    self._channel.basic_cancel(queue.name, nowait=self._is_one_for_all)
        self._ack()

    def tend(self) -> None:
        """Do what a connection needs that nobody reads from."""
        self._read(0.01)

    def close(self) -> None:
        """Give back what is on its way, and end."""
        try:
            self._connection.close()
        except Exception:
            drop(self._connection)

    def drop(self) -> None:
        """End without a word to the broker, which may be away."""
        drop(self._connection)

    def _read(self, seconds: float) -> None:
        _drain(self._connection, seconds, is_redis=self._is_redis)

    def _on_message(self, raw: Any) -> None:
        try:
            message = self._channel.message_to_python(raw)
        except Exception as error:
            log.warning("A message on a queue of the broker was dropped: %s.", _unreadable(error))
            self._channel.basic_reject(raw.delivery_tag, requeue=False)
            return
        if self._asked and self._message is None:
            self._message = message
        elif self._is_redis:
            self._channel.basic_recover(requeue=True)  # to the front; its reject() puts it behind all others
        else:
            message.reject(requeue=True)

    def _ack(self) -> None:
        message, self._message = self._message, None
        message.ack()


class CancelLink:
    """Hears of cancels that were sent while it was there."""

    def __init__(self, broker: Broker, on_cancel: Callable[[UUID], None]) -> None:
        self._is_redis = broker.is_redis
        self._on_cancel = on_cancel
        self._connection = broker.connect(heartbeat=_HEARTBEAT)
        try:
            channel = self._connection.channel()
            queue = cancels_queue(is_redis=broker.is_redis)(channel)
            queue.declare()
            queue.consume(queue.name, lambda raw: self._on_message(channel.message_to_python(raw)), no_ack=True)
        except BaseException:
            drop(self._connection)
            raise

    def listen(self, seconds: float) -> None:
        """Wait for a cancel and tell of it."""
        _drain(self._connection, seconds, is_redis=self._is_redis)

    def close(self) -> None:
        """End."""
        try:
            self._connection.close()
        except Exception:
            drop(self._connection)

    def _on_message(self, message: Any) -> None:
        try:
            uuid = cancelled_by(message)
        except Foreign as error:
            log.warning("A cancel was dropped: %s.", error)
            return
        try:
            self._on_cancel(uuid)
        except Exception:
            log.exception("%s: its cancel could not be looked into.", uuid)


class Outage:
    """Logs once that the broker is away, and once that it is back, however many connections it has."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._lock = Lock()
        self._away: set[str] = set()

    def begins(self, who: str, error: BaseException) -> None:
        """One of the connections broke, or could not be made."""
        with self._lock:
            if not self._away:
                log.warning("%s Trying again.", self._broker.unavailable(error))
            self._away.add(who)

    def ends(self, who: str) -> None:
        """One of the connections works."""
        with self._lock:
            if who in self._away:
                self._away.remove(who)
                if not self._away:
                    log.info("The broker %s is back.", self._broker)


def _drain(connection: Any, seconds: float, *, is_redis: bool) -> None:
    """Have the connection handle what comes within `seconds`, one message at most."""
    if not is_redis:
        connection.heartbeat_check()
    try:
        connection.drain_events(timeout=seconds)
    except TimeoutError:
        pass
    except (OSError, amqp.AMQPError, redis.RedisError):
        raise
    except Exception as error:
        raise Unreadable(_unreadable(error)) from None


def _unreadable(error: Exception) -> str:
    return f"it cannot be read: {type(error).__name__}: {error!s:.200}"

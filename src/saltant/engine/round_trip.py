"""Whether a broker carries a message there and back."""

import time
from uuid import uuid4

from kombu.entity import Queue

from saltant.checks import Wrong
from saltant.config import Settings, SettingsError
from saltant.engine import EngineUnavailable
from saltant.engine.brokers import ANSWER_SECONDS, Broker, app, check_broker, drop

ADVICE = "Look at the broker and at SALTANT_BROKER_URL; server and workers must name the same broker."
_PAUSE = 0.01


def check_round_trip(settings: Settings) -> str:
    """Connect, declare, send and take: all that server and workers do there, on a queue of its own.

    Raises:
        Wrong: something of that does not work.
    """
    try:
        broker = Broker.from_url(settings.broker_url, settings.broker_ca)
        check_broker(settings.broker_url, settings.broker_ca)
        took = _round_trip(broker)
    except SettingsError as error:
        raise Wrong(str(error), "Correct that variable.") from None
    except EngineUnavailable as error:
        raise Wrong(str(error), ADVICE) from None
    return f"{broker} carried a message there and back in {took * 1000:.0f} ms"


def _round_trip(broker: Broker) -> float:
    """Seconds that a message took. Raises EngineUnavailable."""
    connection = None
    name = f"saltant.check.{uuid4().hex}"
    try:
        connection = broker.connect()
        queue = Queue(name, durable=False, exclusive=True, auto_delete=True, expires=60)(connection.channel())
        queue.declare()
        try:
            start = time.monotonic()
            producer = app.amqp.Producer(connection.channel(), serializer="json", auto_declare=False)
            producer.publish({"check": name}, routing_key=name, delivery_mode=1)
            while (message := queue.get(no_ack=True)) is None:
                if time.monotonic() - start > ANSWER_SECONDS:
                    raise EngineUnavailable(f"The broker {broker} took a message and did not give it back.")
                time.sleep(_PAUSE)
            took = time.monotonic() - start
            if message.decode() != {"check": name}:
                raise EngineUnavailable(f"The broker {broker} gave back another message than it took.")
        finally:
            queue.delete()
    except EngineUnavailable:
        raise
    except Exception as error:
        raise broker.unavailable(error) from None
    finally:
        drop(connection)
    return took

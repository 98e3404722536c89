"""Whatever lies on a queue, a worker goes on."""

import base64
import json
from typing import Any
from uuid import uuid4

import pytest
import redis

from saltant.engine.celery import CeleryEngine
from saltant.engine.messages import CANCELS, TASK
from saltant.jobs import Kind
from saltant.protocol import ticket_to_json
from saltant.worker.broker import BrokerSource
from tests.brokers.rig import Channel, Slot, a_ticket, wait_for
from tests.services import Redis

OURS = {"task": TASK}
PICKLE = b"\x80\x04K\x01."


def a_body(name: str, **other: Any) -> list[Any]:
    return [[], ticket_to_json(a_ticket(name)) | other, {}]


MESSAGES: dict[str, Any] = {
    "another task": lambda queue: (a_body(queue), {"headers": {"task": "celery.ping"}}),
    "no task": lambda queue: (a_body(queue), {}),
    "broken JSON": lambda queue: (
        "[[], {",
        {"headers": OURS, "content_type": "application/json", "content_encoding": "utf-8"},
    ),
    "no text": lambda queue: (b"\xff\xfe\x00", {"headers": OURS, "content_type": "application/json"}),
    "pickle": lambda queue: (
        PICKLE,
        {"headers": OURS, "content_type": "application/x-python-serialize", "content_encoding": "binary"},
    ),
    "a number": lambda queue: (7, {"headers": OURS, "serializer": "json"}),
    "an object": lambda queue: ({"uuid": 1}, {"headers": OURS}),
    "no UUID": lambda queue: (a_body(queue, uuid="x"), {"headers": OURS}),
    "a number as UUID": lambda queue: (a_body(queue, uuid=1), {"headers": OURS}),
    "another queue": lambda queue: (a_body(queue, queue="other"), {"headers": OURS}),
    "another kind": lambda queue: (a_body(queue, kind="docker"), {"headers": OURS}),
    "no kind": lambda queue: (a_body(queue, kind="ship"), {"headers": OURS}),
    "a priority that is none": lambda queue: (a_body(queue, priority=[1]), {"headers": OURS}),
    "an endless priority": lambda queue: (a_body(queue, priority=float("inf")), {"headers": OURS}),
    "nothing": lambda queue: ("", {}),
}


@pytest.mark.parametrize("what", MESSAGES)
def test_a_message_that_is_no_ticket_is_dropped(
    what: str, engine: CeleryEngine, worker: Any, queue: str, channel: Channel, caplog: pytest.LogCaptureFixture
) -> None:
    body, options = MESSAGES[what](queue)
    channel.declare(queue)
    channel.publish(queue, body, **options)
    ticket = a_ticket(queue, priority=0)
    slot = Slot(worker())
    engine.publish(ticket)
    assert slot.get() == ticket
    assert "was dropped" in caplog.text
    assert "Traceback" not in caplog.text
    assert engine.depth(queue, Kind.EXECUTABLE) == 0


@pytest.mark.parametrize(
    "item", ["", "nonsense", "7", "[]", "{}", '{"properties": {"delivery_tag": "x"}}', b"\xff\xfe", '"' + "[" * 5000]
)
def test_what_no_library_put_into_redis_is_dropped(
    item: Any, redis_server: Redis, queue: str, caplog: pytest.LogCaptureFixture
) -> None:
    engine = CeleryEngine(redis_server.url)
    source = BrokerSource(
        redis_server.url, queues=[queue], kinds=[Kind.EXECUTABLE], slots=1, on_cancel=lambda uuid: None
    )
    try:
        with redis.Redis.from_url(redis_server.url) as client:
            client.lpush(queue, item)
        source.start()
        ticket = a_ticket(queue)
        slot = Slot(source)
        engine.publish(ticket)
        assert slot.get() == ticket
        assert "was dropped" in caplog.text
        assert "Traceback" not in caplog.text
    finally:
        source.close()
        engine.close()


def test_a_cancel_that_names_nothing_is_dropped(
    engine: CeleryEngine, worker: Any, channel: Channel, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Any] = []
    worker(on_cancel=heard.append)
    first, second = uuid4(), uuid4()

    def is_heard() -> bool:
        engine.cancel(first)
        return first in heard

    wait_for(is_heard)
    producer = channel.connection.Producer(channel.channel, exchange=CANCELS)
    bodies: list[Any] = [{"uuid": "x"}, {"uuid": 1}, [], 7, "x"]
    for body in bodies:
        producer.publish(body, serializer="json")
    producer.publish(base64.b64encode(PICKLE), content_type="application/x-python-serialize", content_encoding="binary")
    engine.cancel(second)
    wait_for(lambda: second in heard)
    assert set(heard) == {first, second}
    assert caplog.text.count("A cancel was dropped") == 6


def test_a_ticket_is_a_task_message_of_celery(engine: CeleryEngine, queue: str, channel: Channel) -> None:
    ticket = a_ticket(queue)
    engine.publish(ticket)
    message = channel.channel.basic_get(queue, no_ack=True)
    message = channel.channel.message_to_python(message)
    body = message.body if isinstance(message.body, str) else message.body.decode()
    assert message.headers["task"] == TASK
    assert json.loads(body)[1] == ticket_to_json(ticket)

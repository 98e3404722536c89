"""What people read when a broker cannot be used."""

import contextlib
import socket
from typing import Any

import pytest

from saltant.config import SettingsError
from saltant.engine import EngineUnavailable
from saltant.engine.brokers import Broker, check_broker
from saltant.engine.celery import CeleryEngine
from saltant.jobs import Kind
from tests.brokers.rig import Channel, a_ticket
from tests.services import RabbitMQ, Redis, Service
from tests.services.ports import free_port


def said_of(url: str) -> str:
    with pytest.raises(EngineUnavailable) as caught:
        check_broker(url)
    return str(caught.value)


def test_a_broker_that_is_well(broker: Service) -> None:
    check_broker(broker.url)


def test_a_wrong_password(broker: Service) -> None:
    said = said_of(broker.url.replace("-secret", "-wrong-secret"))
    assert "refuses the user name or the password" in said
    assert "secret" not in said
    assert f"@127.0.0.1:{broker.port}/" in said


def test_no_password(redis_server: Redis) -> None:
    assert "refuses the user name or the password" in said_of(f"redis://127.0.0.1:{redis_server.port}/0")


@pytest.mark.parametrize("scheme", ["amqp", "amqps", "redis", "rediss"])
def test_nobody_is_there(scheme: str) -> None:
    assert "nothing listens there" in said_of(f"{scheme}://u:hidden-word@127.0.0.1:{free_port()}/")
    said = said_of(f"{scheme}://u:hidden-word@no-such-host.invalid/")
    assert "there is no host 'no-such-host.invalid'" in said
    assert "hidden-word" not in said


@pytest.mark.parametrize("scheme", ["amqp", "amqps", "redis", "rediss"])
def test_one_that_says_nothing(scheme: str) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as mute:
        assert "did not answer" in said_of(f"{scheme}://u:p@127.0.0.1:{mute.getsockname()[1]}/")


def test_a_virtual_host_that_is_not_there(rabbitmq: RabbitMQ) -> None:
    assert "may not use the virtual host 'a/b'" in said_of(rabbitmq.url.removesuffix("/") + "a%2Fb")


def test_a_database_that_is_not_there(redis_server: Redis) -> None:
    assert "out of range" in said_of(redis_server.url.removesuffix("0") + "12345678")


def test_another_database_is_another_broker(redis_server: Redis, queue: str) -> None:
    engine, other = CeleryEngine(redis_server.url), CeleryEngine(redis_server.url.removesuffix("0") + "1")
    other.publish(a_ticket(queue))
    assert (engine.depth(queue, Kind.EXECUTABLE), other.depth(queue, Kind.EXECUTABLE)) == (0, 1)
    engine.close()
    other.close()


def test_a_queue_that_others_declared(rabbitmq: RabbitMQ, queue: str) -> None:
    channel, engine = Channel(rabbitmq.url), CeleryEngine(rabbitmq.url)
    try:
        channel.channel.queue_declare(queue, durable=True, auto_delete=False)
        with pytest.raises(EngineUnavailable, match=f"delete there what others declared.*{queue}"):
            engine.publish(a_ticket(queue))
        engine.publish(a_ticket(f"{queue}-2"))  # others are not held up
        channel.delete(queue)
        engine.publish(a_ticket(queue))
    finally:
        channel.close()
        engine.close()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", "must begin with amqp://, amqps://, redis:// or rediss://"),
        ("localhost:5672", "must begin with"),
        ("memory://", "must begin with"),
        ("sqla+sqlite:///x", "must begin with"),
        ("amqp://", "names no host"),
        ("redis://:x@/0", "names no host"),
        ("amqp://u:p@h:port/", "its port is no number"),
        ("amqp://u:p@h:99999/", "its port is no number"),
        ("amqp://u:p/w@h/", "its port is no number"),
        ("amqp://u:p@[::1/", "its host cannot be read"),
        ("rediss://h/0?ssl_cert_reqs=none", "takes nothing after"),
        ("amqp://u:p#w@h/", "# as %23"),
        ("amqp://u:p@h/#x", "takes nothing after"),
        ("redis://only-one@h/0", "has no password"),
        ("amqp://only-one@h/", "has no password"),
        ("redis://h/x", "number of Redis's database"),
        ("redis://h/-1", "number of Redis's database"),
    ],
)
def test_a_url_that_cannot_be_used(url: str, expected: str) -> None:
    with pytest.raises(SettingsError, match="SALTANT_BROKER_URL") as caught:
        Broker.from_url(url)
    assert expected in str(caught.value)


def test_a_ca_that_cannot_be_used(tmp_path: Any) -> None:
    with pytest.raises(SettingsError, match="which is no file"):
        Broker.from_url("amqps://h/", str(tmp_path / "ca.pem"))
    with pytest.raises(SettingsError, match="amqps:// is"):
        Broker.from_url("amqp://h/", str(tmp_path))


@pytest.mark.parametrize(
    ("url", "shown", "parts"),
    [
        ("amqp://h", "amqp://h:5672/%2F", ("h", 5672, "", "", "/")),
        ("amqp://h//", "amqp://h:5672/%2F", ("h", 5672, "", "", "/")),
        ("amqps://u:p%40;%2F@h:1/v%2Fw", "amqps://u:***@h:1/v%2Fw", ("h", 1, "u", "p@;/", "v/w")),
        ("amqp://u:x7@[::1]/", "amqp://u:***@[::1]:5672/%2F", ("::1", 5672, "u", "x7", "/")),
        ("redis://:x7@h/3", "redis://:***@h:6379/3", ("h", 6379, "", "x7", "3")),
        ("rediss://h", "rediss://h:6379/0", ("h", 6379, "", "", "0")),
    ],
)
def test_what_a_url_says(url: str, shown: str, parts: tuple[str, int, str, str, str]) -> None:
    broker = Broker.from_url(url)
    assert str(broker) == shown
    assert (broker.host, broker.port, broker.user, broker.password, broker.space) == parts
    assert not broker.password or broker.password not in repr(broker)

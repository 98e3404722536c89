"""The same tests over both brokers."""

from collections.abc import Callable, Iterator
from uuid import UUID, uuid4

import pytest

from saltant.engine.celery import CeleryEngine
from saltant.jobs import Kind
from saltant.worker.broker import BrokerSource
from tests.brokers.rig import Channel
from tests.services import RabbitMQ, Redis, Service


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMQ]:
    with RabbitMQ() as service:
        yield service


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    with Redis(persistent=True) as service:
        yield service


@pytest.fixture(params=["rabbitmq", "redis_server"])
def broker(request: pytest.FixtureRequest) -> Iterator[Service]:
    """A broker that runs, also when the last test left it dead."""
    service: Service = request.getfixturevalue(request.param)
    yield service
    if not service.is_running:
        service.start()


@pytest.fixture
def queue() -> str:
    """The name of a queue that nobody else has."""
    return f"q{uuid4().hex[:8]}"


@pytest.fixture
def engine(broker: Service) -> Iterator[CeleryEngine]:
    engine = CeleryEngine(broker.url)
    yield engine
    engine.close()


@pytest.fixture
def worker(broker: Service, queue: str) -> Iterator[Callable[..., BrokerSource]]:
    """Makes sources that are started, and closes them."""
    sources = []

    def make(
        *,
        queues: list[str] | None = None,
        kinds: tuple[Kind, ...] = (Kind.EXECUTABLE,),
        on_cancel: Callable[[UUID], None] = lambda uuid: None,
    ) -> BrokerSource:
        source = BrokerSource(broker.url, queues=queues or [queue], kinds=kinds, slots=2, on_cancel=on_cancel)
        source.start()
        sources.append(source)
        return source

    yield make
    for source in sources:
        source.close()


@pytest.fixture
def channel(broker: Service) -> Iterator[Channel]:
    channel = Channel(broker.url)
    yield channel
    channel.close()

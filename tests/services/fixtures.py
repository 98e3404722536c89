"""Session-wide services, started by the first test that asks for one. `tests/conftest.py` registers them."""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest

from tests.services import Missing, PostgreSQL, RabbitMQ, Redis, Service

M = TypeVar("M")
S = TypeVar("S", bound=Service)

absent: dict[str, str] = {}
"""Each service that tests asked for in vain, and why."""


def obtain(make: Callable[..., M], **options: Any) -> M:
    """A service that is not started yet, or a program; the test is skipped where the machine lacks its programs."""
    try:
        return make(**options)
    except Missing as missing:
        name = getattr(make, "name", str(make))
        absent[name] = str(missing)
        pytest.skip(f"{name} is not to be had: {missing}.")


def _running(make: Callable[..., S]) -> Iterator[S]:
    service = obtain(make)
    try:
        yield service.start()
    finally:
        service.stop()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL that all tests share: each takes a `new_database()`, and none kills it."""
    yield from _running(PostgreSQL)


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMQ]:
    """A RabbitMQ that all tests share: each uses queues of its own, and none kills it."""
    yield from _running(RabbitMQ)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    """A Redis that all tests share: each uses keys of its own, and none kills it."""
    yield from _running(Redis)

"""A cancel reaches every worker that is there."""

from typing import Any
from uuid import UUID, uuid4

from saltant.engine.celery import CeleryEngine
from tests.brokers.rig import wait_for
from tests.services import Service


def heard_by(engine: CeleryEngine, worker: Any) -> list[UUID]:
    """Cancels that a new worker hears, after it has heard its first."""
    heard: list[UUID] = []
    worker(on_cancel=heard.append)
    hello = uuid4()

    def is_heard() -> bool:
        engine.cancel(hello)
        return hello in heard

    wait_for(is_heard)
    return heard


def test_all_workers_hear_it(engine: CeleryEngine, worker: Any) -> None:
    both = [heard_by(engine, worker), heard_by(engine, worker)]
    uuid = uuid4()
    engine.cancel(uuid)
    wait_for(lambda: all(heard and heard[-1] == uuid for heard in both))


def test_with_no_worker_it_is_nobodys(engine: CeleryEngine) -> None:
    engine.cancel(uuid4())


def test_they_are_heard_again_after_the_broker_was_killed(engine: CeleryEngine, worker: Any, broker: Service) -> None:
    heard = heard_by(engine, worker)
    broker.kill()
    broker.start()
    uuid = uuid4()

    def is_heard() -> bool:
        engine.cancel(uuid)
        return uuid in heard

    wait_for(is_heard)


def test_a_worker_that_fails_to_look_hears_the_next(engine: CeleryEngine, worker: Any) -> None:
    seen: list[UUID] = []

    def fail_once(uuid: UUID) -> None:
        seen.append(uuid)
        if len(seen) == 1:
            raise RuntimeError("It failed.")

    worker(on_cancel=fail_once)

    def is_seen_twice() -> bool:
        engine.cancel(uuid4())
        return len(seen) > 1

    wait_for(is_seen_twice)

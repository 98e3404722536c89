"""Brokers that are down, are emptied or lose everything: what was submitted runs all the same."""

import shutil
import time
from collections.abc import Iterator

import kombu
import pytest
import redis

from saltant.models.executable_task_instance import ExecutableTaskInstance
from tests.acceptance.cluster import Cluster
from tests.acceptance.many import (
    HASTY,
    Gate,
    checked,
    end_of,
    has_process,
    queue_of_its_own,
    wait_until_running,
)
from tests.acceptance.ready import ready_database
from tests.acceptance.system import wait_until
from tests.services import PostgreSQL, RabbitMQ, Redis
from tests.services.fixtures import obtain

BROKERS = {"rabbitmq": RabbitMQ, "redis": Redis}


@pytest.fixture(scope="module", params=BROKERS)
def broker(request: pytest.FixtureRequest) -> Iterator[RabbitMQ | Redis]:
    """A broker to be killed; the Redis keeps nothing."""
    made: RabbitMQ | Redis = obtain(BROKERS[request.param])
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.fixture(scope="module")
def cluster(
    broker: RabbitMQ | Redis, postgresql: PostgreSQL, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """A cluster over that broker; each test leaves it running."""
    folder = tmp_path_factory.mktemp("brokers") / "data"
    # Long leases, so that nothing that a test does is undone by a busy machine.
    environ = HASTY | {"SALTANT_LEASE": "12"}
    site = Cluster(
        folder, database_url=ready_database(postgresql), broker_url=broker.url, environ=environ, concurrency=2
    )
    with checked(site):
        yield site


def empty(broker: RabbitMQ | Redis, queue: str) -> None:
    """Delete a queue with its tickets."""
    if isinstance(broker, Redis):
        store = redis.Redis.from_url(broker.url)
        assert store.delete(*store.keys(f"{queue}*")) > 0
        return
    with kombu.Connection(broker.url) as connection:
        assert connection.channel().queue_delete(queue) > 0


def lose_everything(broker: RabbitMQ | Redis) -> None:
    """Kill it, and start it as it was before its first start."""
    broker.kill()
    if isinstance(broker, RabbitMQ):
        shutil.rmtree(broker.folder / "mnesia")
    broker.start()


def wait_until_published(*jobs: ExecutableTaskInstance) -> None:
    wait_until(lambda: all(job.sync().state == "published" for job in jobs), "they have tickets")


def test_a_broker_that_is_down_at_submit_keeps_nobody_waiting(cluster: Cluster, broker: RabbitMQ | Redis) -> None:
    task_type = cluster.executable("/bin/true")
    queue = cluster.client.task_queues.get(name="default")

    def submit_many() -> tuple[float, list[ExecutableTaskInstance]]:
        began = time.monotonic()
        create = cluster.client.executable_task_instances.create
        jobs = [create(task_type.id, queue.id) for _ in range(20)]
        return time.monotonic() - began, jobs

    usual, jobs = submit_many()
    assert {end_of(job) for job in jobs} == {("successful", "exited")}
    broker.kill()
    down, jobs = submit_many()
    assert down < 10 * usual + 1, "somebody waited for the broker"
    assert {(job.sync().state, job.waiting) for job in jobs} == {
        ("created", "It has not been handed to the workers yet.")
    }
    broker.start()
    assert {end_of(job) for job in jobs} == {("successful", "exited")}


def test_what_lay_in_a_queue_that_was_deleted_runs(cluster: Cluster, broker: RabbitMQ | Redis) -> None:
    queue, environ = queue_of_its_own(cluster)
    task_type = cluster.executable("/bin/true")
    jobs = [cluster.client.executable_task_instances.create(task_type.id, queue.id) for _ in range(10)]
    wait_until_published(*jobs)
    empty(broker, queue.name)
    worker = cluster.start_worker("--queue", queue.name, "--concurrency", "2", environ=environ)
    assert {end_of(job) for job in jobs} == {("successful", "exited")}
    assert {len(job.attempts()) for job in jobs} == {1}
    worker.kill()


def test_a_broker_that_lost_everything(cluster: Cluster, broker: RabbitMQ | Redis) -> None:
    gate = Gate(cluster)
    busy = [gate.submit() for _ in range(2)]
    wait_until_running(*busy)
    task_type = cluster.executable("/bin/true")
    jobs = [cluster.submit(task_type) for _ in range(10)]
    wait_until_published(*jobs)
    lose_everything(broker)
    assert all(has_process(job) for job in busy)
    gate.open()
    assert {end_of(job) for job in (*busy, *jobs)} == {("successful", "exited")}
    assert {len(job.attempts()) for job in (*busy, *jobs)} == {1}


def test_a_cancel_arrives_without_a_broker(cluster: Cluster, broker: RabbitMQ | Redis) -> None:
    job = Gate(cluster).submit()
    wait_until_running(job)
    broker.kill()
    job.terminate()
    assert end_of(job) == ("terminated", "cancelled")
    assert job.message == "Terminated by admin."
    assert not has_process(job)
    broker.start()
    assert cluster.run(cluster.executable("/bin/true")).state == "successful"

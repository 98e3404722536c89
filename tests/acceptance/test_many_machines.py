"""Workers that share a queue: each job runs once, and no limit is passed."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.cluster import Cluster
from tests.acceptance.conftest import make_site
from tests.acceptance.many import (
    PATIENT,
    Gate,
    checked,
    end_of,
    lines_of,
    most_at_once,
    queue_of_its_own,
    wait_until_running,
)
from tests.acceptance.system import wait_until

GIB = 1 << 30


@pytest.fixture(scope="module", params=["rabbitmq", "redis"])
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two workers of two slots each that serve all queues, over each broker."""
    folder = tmp_path_factory.mktemp("many") / "data"
    site = make_site(request.param, request, folder, concurrency=2, environ=PATIENT)
    assert isinstance(site, Cluster)
    with checked(site):
        site.start_worker()
        yield site


def test_each_of_many_jobs_runs_once_and_both_workers_run_some(cluster: Cluster, tmp_path: Path) -> None:
    other = cluster.start_worker("--queue", "spare-3", "--concurrency", "4", name="other")
    gate, ran = Gate(cluster), tmp_path / "ran"
    held = [gate.submit() for _ in range(4)]
    task_type = cluster.executable(f"/bin/sh -c 'echo $JOB_UUID >> {ran}'")
    jobs = [cluster.submit(task_type) for _ in range(56)]
    wait_until_running(*held)
    assert Counter(job.worker for job in held) == {"worker-1": 2, "worker-2": 2}
    assert lines_of(ran) == []
    gate.open()
    assert {end_of(job) for job in (*held, *jobs)} == {("successful", "exited")}
    assert sorted(lines_of(ran)) == sorted(job.uuid for job in jobs)
    assert {job.worker for job in jobs} <= {"worker-1", "worker-2"}
    assert all(len(job.attempts()) == 1 for job in jobs)
    assert cluster.client.workers.get("other").state == "online"
    assert other.stop() == 0


def test_a_queue_runs_no_more_at_once_than_it_may(cluster: Cluster) -> None:
    queue = cluster.client.task_queues.get(name="spare-0")
    cluster.client.task_queues.patch(queue.id, max_running=3)
    gate = Gate(cluster)
    jobs = [gate.submit(queue) for _ in range(6)]
    wait_until(lambda: sorted(job.sync().state for job in jobs) == ["published"] * 3 + ["running"] * 3, "three run")
    waits = next(job for job in jobs if job.state == "published")
    wait_until(lambda: "runs 3 at once" in (waits.sync().waiting or ""), "it says what it waits for")
    gate.open()
    assert {end_of(job) for job in jobs} == {("successful", "exited")}
    assert most_at_once(jobs) == 3
    cluster.client.task_queues.patch(queue.id, max_running=None)


def test_a_user_runs_no_more_at_once_than_they_may(cluster: Cluster) -> None:
    cluster.client.users.limit("admin", 1)
    gate = Gate(cluster)
    jobs = [gate.submit(queue) for queue in (None, cluster.client.task_queues.get(name="spare-0"))]
    wait_until(lambda: sorted(job.sync().state for job in jobs) == ["published", "running"], "one runs")
    waits = next(job for job in jobs if job.state == "published")
    wait_until(lambda: "1 of its user's run at once" in (waits.sync().waiting or ""), "it says what it waits for")
    gate.open()
    assert {end_of(job) for job in jobs} == {("successful", "exited")}
    assert most_at_once(jobs) == 1
    cluster.client.users.limit("admin", None)


def test_the_highest_priority_runs_first(cluster: Cluster) -> None:
    first, then, last = Gate(cluster), Gate(cluster), Gate(cluster)
    busy = [first.submit() for _ in range(4)]
    wait_until_running(*busy)
    low = [last.submit(priority=0) for _ in range(3)] + [last.submit()]
    high = [then.submit(priority=9) for _ in range(4)]
    wait_until(lambda: all(job.sync().state == "published" for job in (*low, *high)), "all have a ticket")
    first.open()
    wait_until_running(*high)
    assert {job.sync().state for job in low} == {"published"}
    then.open()
    wait_until_running(*low)
    last.open()
    assert {end_of(job) for job in (*busy, *low, *high)} == {("successful", "exited")}


def test_a_worker_runs_no_more_than_it_has(cluster: Cluster) -> None:
    queue, environ = queue_of_its_own(cluster)
    options = ("--queue", queue.name, "--concurrency", "8", "--cpus", "2", "--memory", "1GiB")
    pair = [cluster.start_worker(*options, environ=environ) for _ in range(2)]
    names = {worker.name for worker in cluster.client.workers.list({"queue": queue.name})}
    gate = Gate(cluster)
    too_big = gate.submit(queue, cpus=3)
    jobs = [gate.submit(queue, cpus=1.5) for _ in range(3)] + [
        gate.submit(queue, memory=GIB * 3 // 4) for _ in range(3)
    ]
    wait_until(lambda: Counter(job.sync().state for job in jobs)["running"] == 4, "as many run as fit")
    for job in jobs:
        if job.state != "running":
            wait_until(lambda job=job: "for others to end" in (job.sync().waiting or ""), "it says what it waits for")
    assert Counter(job.worker for job in jobs if job.state == "running") == dict.fromkeys(names, 2)
    says = f"It asks for 3 processors: no worker of the queue '{queue.name}' has so much."
    assert (too_big.sync().state, too_big.waiting) == ("published", says)
    gate.open()
    assert {end_of(job) for job in jobs} == {("successful", "exited")}
    for name in names:
        assert most_at_once(job for job in jobs if job.worker == name and job.cpus) == 1
        assert most_at_once(job for job in jobs if job.worker == name and job.memory) == 1
    assert too_big.sync().state == "published"
    assert [worker.stop() for worker in pair] == [0, 0]

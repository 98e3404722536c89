"""Workers that are drained or stopped: what runs is finished, or ends with a true reason."""

import signal
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.acceptance.cluster import Cluster, Program
from tests.acceptance.conftest import make_site
from tests.acceptance.many import (
    HASTY,
    Gate,
    checked,
    end_of,
    has_process,
    queue_of_its_own,
    submit_tree,
    wait_for_state,
    wait_for_words,
    wait_until_running,
)
from tests.acceptance.system import SALTANT, START, wait_until

START_WORKER = Callable[[], Program]


@pytest.fixture(scope="module")
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster whose own worker has nothing to do."""
    site = make_site(
        "rabbitmq", request, tmp_path_factory.mktemp("drains") / "data", environ=HASTY | {"SALTANT_LEASE": "12"}
    )
    assert isinstance(site, Cluster)
    with checked(site):
        yield site


@pytest.fixture(scope="module")
def queue(cluster: Cluster) -> tuple[Any, dict[str, str]]:
    """A queue that only the workers of these tests serve."""
    return queue_of_its_own(cluster)


@pytest.fixture
def start(cluster: Cluster, queue: tuple[Any, dict[str, str]]) -> START_WORKER:
    """Starts a worker of that queue."""
    return lambda: cluster.start_worker("--queue", queue[0].name, "--concurrency", "2", environ=queue[1])


def name_of(worker: Program) -> str:
    return worker.words[worker.words.index("--name") + 1]


def by_signal(cluster: Cluster, worker: Program) -> Callable[[], int]:
    assert worker.process is not None
    worker.process.send_signal(signal.SIGTERM)
    return lambda: 0


def by_command(cluster: Cluster, worker: Program) -> Callable[[], int]:
    command = [*SALTANT, "worker", "--drain", "--data-dir", str(cluster.folder / name_of(worker))]
    drains = subprocess.Popen(command, stdout=subprocess.PIPE, env=worker.environ, text=True)
    return lambda: drains.returncode if "is gone" in drains.communicate(timeout=START)[0] else 1


def by_api(cluster: Cluster, worker: Program) -> Callable[[], int]:
    assert cluster.client.workers.drain(name_of(worker)).state == "draining"
    return lambda: 0


@pytest.mark.parametrize("how", [by_signal, by_command, by_api])
def test_a_drain_finishes_what_runs_and_takes_nothing_new(
    cluster: Cluster, queue: tuple[Any, dict[str, str]], start: START_WORKER, how: Any
) -> None:
    worker, gate = start(), Gate(cluster)
    name = name_of(worker)
    assert cluster.client.workers.get(name).state == "online"
    runs = gate.submit(queue[0], exit_code=3)
    wait_until_running(runs)
    told = how(cluster, worker)
    wait_for_words(worker, "Draining")  # until it has heard of it, it may take something
    wait_for_state(cluster, name, "draining")
    assert [each.uuid for each in cluster.client.workers.get(name).running] == [runs.uuid]
    later = gate.submit(queue[0])
    wait_until(lambda: "draining" in (later.sync().waiting or ""), "it says what it waits for")
    gate.open()
    assert (*end_of(runs), runs.exit_code) == ("failed", "exited", 3)
    assert worker.process is not None
    assert (worker.process.wait(START), told()) == (0, 0)
    stopped = cluster.client.workers.get(name)
    assert (stopped.state, stopped.running) == ("stopped", [])
    assert (later.sync().state, later.waiting) == ("published", f"No worker serves the queue '{queue[0].name}' now.")
    next_one = start()
    assert end_of(later) == ("successful", "exited")
    assert later.worker == name_of(next_one)
    assert next_one.stop() == 0


def test_a_second_signal_ends_what_runs_at_once(
    cluster: Cluster, queue: tuple[Any, dict[str, str]], start: START_WORKER
) -> None:
    worker, gate = start(), Gate(cluster)
    job = gate.submit(queue[0])
    wait_until_running(job)
    assert worker.process is not None
    worker.process.send_signal(signal.SIGTERM)
    wait_for_words(worker, "Draining")
    assert has_process(job)
    assert worker.stop() == 0
    assert not has_process(job)
    message = "Its worker was stopped while it ran. Its program was told to end, and was killed by signal 15 (SIGTERM)."
    assert (*end_of(job), job.message) == ("failed", "lost", message)
    assert cluster.client.workers.get(name_of(worker)).state == "stopped"


def test_what_a_second_signal_ended_is_tried_again(
    cluster: Cluster, queue: tuple[Any, dict[str, str]], start: START_WORKER
) -> None:
    worker, gate = start(), Gate(cluster)
    job = gate.submit(queue[0], max_attempts=2)
    wait_until_running(job)
    assert worker.process is not None
    worker.process.send_signal(signal.SIGTERM)
    wait_for_words(worker, "Draining")
    assert worker.stop() == 0
    other = start()
    gate.open()
    assert end_of(job) == ("successful", "exited")
    assert [(each.worker, each.reason) for each in job.attempts()] == [
        (name_of(worker), "lost"),
        (name_of(other), "exited"),
    ]
    assert other.stop() == 0


def test_a_killed_worker_that_starts_anew_gives_up_at_once_what_it_held(
    cluster: Cluster, queue: tuple[Any, dict[str, str]], start: START_WORKER
) -> None:
    worker = start()
    once, twice = submit_tree(cluster, queue[0]), submit_tree(cluster, queue[0], max_attempts=2)
    worker.kill()
    worker.start()
    for job in (once, twice):
        assert job.attempts()[0].message == "Its worker was stopped hard while it ran, and has started anew."
    assert end_of(once) == ("failed", "lost")
    assert not has_process(once)
    wait_until(lambda: twice.sync().attempt == 2 and twice.state == "running" and has_process(twice), "it runs again")
    twice.terminate()
    assert end_of(twice) == ("terminated", "cancelled")
    worker.kill()

"""Jobs for tests of many machines: they run until they are let go, and say what they did."""

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from saltant.models.executable_task_instance import ExecutableTaskInstance
from tests.acceptance.cluster import Cluster, Program
from tests.acceptance.system import processes_of, wait_until

HASTY = {"SALTANT_LEASE": "3", "SALTANT_REPUBLISH": "1", "SALTANT_KILL_GRACE": "0.2"}
"""Settings by which what is lost is found soon."""
PATIENT = HASTY | {"SALTANT_LEASE": "60"}
"""Settings by which no lease ends within a test."""


TREE = "/bin/sh -c 'setsid sleep 600 & trap \"\" TERM; (sleep 600 &); while :; do sleep 600; done'"


class Gate:
    """What jobs wait for."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.path = cluster.folder / f"gate-{uuid.uuid4()}"

    def submit(
        self, queue: Any = None, *, exit_code: int = 0, arguments: dict[str, Any] | None = None, **limits: Any
    ) -> ExecutableTaskInstance:
        """An instance that ends once the gate is open; its queue is `default` unless another is named."""
        cluster = self.cluster
        command = f"/bin/sh -c 'while [ ! -e {self.path} ]; do sleep 0.02; done; exit {exit_code}'"
        task_type = cluster.executable(command)
        queue = queue or cluster.client.task_queues.get(name="default")
        return cluster.client.executable_task_instances.create(task_type.id, queue.id, arguments, **limits)

    def open(self) -> None:
        """Let them go on."""
        self.path.touch()


@contextmanager
def checked(cluster: Cluster) -> Iterator[Cluster]:
    """Start a cluster; at the end kill it, and look for tracebacks and secrets in what it logged."""
    with cluster:
        yield cluster
    cluster.check_printed()


def queue_of_its_own(cluster: Cluster) -> tuple[Any, dict[str, str]]:
    """A new queue that no worker serves yet, and the environment of workers that may."""
    name = f"queue-{uuid.uuid4()}"
    whitelist = cluster.client.task_whitelists.get(name="default")
    queue = cluster.client.task_queues.create(name, whitelists=[whitelist.id])
    token = cluster.saltant("token", "create", "admin", "--role", "worker", "--queue", name).strip()
    return queue, {"SALTANT_WORKER_TOKEN": token}


def submit_tree(cluster: Cluster, queue: Any = None, **limits: Any) -> ExecutableTaskInstance:
    """A job of processes that do their best to survive, and that has begun; on `default` unless a queue is named."""
    queue = queue or cluster.client.task_queues.get(name="default")
    job = cluster.client.executable_task_instances.create(cluster.executable(TREE).id, queue.id, **limits)
    wait_until_running(job)
    return job


def wait_until_running(*jobs: ExecutableTaskInstance) -> None:
    """Wait until all of these have a process."""
    for job in jobs:
        wait_until(lambda job=job: job.sync().state == "running" and has_process(job), f"{job.uuid} runs")


def has_process(job: ExecutableTaskInstance) -> bool:
    """Whether a process of the job is alive."""
    return next(processes_of(job.uuid), None) is not None


def end_of(job: ExecutableTaskInstance) -> tuple[str, str | None]:
    """The state and the reason of an instance, once it has ended."""
    ended = job.wait_until_finished(0.02, timeout=60)
    return ended.state, ended.reason


def wait_for_state(cluster: Cluster, worker: str, state: str) -> None:
    """Wait until the server says that a worker is in a state."""
    wait_until(lambda: cluster.client.workers.get(worker).state == state, f"{worker} is {state}")


def wait_for_words(program: Program, words: str) -> None:
    """Wait until a program has logged something."""
    wait_until(lambda: words in program.output.read_text(), f"it says {words!r}")


def most_at_once(jobs: Iterable[ExecutableTaskInstance]) -> int:
    """How many of these ended instances ran at the same time, at the most."""
    changes = []
    for job in jobs:
        assert job.datetime_started is not None
        assert job.datetime_finished is not None
        changes += [(job.datetime_started, 1), (job.datetime_finished, -1)]
    running = most = 0
    for _, change in sorted(changes):
        running += change
        most = max(most, running)
    return most


def lines_of(path: Path) -> list[str]:
    """The lines of a file; none if it is not there."""
    return path.read_text().splitlines() if path.exists() else []

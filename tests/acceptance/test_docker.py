"""Containers of a real Docker engine through a real saltant."""

import json
import socket
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from saltant.models.container_task_instance import ContainerTaskInstance
from tests.acceptance.system import START, Up, wait_until
from tests.services.docker import IMAGE, Docker
from tests.services.fixtures import obtain
from tests.unit.worker.docker_rig import mounted, processes_of

SLEEPER = "sh -c 'echo ready; sleep 1000'"


class Lab:
    """A saltant with an engine of its own."""

    def __init__(self, up: Up, engine: Docker) -> None:
        self.up = up
        self.engine = engine

    @property
    def kinds(self) -> set[str]:
        """What the worker says that it can run."""
        return {kind for worker in self.up.client.workers.list() for kind in worker.kinds}

    def submit(self, command: str, arguments: dict[str, Any] | None = None, **options: Any) -> ContainerTaskInstance:
        """A container on the queue `default`."""
        client = self.up.client
        image = options.pop("image", IMAGE)
        made = client.container_task_types.create(f"type-{uuid.uuid4()}", command, image, "docker", **options)
        client.task_whitelists.get(name="default").add(container_task_types=[made.id])
        return client.container_task_instances.create(made.id, client.task_queues.get(name="default").id, arguments)

    def run(self, command: str, arguments: dict[str, Any] | None = None, **options: Any) -> ContainerTaskInstance:
        """One that has ended."""
        return self.submit(command, arguments, **options).wait_until_finished(0.02, timeout=START)

    def begin(self, command: str = SLEEPER, **options: Any) -> ContainerTaskInstance:
        """One that has said that it is ready."""
        job = self.submit(command, **options)
        wait_until(lambda: "ready" in self.log(job), "it runs")
        return job

    def log(self, job: ContainerTaskInstance, stream: str = "stdout") -> str:
        """What it printed so far."""
        return self.up.log(job, stream)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def engine() -> Iterator[Docker]:
    engine = obtain(Docker)
    try:
        yield engine.start()
        assert engine.left() == {"containers": [], "volumes": [], "networks": []}
    finally:
        engine.stop()
    wait_until(lambda: not processes_of(engine.folder), "nothing of it is left")
    assert mounted() == set()


@pytest.fixture(scope="module")
def lab(engine: Docker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("lab") / "data"
    environ = {
        "SALTANT_DOCKER_HOST": engine.url,
        "SALTANT_ENGINES_EVERY": "0.2",
        "SALTANT_KILL_GRACE": "0.2",
    }
    with Up(folder, "--concurrency", "20", environ=environ) as up:
        lab = Lab(up, engine)
        wait_until(lambda: "docker" in lab.kinds, "the worker says that it runs containers")
        yield lab
    assert list((folder / "work").iterdir()) == []


def test_a_container_from_its_submission_to_its_results(lab: Lab) -> None:
    command = "sh -c 'echo \"$0\"; echo err >&2; echo mine >/logs/own.txt; echo r >/results/r.txt; exit 7'"
    arguments = {"a": "x\n\"'$HOME `id` é😀"}
    job = lab.run(command, arguments, logs_path="/logs", results_path="/results", required_arguments=["a"])
    assert (job.state, job.reason, job.exit_code) == ("failed", "exited", 7), job.message
    assert job.image_digest is not None
    assert job.image_digest.startswith("sha256:")
    assert lab.log(job) == json.dumps(arguments) + "\n"
    wait_until(lambda: {log.name for log in job.log_files()} >= {"stdout", "stderr", "own.txt"}, "its logs have come")
    assert lab.up.result(job, "r.txt") == "r\n"  # type: ignore[arg-type]


def test_one_that_is_terminated_leaves_nothing(lab: Lab) -> None:
    job = lab.begin("sh -c 'trap \"\" TERM; setsid sleep 1000 & echo ready; sleep 1000; sleep 1000'")
    assert len(lab.engine.left()["containers"]) == 1
    job.terminate()
    job.wait_until_finished(0.02, timeout=START)
    assert (job.state, job.reason) == ("terminated", "cancelled")
    assert lab.engine.left()["containers"] == []


def test_one_is_terminated_while_its_image_is_pulled(lab: Lab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        job = lab.submit("true", image=f"127.0.0.1:{silent.getsockname()[1]}/lab/tool:1")
        silent.settimeout(START)
        silent.accept()  # the engine asks for it
        job.terminate()
        job.wait_until_finished(0.02, timeout=START)
    assert (job.state, job.reason, job.datetime_started) == ("terminated", "cancelled", None)
    missing = lab.run("true", image="no-such-image:1", pull_policy="never")
    assert (missing.state, missing.reason) == ("failed", "image_pull_failed")


def test_limits_and_options_reach_the_container(lab: Lab) -> None:
    asked = "sh -c 'ls /sys/class/net; touch /file || id -u; df /dev/shm | tail -n 1'"
    job = lab.run(asked, network="none", read_only_root=True, container_user="1234", shm_size=1 << 20)
    assert job.state == "successful", job.message
    net, user, size = lab.log(job).splitlines()
    assert (net, user, size.split()[1]) == ("lo", "1234", "1024")
    greedy = lab.run("sh -c 'x=a; while true; do x=$x$x; done'", memory=20 << 20)
    assert (greedy.state, greedy.reason) == ("failed", "out_of_memory")


def test_what_a_killed_worker_left_is_removed_when_it_is_back(lab: Lab) -> None:
    job = lab.begin()
    lab.up.kill()
    assert len(lab.engine.left()["containers"]) == 1
    lab.up.start()
    job = lab.up.client.container_task_instances.wait_until_finished(job.uuid, 0.02, timeout=START)
    assert (job.state, job.reason) == ("failed", "lost")
    wait_until(lambda: lab.engine.left()["containers"] == [], "its container is removed")
    assert lab.run("true").state == "successful"


def test_what_waits_for_an_engine_says_so_and_runs_when_it_is_back(lab: Lab) -> None:
    running = lab.begin()
    lab.engine.shut_down()
    wait_until(lambda: "docker" not in lab.kinds, "the worker says that it runs none")
    waiting = lab.submit("echo ran")
    wait_until(lambda: "ocker" in (waiting.sync().waiting or ""), "it says why it waits")
    lab.engine.start()
    running.wait_until_finished(0.02, timeout=START)
    assert (running.state, running.reason) == ("failed", "engine_unavailable"), running.message
    waiting.wait_until_finished(0.02, timeout=START)
    assert (waiting.state, waiting.attempt, lab.log(waiting)) == ("successful", 1, "ran\n")

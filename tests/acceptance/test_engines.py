"""Containers in one process, and over a broker: engines that come and go, and stops while containers run."""

import signal
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from saltant.models.container_task_instance import ContainerTaskInstance
from tests.acceptance.cluster import Cluster, Program
from tests.acceptance.conftest import make_site
from tests.acceptance.system import START, Up, wait_until
from tests.services.docker import IMAGE, Docker
from tests.services.fixtures import obtain
from tests.unit.worker.container_rig import image_folder, processes_with

STUBBORN = "#!/bin/sh\ntrap '' TERM\nsetsid sleep 1000 &\necho ready\nsleep 1000\nsleep 1000\n"
NO_ENGINE = "No worker of the queue 'default' can run Docker containers."


class Lab:
    """A saltant and the engine that its worker is to use, which does not run yet and has its image."""

    def __init__(self, site: Up | Cluster, docker: Docker) -> None:
        self.site = site
        self.docker = docker

    @property
    def kinds(self) -> set[str]:
        """What the worker says that it can run."""
        [worker] = self.site.client.workers.list()
        return set(worker.kinds)

    def submit(self, command: str, **options: Any) -> ContainerTaskInstance:
        """A container on the queue `default`."""
        client = self.site.client
        made = client.container_task_types.create(
            f"type-{uuid.uuid4()}", command, IMAGE, "docker", pull_policy="never", network="none", **options
        )
        client.task_whitelists.get(name="default").add(container_task_types=[made.id])
        return client.container_task_instances.create(made.id, client.task_queues.get(name="default").id)

    def left(self) -> list[str]:
        """The containers that there are."""
        found: list[str] = self.docker.left()["containers"]
        return found


def stop(program: Up | Program) -> int:
    """Press Ctrl-C, twice, for who does not want to wait; returns the exit code."""
    assert program.process is not None
    said = program.output.stat().st_size
    program.process.send_signal(signal.SIGINT)
    wait_until(lambda: program.output.stat().st_size > said, "it says that it stops")
    return program.stop(signal.SIGINT)


@pytest.fixture(scope="module", params=["embedded", "rabbitmq"])
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    docker = obtain(Docker)
    environ = {"SALTANT_DOCKER_HOST": docker.url, "SALTANT_ENGINES_EVERY": "0.2"}
    try:
        docker.start()
        docker.kill()
        folder = tmp_path_factory.mktemp(request.param) / "data"
        with make_site(request.param, request, folder, environ=environ) as site:
            yield Lab(site, docker)
    finally:
        docker.stop()


def test_what_needs_an_engine_waits_for_it_and_is_not_moved_about(lab: Lab) -> None:
    wait_until(lambda: lab.kinds, "the worker has said what it can run")
    assert "docker" not in lab.kinds
    job = lab.submit("true")
    wait_until(lambda: job.sync().waiting == NO_ENGINE, "it says what it waits for")
    assert lab.site.run(lab.site.executable("true")).state == "successful", "others are not held up"
    assert (job.sync().state, job.attempt, job.attempts()) == ("published", 1, [])

    lab.docker.start()
    job.wait_until_finished(0.02, timeout=START)
    assert (job.state, job.reason, job.exit_code) == ("successful", "exited", 0), job.message
    assert job.image_digest is not None
    assert job.image_digest.startswith("sha256:")
    assert [each.image_digest for each in job.attempts()] == [job.image_digest]
    assert "docker" in lab.kinds


def test_an_engine_that_stops_is_missed_and_found_again(lab: Lab) -> None:
    lab.docker.kill()
    wait_until(lambda: "docker" not in lab.kinds, "the worker says that its engine is gone")
    job = lab.submit("true")
    wait_until(lambda: job.sync().waiting == NO_ENGINE, "it says what it waits for")
    lab.docker.start()
    assert job.wait_until_finished(0.02, timeout=START).state == "successful"


def test_what_a_killed_worker_leaves_is_removed_by_the_next(lab: Lab) -> None:
    job = lab.submit("sleep 600")
    wait_until(lab.left, "its container is there")
    [container] = lab.left()
    foreign = lab.docker.client()
    try:
        labels = {
            "org.saltant.server": "another",
            "org.saltant.instance": str(uuid.uuid4()),
            "org.saltant.attempt": "1",
        }
        other = foreign.containers.run(IMAGE, "sleep 600", detach=True, labels=labels, network_mode="none")
        worker = lab.site if isinstance(lab.site, Up) else lab.site.workers[0]
        worker.kill()
        assert container in lab.left()
        worker.start()
        job = lab.site.client.container_task_instances.get(job.uuid)
        wait_until(lambda: container not in lab.left(), "it is removed")
        assert (job.wait_until_finished(0.02, timeout=START).state, len(lab.left())) == ("failed", 1)
        assert job.reason in ("lost", "server_stopped")
        other.remove(force=True)
    finally:
        foreign.close()
    assert lab.submit("true").wait_until_finished(0.02, timeout=START).state == "successful"
    assert lab.left() == []


def test_a_worker_that_is_stopped_leaves_nothing(lab: Lab) -> None:
    job = lab.submit("sh -c 'trap \"\" TERM; sleep 600; sleep 600'")
    wait_until(lambda: job.sync().state == "running", "it runs")
    wait_until(lab.left, "its container is there")
    worker = lab.site if isinstance(lab.site, Up) else lab.site.workers[0]
    assert stop(worker) == 0
    assert lab.left() == []
    worker.start()
    job = lab.site.client.container_task_instances.get(job.uuid)
    assert job.wait_until_finished(0.02, timeout=START).state == "failed"


def test_containers_of_singularity_over_a_broker(request: pytest.FixtureRequest) -> None:
    with image_folder({"app/stubborn": STUBBORN}) as (apptainer, folder):
        environ = {"PATH": apptainer.path, "SALTANT_KILL_GRACE": "0.2"}
        with make_site("rabbitmq", request, folder / "site", environ=environ) as site:
            client, queue = site.client, site.client.task_queues.get(name="default").id

            def submit(command: str, **options: Any) -> ContainerTaskInstance:
                made = client.container_task_types.create(
                    f"type-{uuid.uuid4()}", command, str(folder / "box.sif"), "singularity", **options
                )
                client.task_whitelists.get(name="default").add(container_task_types=[made.id])
                return client.container_task_instances.create(made.id, queue)

            command = "sh -c 'echo out; echo err >&2; echo mine >/logs/own.txt; echo r >/results/r.txt; exit 7'"
            job = submit(command, logs_path="/logs", results_path="/results").wait_until_finished(0.02, timeout=START)
            assert (job.state, job.reason, job.exit_code) == ("failed", "exited", 7), job.message
            wait_until(lambda: len(job.log_files()) == 3, "its logs have come")
            assert (job.logs(), job.logs("stderr"), job.logs("own.txt")) == ("out\n", "err\n", "mine\n")
            assert [(result.name, result.size) for result in job.results()] == [("r.txt", 2)]

            job = submit("/app/stubborn")
            wait_until(lambda: "ready" in job.logs(), "it runs")
            job.terminate()
            assert job.wait_until_finished(0.02, timeout=START).state == "terminated"
            assert processes_with(job.uuid) == []

            job = submit("/app/stubborn")
            wait_until(lambda: "ready" in job.logs(), "it runs")
            assert isinstance(site, Cluster)
            assert stop(site.workers[0]) == 0
            assert processes_with(job.uuid) == []
            assert list((site.data_dir / "work").iterdir()) == []

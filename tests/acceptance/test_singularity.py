"""Containers of a real Apptainer through a real saltant."""

import socket
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from saltant.models.container_task_instance import ContainerTaskInstance
from tests.acceptance.system import START, Up, wait_until
from tests.unit.worker.container_rig import image_folder, mounts, processes_with

STUBBORN = "#!/bin/sh\ntrap '' TERM\nsetsid sleep 1000 &\necho ready\nsleep 1000\nsleep 1000\n"


class Lab:
    """A saltant whose worker finds Apptainer in a folder of its own, and the images there are for it."""

    def __init__(self, up: Up, images: Path, program: Path) -> None:
        self.up = up
        self.images = images
        self.program = program

    @property
    def kinds(self) -> set[str]:
        """What the worker says that it can run."""
        return {kind for worker in self.up.client.workers.list() for kind in worker.kinds}

    def submit(self, command: str, image: str = "", **options: Any) -> ContainerTaskInstance:
        """A container on the queue `default`."""
        client = self.up.client
        image = image or str(self.images / "box.sif")
        made = client.container_task_types.create(f"type-{uuid.uuid4()}", command, image, "singularity", **options)
        client.task_whitelists.get(name="default").add(container_task_types=[made.id])
        return client.container_task_instances.create(made.id, client.task_queues.get(name="default").id)

    def run(self, command: str, image: str = "", **options: Any) -> ContainerTaskInstance:
        """One that has ended."""
        return self.submit(command, image, **options).wait_until_finished(0.02, timeout=START)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with image_folder({"app/stubborn": STUBBORN}) as (apptainer, folder):
        before = mounts()
        (folder / "bin").mkdir()
        program = folder / "bin/apptainer"
        program.symlink_to(apptainer.program)
        environ = {
            "PATH": f"{program.parent}:/usr/sbin:/usr/bin:/sbin:/bin",
            "SALTANT_ENGINES_EVERY": "0.2",
            "SALTANT_KILL_GRACE": "0.2",
        }
        with Up(folder / "data", "--concurrency", "20", environ=environ) as up:
            lab = Lab(up, folder, program)
            wait_until(lambda: "singularity" in lab.kinds, "the worker says that it runs containers")
            yield lab
        wait_until(lambda: not processes_with(str(folder)), "nothing of it is left")
        wait_until(lambda: mounts() <= before, "nothing of it is left mounted")
        assert list((folder / "data/work").iterdir()) == []


def test_a_container_from_its_submission_to_its_results(lab: Lab) -> None:
    command = "sh -c 'echo out; echo err >&2; echo mine >/logs/own.txt; echo r >/results/r.txt; exit 7'"
    job = lab.run(command, logs_path="/logs", results_path="/results")
    assert (job.state, job.reason, job.exit_code) == ("failed", "exited", 7), job.message
    assert job.image_digest is not None
    assert job.image_digest.startswith("sha256:")
    wait_until(lambda: len(job.log_files()) == 3, "its logs have come")
    assert (job.logs(), job.logs("stderr"), job.logs("own.txt")) == ("out\n", "err\n", "mine\n")
    assert [(result.name, result.size) for result in job.results()] == [("r.txt", 2)]


def test_twenty_at_once(lab: Lab) -> None:
    jobs = [lab.submit("sh -c 'sleep 0.2; exit 3'") for _ in range(20)]
    assert [job.wait_until_finished(0.02, timeout=START).exit_code for job in jobs] == [3] * 20


def test_terminate_ends_what_will_not_end_and_what_is_pulled(lab: Lab) -> None:
    job = lab.submit("/app/stubborn")
    assert next(iter(job.logs(follow=True))) == "ready\n"
    job.terminate()
    assert job.wait_until_finished(0.02, timeout=START).state == "terminated"
    assert processes_with(str(job.uuid)) == []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        image = f"docker://127.0.0.1:{silent.getsockname()[1]}/lab/tiny:1"
        job = lab.submit("true", image)
        wait_until(lambda: processes_with(image), "it is pulled")
        job.terminate()
        assert job.wait_until_finished(0.02, timeout=START).state == "terminated"
        assert job.datetime_started is None
        assert processes_with(image) == []
    assert list((lab.images / "data/images").glob("*.part")) == []


def test_what_cannot_be_had_is_told(lab: Lab) -> None:
    job = lab.run("true", str(lab.images / "none.sif"))
    assert (job.state, job.reason, job.exit_code) == ("failed", "image_pull_failed", None)
    assert "none.sif" in str(job.message)
    job = lab.run("nonesuch")
    assert (job.state, job.reason) == ("failed", "command_not_found")


def test_without_the_program_containers_wait_for_it(lab: Lab) -> None:
    target = lab.program.readlink()
    lab.program.unlink()
    wait_until(lambda: "singularity" not in lab.kinds, "the worker says that its engine is gone")
    job = lab.submit("true")
    wait_until(lambda: "Singularity" in str(job.sync().waiting), "it says what it waits for")
    lab.program.symlink_to(target)
    assert job.wait_until_finished(0.02, timeout=START).state == "successful"
    assert job.attempt == 1


def test_nothing_outlives_a_worker_that_is_killed(lab: Lab) -> None:
    job = lab.submit("/app/stubborn")
    assert next(iter(job.logs(follow=True))) == "ready\n"
    lab.up.kill()
    wait_until(lambda: not processes_with(str(job.uuid)), "its container is gone")
    lab.up.start()
    job = lab.up.client.container_task_instances.get(job.uuid)
    job.wait_until_finished(0.02, timeout=START)
    assert (job.state, job.reason in ("lost", "server_stopped")) == ("failed", True)
    assert lab.run("true").state == "successful"

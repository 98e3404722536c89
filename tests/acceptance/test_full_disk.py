"""A disk that fills up under a running `saltant up`."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from saltant import Client, ServerError
from tests.acceptance.system import Up, wait_until


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of our own."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_what_waits_runs_when_there_is_room_again_and_what_runs_is_not_given_up(disk: Path, tmp_path: Path) -> None:
    (disk / "data").mkdir()
    go, output = tmp_path / "go", tmp_path / "output.txt"
    with Up(disk / "data", "--concurrency", "2", environ={"SALTANT_LEASE": "2"}, output=output) as up:
        running = up.submit(up.executable(f"/bin/sh -c 'while [ ! -e {go} ]; do sleep 0.02; done'"))
        wait_until(lambda: running.sync().state == "running", "it runs")
        short, queue = up.executable("/bin/true"), up.client.task_queues.get(name="default")
        waiting = [up.submit(short) for _ in range(3)]
        impatient = Client(up.url, up.token, max_retries=0)
        filler = disk / "filler"
        fill(filler)
        with pytest.raises(ServerError) as refused:
            wait_until(
                lambda: impatient.executable_task_instances.create(short.id, queue.id) and False, "a request is refused"
            )
        assert refused.value.status_code == 503
        assert "disk" in str(refused.value)
        ready = requests.get(up.url.replace("/api/", "/readyz"), timeout=60)
        assert (ready.status_code, ready.json()["parts"]["disk"]) == (503, "The disk is full: nothing can be written.")

        filler.unlink()
        for job in waiting:
            assert job.wait_until_finished(0.05, timeout=60).state == "successful"
        assert running.sync().state == "running"
        go.touch()
        assert running.wait_until_finished(0.05, timeout=60).state == "successful"


def fill(file: Path) -> None:
    """Write until nothing more can be written."""
    with file.open("wb", buffering=0) as out:
        for size in (1 << 20, 1 << 12):
            try:
                while True:
                    out.write(b"x" * size)
            except OSError:
                continue

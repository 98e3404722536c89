"""kill -9 of `up`, of the launcher, of a shim, at any moment: nothing of a job is left, and its end is true."""

import contextlib
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from saltant.models.executable_task_instance import ExecutableTaskInstance
from tests.acceptance.system import Up, processes_of, wait_until

TREE = "'setsid sleep 600 & trap \"\" TERM; (sleep 600 &); echo ready; while :; do sleep 600; done'"
TRUE_ENDS = {("successful", "exited"), ("failed", "worker_error"), ("failed", "lost")}


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A `saltant up` to be hurt; each test leaves it running."""
    folder = tmp_path_factory.mktemp("kills") / "data"
    with Up(folder, "--concurrency", "4", environ={"SALTANT_KILL_GRACE": "0.2"}) as system:
        yield system


def watches(up: Up) -> list[int]:
    """The launcher, if it lives, and then the shims."""
    mark = b"SALTANT_LAUNCHER=" + os.fsencode(up.data_dir)
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append((parent_of(entry.name), int(entry.name)))
    assert up.process is not None
    return [pid for parent, pid in sorted(found, key=lambda each: (each[0] != up.process.pid, each))]


def parent_of(pid: int | str) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def launcher_of(up: Up) -> int:
    first = watches(up)[0]
    assert up.process is not None
    assert parent_of(first) == up.process.pid
    return first


def shim_of(up: Up, job: ExecutableTaskInstance) -> int:
    return next(parent for pid in processes_of(job.uuid) if (parent := parent_of(pid)) in watches(up))


def kill(*pids: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def start_trees(up: Up, count: int) -> list[ExecutableTaskInstance]:
    task_type = up.executable(f"/bin/sh -c {TREE}")
    jobs = [up.submit(task_type) for _ in range(count)]
    for job in jobs:
        log = up.data_dir / "logs" / job.uuid / f"{job.uuid}-stdout.txt"
        wait_until(lambda log=log: log.exists() and "ready" in log.read_text(), "it runs")
        assert len(list(processes_of(job.uuid))) >= 4
    return jobs


def end_of(up: Up, job: ExecutableTaskInstance) -> tuple[str, str]:
    ended = up.client.executable_task_instances.wait_until_finished(job.uuid, 0.02, timeout=60)
    assert ended.datetime_finished is not None
    assert list(processes_of(job.uuid)) == []
    return ended.state, ended.reason


def test_a_killed_launcher_takes_its_jobs_along(up: Up) -> None:
    jobs = start_trees(up, 2)
    kill(launcher_of(up))
    for job in jobs:
        assert end_of(up, job) == ("failed", "lost")
    assert up.run(up.executable("/bin/true")).state == "successful"


def test_a_killed_shim_takes_its_job_along_and_no_other(up: Up) -> None:
    first, second = start_trees(up, 2)
    kill(shim_of(up, first))
    assert end_of(up, first) == ("failed", "lost")
    assert "watched over it was killed" in first.sync().message
    assert second.sync().state == "running"
    second.terminate()
    assert end_of(up, second) == ("terminated", "cancelled")


def test_launcher_and_shims_killed_together(up: Up) -> None:
    up.run(up.executable("/bin/true"))
    jobs = start_trees(up, 2)
    kill(*watches(up))
    for job in jobs:
        assert end_of(up, job) == ("failed", "lost")
    assert up.run(up.executable("/bin/true")).state == "successful"


def test_a_killed_up_ends_its_jobs_before_it_is_started_again(up: Up) -> None:
    jobs = start_trees(up, 3)
    up.kill()
    for job in jobs:
        wait_until(lambda job=job: not list(processes_of(job.uuid)), "nothing of it is left")
    wait_until(lambda: not watches(up), "launcher and shims have gone")
    up.start()
    for job in jobs:
        assert end_of(up, job) == ("failed", "lost")


def test_all_killed_together_are_cleared_away_at_the_next_start(up: Up) -> None:
    jobs = start_trees(up, 2)
    assert up.process is not None
    kill(up.process.pid, *watches(up))
    up.kill()
    up.start()
    for job in jobs:
        assert end_of(up, job) == ("failed", "lost")


@pytest.mark.parametrize("seed", range(20))
def test_kills_right_after_a_submit(up: Up, tmp_path: Path, seed: int) -> None:
    moments = random.Random(seed)  # noqa: S311
    runs = tmp_path / "runs"
    runs.mkdir()
    victim = ["launcher", "shims", "launcher and shims", "up", "up and all"][seed % 5]
    text = f"echo x >> {runs}/$JOB_UUID; setsid sleep 600 & sleep 0.03"
    task_type = up.executable(f"/bin/sh -c '{text}'".replace("$JOB_UUID", '"$JOB_UUID"'))
    jobs = [up.submit(task_type) for _ in range(3)]
    time.sleep(moments.uniform(0, 0.05))  # the moment, not a wait for anything
    targets = watches(up)
    assert up.process is not None
    if "shims" not in victim and "all" not in victim:
        targets = targets[:1] if victim == "launcher" else []
    elif victim == "shims":
        targets = targets[1:]
    if "up" in victim:
        up.process.kill()
    kill(*targets)
    if "up" in victim:
        up.kill()
        up.start()
    for job in jobs:
        end = end_of(up, job)
        assert end in TRUE_ENDS
        count = (runs / job.uuid).read_text().count("x") if (runs / job.uuid).exists() else 0
        assert count <= 1
        assert end[0] != "successful" or count == 1
    assert up.run(up.executable("/bin/true")).state == "successful"

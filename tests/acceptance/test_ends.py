"""Every end is told truly, and nothing outlives it: timeouts, limits, attempts, and a hundred trees of a hundred."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from saltant.worker.cgroups import Cgroups
from tests.acceptance.conftest import SYSTEMS, make_site
from tests.acceptance.system import Site, processes_of, wait_until

WHY_NOT = Cgroups("/").why_not("memory")

TREES = {
    "setsid": "setsid sleep 600 & setsid sh -c 'setsid sleep 600 & sleep 600' & echo ready; wait",
    "twice": "(sleep 600 &); ((sleep 600 &) &); sh -c '(sleep 600 &)'; echo ready; sleep 600",
    "deaf": "trap '' TERM HUP INT; setsid sh -c 'while :; do sleep 600; done' & (sleep 600 &); echo ready; "
    "while :; do sleep 600; done",
    "stopped": "sleep 600 & kill -STOP $!; (setsid sleep 600 & kill -STOP $!); echo ready; kill -STOP $$",
}
HUNDREDS = """
i=0; while [ $i -lt 100 ]; do sleep 600 & setsid sh -c 'trap "" TERM; sleep 600' & i=$((i+1)); done; echo ready; wait
"""


@pytest.fixture(scope="module", params=SYSTEMS)
def quick(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A saltant that gives little grace and runs ten jobs at once."""
    folder = tmp_path_factory.mktemp("quick") / "data"
    with make_site(request.param, request, folder, concurrency=10, environ={"SALTANT_KILL_GRACE": "0.2"}) as site:
        yield site


def script(folder: Path, text: str, name: str = "script") -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return f"'{path}'"


def test_a_hundred_of_a_hundred_trees_are_ended(quick: Site, tmp_path: Path) -> None:
    types = [quick.executable(script(tmp_path, text, name)) for name, text in TREES.items()]
    hundreds = quick.executable(script(tmp_path, HUNDREDS, "hundreds"))
    ended = []
    for batch in range(10):
        jobs = [quick.submit(hundreds if (batch, n) == (3, 0) else types[(batch + n) % 4]) for n in range(10)]
        for job in jobs:
            wait_until(lambda job=job: log_of(quick, job.uuid) == "ready\n", "it runs")
        for job in jobs:
            job.terminate()
        for job in jobs:
            job.wait_until_finished(0.02, timeout=60)
            assert (job.state, job.reason) == ("terminated", "cancelled")
            assert job.datetime_finished is not None
        ended += jobs
    assert len(ended) == 100
    left = {job.uuid: pids for job in ended if (pids := list(processes_of(job.uuid)))}
    assert left == {}


def log_of(up: Site, uuid: str) -> str:
    path = up.data_dir / "logs" / uuid / f"{uuid}-stdout.txt"
    return path.read_text() if path.exists() else ""


@pytest.mark.parametrize("tree", TREES)
def test_a_timeout_ends_the_whole_tree(quick: Site, tmp_path: Path, tree: str) -> None:
    job = quick.run(quick.executable(script(tmp_path, TREES[tree]), timeout=0.5))
    assert (job.state, job.reason) == ("failed", "timed_out")
    assert "timeout of 0.5 s" in job.message
    assert list(processes_of(job.uuid)) == []


def test_what_ends_before_its_timeout_keeps_its_end(quick: Site) -> None:
    job = quick.run(quick.executable("/bin/sh -c 'exit 3'", timeout=3600))
    assert (job.state, job.reason, job.exit_code) == ("failed", "exited", 3)


@pytest.mark.skipif(WHY_NOT is not None, reason=f"no memory limits on this machine: {WHY_NOT}")
def test_too_much_memory_is_its_own_reason(quick: Site) -> None:
    hungry = quick.executable("/bin/sh -c 'x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done'", memory=32 << 20)
    job = quick.run(hungry)
    assert (job.state, job.reason) == ("failed", "out_of_memory")
    assert "32 MiB" in job.message
    assert job.peak_memory <= 32 << 20
    assert list(processes_of(job.uuid)) == []


@pytest.mark.skipif(WHY_NOT is None, reason="memory can be limited on this machine")
def test_a_memory_limit_that_cannot_be_kept_is_refused(quick: Site) -> None:
    job = quick.run(quick.executable("/bin/true", memory=32 << 20))
    assert (job.state, job.reason) == ("failed", "worker_error")
    assert "cannot limit memory" in job.message


def test_what_a_job_used_is_told(quick: Site) -> None:
    job = quick.run(quick.executable("/bin/sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; sleep 0.3'"))
    assert job.cpu_seconds > 0.01
    assert 100_000 < job.peak_memory < 16 << 20


def test_each_attempt_keeps_its_logs_and_results(quick: Site, tmp_path: Path) -> None:
    text = """
    echo "attempt $(cat {0} | wc -l)"; echo x >> {0}; ls "$JOB_RESULTS_DIRECTORY"; ls
    mkfifo "$JOB_RESULTS_DIRECTORY/pipe"; ln -s /nowhere "$JOB_RESULTS_DIRECTORY/link"
    cp {0} "$JOB_RESULTS_DIRECTORY/count"; chmod 0 "$JOB_RESULTS_DIRECTORY" "$JOB_LOGS_DIRECTORY"; exit 1
    """
    count = tmp_path / "count"
    count.touch()
    task_type = quick.executable(script(tmp_path, text.format(count)), max_attempts=3, retry_on="failed", retry_delay=0)
    job = quick.run(task_type)
    assert (job.state, job.attempt) == ("failed", 3)
    for number, name in enumerate([f"{job.uuid}.1", f"{job.uuid}.2", job.uuid]):
        logs, results = quick.data_dir / "logs" / name, quick.data_dir / "results" / name
        logs.chmod(0o700)
        results.chmod(0o700)
        assert (logs / f"{job.uuid}-stdout.txt").read_text() == f"attempt {number}\n"
        assert (results / "count").read_text() == "x\n" * (number + 1)

"""Servers and workers that are killed while jobs run: every end is true, and arrives."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from saltant.models.executable_task_instance import ExecutableTaskInstance
from tests.acceptance.cluster import Cluster
from tests.acceptance.conftest import make_site
from tests.acceptance.many import (
    HASTY,
    PATIENT,
    Gate,
    checked,
    end_of,
    has_process,
    wait_for_state,
    wait_until_running,
)
from tests.acceptance.system import wait_until

TREE = "/bin/sh -c 'setsid sleep 600 & trap \"\" TERM; (sleep 600 &); while :; do sleep 600; done'"


@pytest.fixture(scope="module")
def patient(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster in which no lease ends within a test."""
    yield from cluster_of(request, tmp_path_factory, PATIENT)


@pytest.fixture(scope="module")
def hasty(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with short leases."""
    yield from cluster_of(request, tmp_path_factory, HASTY)


def cluster_of(request: Any, folders: pytest.TempPathFactory, environ: dict[str, str]) -> Iterator[Cluster]:
    site = make_site("rabbitmq", request, folders.mktemp("losses") / "data", concurrency=2, environ=environ)
    assert isinstance(site, Cluster)
    with checked(site):
        yield site


def submit_tree(cluster: Cluster, **limits: Any) -> ExecutableTaskInstance:
    """A job of processes that do their best to survive, and that has begun."""
    job = cluster.submit(cluster.executable(TREE, **limits))
    wait_until_running(job)
    return job


@pytest.mark.parametrize("is_restarted", [False, True], ids=["worker lives on", "worker is killed too"])
def test_a_killed_server_is_told_later_what_ended_meanwhile(hasty: Cluster, is_restarted: bool) -> None:
    worker, gate = hasty.workers[0], Gate(hasty)
    began = datetime.now(UTC)
    job = gate.submit(exit_code=3)
    wait_until_running(job)
    hasty.kill_server()
    killed = datetime.now(UTC)
    assert has_process(job)
    gate.open()
    spooled = hasty.data_dir / "spool" / f"{job.uuid}.1.json"
    wait_until(spooled.exists, "its end is on the worker's disk")
    ended = datetime.now(UTC)
    assert not has_process(job)
    if is_restarted:
        worker.kill()
        worker.start(wait=False)
    hasty.start_server()
    assert (*end_of(job), job.exit_code, job.attempt) == ("failed", "exited", 3, 1)
    assert job.datetime_started is not None
    assert job.datetime_finished is not None
    assert began < job.datetime_started < killed < job.datetime_finished < ended
    wait_until(lambda: not spooled.exists(), "it is forgotten once it was told")
    if is_restarted:
        worker.wait_until_ready()
    assert hasty.run(hasty.executable("/bin/true")).state == "successful"


def test_a_job_that_runs_on_while_the_server_is_away_longer_than_a_lease(hasty: Cluster) -> None:
    gate = Gate(hasty)
    job = gate.submit(max_attempts=1)
    wait_until_running(job)
    hasty.kill_server()
    silent_since = datetime.now(UTC)
    wait_until(lambda: (datetime.now(UTC) - silent_since).total_seconds() > 3, "its lease would be over")
    hasty.start_server()
    wait_for_state(hasty, "worker-1", "online")
    assert has_process(job)
    gate.open()
    assert (*end_of(job), job.attempt) == ("successful", "exited", 1)


def test_a_killed_worker_leaves_no_process_and_is_found_lost(hasty: Cluster) -> None:
    jobs = [submit_tree(hasty), submit_tree(hasty, max_attempts=2)]
    hasty.workers[0].kill()
    for job in jobs:
        wait_until(lambda job=job: not has_process(job), "no process of it is left")
    wait_for_state(hasty, "worker-1", "lost")
    once, twice = jobs
    assert end_of(once) == ("failed", "lost")
    assert once.message == "Its worker was silent for longer than a lease lasts."
    other = hasty.start_worker(name="other")
    wait_until(lambda: twice.sync().attempt == 2 and twice.state == "running" and has_process(twice), "it runs again")
    twice.terminate()
    assert end_of(twice) == ("terminated", "cancelled")
    assert [(each.worker, each.reason) for each in twice.attempts()] == [("worker-1", "lost"), ("other", "cancelled")]
    assert other.stop() == 0
    hasty.workers[0].start()
    wait_for_state(hasty, "worker-1", "online")


def test_a_killed_worker_that_starts_anew_gives_up_at_once_what_it_held(patient: Cluster) -> None:
    worker = patient.workers[0]
    once, twice = submit_tree(patient), submit_tree(patient, max_attempts=2)
    assert worker.process is not None
    worker.kill()
    worker.start()
    for job in (once, twice):
        assert job.attempts()[0].message == "Its worker was stopped hard while it ran, and has started anew."
    assert end_of(once) == ("failed", "lost")
    assert not has_process(once)
    wait_until(lambda: twice.sync().attempt == 2 and twice.state == "running" and has_process(twice), "it runs again")
    twice.terminate()
    assert end_of(twice) == ("terminated", "cancelled")
    assert worker.is_running

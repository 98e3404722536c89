"""Servers and workers that are killed while jobs run: every end is true, and arrives."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.acceptance.cluster import Cluster
from tests.acceptance.conftest import make_site
from tests.acceptance.many import (
    HASTY,
    Gate,
    checked,
    end_of,
    has_process,
    submit_tree,
    wait_for_state,
    wait_until_running,
)
from tests.acceptance.system import wait_until


@pytest.fixture(scope="module")
def hasty(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with short leases; each test leaves it running."""
    folder = tmp_path_factory.mktemp("losses") / "data"
    site = make_site("rabbitmq", request, folder, concurrency=2, environ=HASTY)
    assert isinstance(site, Cluster)
    with checked(site):
        yield site


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
    other.kill()
    hasty.workers[0].start()
    wait_for_state(hasty, "worker-1", "online")

"""A server and two workers in three network namespaces, and a worker that is cut off while it runs jobs."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance import namespaces
from tests.acceptance.cluster import Cluster
from tests.acceptance.many import Gate, end_of, has_process, wait_for_state, wait_for_words, wait_until_running
from tests.acceptance.namespaces import Namespaces
from tests.acceptance.system import wait_until
from tests.services import PostgreSQL, RabbitMQ
from tests.services.fixtures import obtain

LEASE = 8.0
SETTINGS = {"SALTANT_LEASE": str(LEASE), "SALTANT_REPUBLISH": "1", "SALTANT_KILL_GRACE": "0.5"}

SILENT = "Its worker was silent for longer than a lease lasts."

WITNESS = """\
# Says when it is alive, and goes on though it is told to end: only SIGKILL stops it.
trap "" TERM
while [ ! -e {gate} ]; do
    date +"$$ %s.%N" >> {diary}
    sleep 0.02
done
"""


@pytest.fixture(scope="module")
def net() -> Iterator[Namespaces]:
    """The machines; the tests themselves are on the server's."""
    with namespaces.obtain("first", "second") as made, made.inside("server"):
        yield made


@pytest.fixture(scope="module")
def cluster(net: Namespaces, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A server with its database and broker on one machine, and `worker-1` on another, `first`."""
    host = net.addresses["server"]
    with obtain(PostgreSQL, host=host) as database, obtain(RabbitMQ, host=host) as broker:
        folder = tmp_path_factory.mktemp("partition") / "data"
        site = Cluster(folder, database_url=database.url, broker_url=broker.url, environ=SETTINGS, host=host)
        try:
            site.set_up()
            site.start_server()
            site.fill()
            worker = site.worker()
            with net.inside("first"):
                worker.start()
            yield site
        finally:
            site.kill()
        site.check_printed()


class Witness:
    """A job on the queue `default` that writes down when it is alive."""

    def __init__(self, cluster: Cluster, folder: Path, **limits: Any) -> None:
        self.diary, self.gate = folder / "diary", Gate(cluster)
        script = folder / "witness.sh"
        script.write_text(WITNESS.format(gate=self.gate.path, diary=self.diary))
        self.job = cluster.submit(cluster.executable(f"/bin/sh {script}", **limits))

    def moments(self) -> dict[str, list[float]]:
        """By process, in the order in which they began: when it was alive."""
        found: dict[str, list[float]] = {}
        for line in self.diary.read_text().splitlines():
            pid, moment = line.split()
            found.setdefault(pid, []).append(float(moment))
        return found


def takes_jobs(cluster: Cluster, worker: str) -> bool:
    """Whether a worker runs one of as many jobs as there are slots."""
    gate = Gate(cluster)
    workers = cluster.client.workers.list({"state": "online"})
    jobs = [gate.submit() for _ in range(sum(each.slots for each in workers))]
    wait_until_running(*jobs)
    gate.open()
    assert {end_of(job) for job in jobs} == {("successful", "exited")}
    return worker in {job.worker for job in jobs}


def silence(cluster: Cluster, worker: str) -> float:
    """For how many seconds the server has not heard of a worker."""
    return (datetime.now(UTC) - cluster.client.workers.get(worker).datetime_heartbeat).total_seconds()


def test_an_end_that_comes_before_the_lease_is_over_counts(cluster: Cluster, net: Namespaces) -> None:
    gate = Gate(cluster)
    job = gate.submit(exit_code=3)
    wait_until_running(job)
    net.cut_off("first")
    gate.open()
    wait_until(lambda: not has_process(job), "it has ended")
    wait_until(lambda: silence(cluster, "worker-1") > 0.4 * LEASE, "a heartbeat is missing")
    assert job.sync().state == "running"
    rejoined = datetime.now(UTC)
    net.join("first")
    assert (*end_of(job), job.exit_code, job.attempt) == ("failed", "exited", 3, 1)
    assert job.datetime_finished is not None
    assert job.datetime_finished < rejoined
    assert takes_jobs(cluster, "worker-1")


def test_no_two_attempts_run_at_once_and_late_ends_are_refused(
    cluster: Cluster, net: Namespaces, tmp_path: Path
) -> None:
    first = cluster.workers[0]
    retried, ends, goes_on = Witness(cluster, tmp_path, max_attempts=2), Gate(cluster), Gate(cluster)
    ended, outlived = ends.submit(), goes_on.submit()
    wait_until_running(retried.job, ended, outlived)
    second = cluster.worker(name="second")
    with net.inside("second"):
        second.start()
    net.cut_off("first")
    wait_until(lambda: len(retried.moments()) == 2, "another attempt runs")
    assert [each.worker for each in retried.job.attempts()] == ["worker-1", "second"]
    retried.gate.open()
    assert end_of(retried.job) == ("successful", "exited")
    lost, successful = retried.job.attempts()
    one, two = retried.moments().values()
    assert lost.datetime_finished is not None
    assert one[-1] < lost.datetime_finished.timestamp() < two[0]
    assert (lost.reason, lost.message) == ("lost", SILENT)
    assert (successful.reason, successful.exit_code) == ("exited", 0)

    for job in (ended, outlived):
        assert (*end_of(job), job.message) == ("failed", "lost", SILENT)
        assert has_process(job)
    ends.open()
    wait_until(lambda: not has_process(ended), "it ends, though nobody hears of it")
    wait_for_state(cluster, "worker-1", "lost")
    net.join("first")
    for job in (retried.job, ended, outlived):
        wait_for_words(first, f"{job.uuid}: the server had given attempt 1 up.")
    assert not has_process(outlived)
    assert [(job.sync().state, job.reason, job.message) for job in (ended, outlived)] == [
        ("failed", "lost", SILENT)
    ] * 2
    assert end_of(retried.job) == ("successful", "exited")
    wait_for_state(cluster, "worker-1", "online")
    assert takes_jobs(cluster, "worker-1")
    assert [worker.stop() for worker in (first, second)] == [0, 0]
    with net.inside("first"):
        first.start()
    assert takes_jobs(cluster, "worker-1")

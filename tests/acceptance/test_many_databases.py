"""A database that is killed, and one of two server processes that is: the site goes on."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
import requests

from tests.acceptance.cluster import Cluster
from tests.acceptance.many import HASTY, Gate, checked, end_of, has_process, wait_for_state, wait_until_running
from tests.acceptance.system import START, wait_until
from tests.services import PostgreSQL, RabbitMQ
from tests.services.fixtures import obtain

LEADS = """
    SELECT client_port FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND datname = current_database()
"""


@pytest.fixture(scope="module")
def database() -> Iterator[PostgreSQL]:
    """A database to be killed."""
    with obtain(PostgreSQL) as made:
        yield made


@pytest.fixture(scope="module")
def cluster(database: PostgreSQL, rabbitmq: RabbitMQ, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster over that database; each test leaves it running."""
    folder = tmp_path_factory.mktemp("databases") / "data"
    site = Cluster(
        folder,
        database_url=database.new_database(),
        broker_url=rabbitmq.new_url(),
        environ=HASTY,
        concurrency=2,
    )
    with checked(site):
        yield site


def leader(cluster: Cluster) -> int | None:
    """The server process that sweeps, if one does at this moment."""
    with psycopg.connect(cluster.server_environ["SALTANT_DATABASE_URL"]) as connection:
        ports = [row[0] for row in connection.execute(LEADS)]
    for pid in cluster.server_processes():
        with suppress(OSError):
            if set(ports) & ports_of(pid):
                return pid
    return None


def ports_of(pid: int) -> set[int]:
    """The local ports of a process's connections."""
    links = [str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir()]
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return {int(row[1].split(":")[1], 16) for row in rows if f"socket:[{row[9]}]" in links}


def status_of(cluster: Cluster, method: str = "GET") -> int:
    """What the server answers to somebody who asks for users, or for something with a body."""
    headers = {"Authorization": f"Token {cluster.token}"}
    path = "users/" if method == "GET" else "executabletaskinstances/"
    return requests.request(method, cluster.url + path, headers=headers, json={}, timeout=START).status_code


def test_a_database_that_is_killed_and_started_again(cluster: Cluster, database: PostgreSQL) -> None:
    served = cluster.server_processes()
    ends, goes_on = Gate(cluster), Gate(cluster)
    ended, runs = ends.submit(exit_code=3), goes_on.submit()
    wait_until_running(ended, runs)
    assert status_of(cluster) == 200
    database.kill()
    assert [status_of(cluster, method) for method in ("GET", "POST")] == [503, 503]
    ends.open()
    wait_until((cluster.data_dir / "spool" / f"{ended.uuid}.1.json").exists, "its end is on the worker's disk")
    before = datetime.now(UTC)
    database.start()
    wait_until(lambda: status_of(cluster) == 200, "it answers again")
    assert (*end_of(ended), ended.exit_code, ended.attempt) == ("failed", "exited", 3, 1)
    assert ended.datetime_finished is not None
    assert ended.datetime_finished < before
    assert has_process(runs)
    goes_on.open()
    assert (*end_of(runs), runs.attempt) == ("successful", "exited", 1)
    assert cluster.server_processes() == served
    assert cluster.run(cluster.executable("/bin/true")).state == "successful"


def test_a_killed_server_process_leaves_its_work_to_the_other(cluster: Cluster) -> None:
    wait_until(lambda: len(cluster.server_processes()) == 2, "two processes serve")
    other = cluster.start_worker("--queue", "spare-0", name="other")
    queue = cluster.client.task_queues.get(name="spare-0")
    gate = Gate(cluster)
    jobs = [gate.submit(queue) for _ in range(4)]
    wait_until_running(*jobs)
    lost = [job for job in jobs if job.worker == "other"]
    assert lost
    wait_until(lambda: leader(cluster), "somebody leads")
    leads = leader(cluster)
    assert leads is not None
    os.kill(leads, signal.SIGKILL)
    other.kill()
    assert {status_of(cluster) for _ in range(20)} == {200}
    wait_until(lambda: leader(cluster) not in (None, leads), "another one leads")
    wait_for_state(cluster, "other", "lost")
    for job in lost:
        assert (*end_of(job), job.message) == ("failed", "lost", "Its worker was silent for longer than a lease lasts.")
    gate.open()
    assert {end_of(job) for job in jobs if job not in lost} <= {("successful", "exited")}
    wait_until(lambda: len(cluster.server_processes()) == 2, "two processes serve again")

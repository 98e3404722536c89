"""Workers that cannot be, or cannot go on as they were: each says why, in a sentence."""

import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.acceptance.cluster import Cluster, Program
from tests.acceptance.conftest import make_site
from tests.acceptance.many import (
    HASTY,
    Gate,
    checked,
    end_of,
    has_process,
    queue_of_its_own,
    wait_for_state,
    wait_for_words,
    wait_until_running,
)
from tests.acceptance.system import START, wait_until
from tests.acceptance.test_full_disk import disk, fill
from tests.services.fixtures import absent

__all__ = ["disk"]

WRONG = "wr0ng-secret"


@pytest.fixture(scope="module")
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster that stays as it is; its one good worker goes on."""
    folder, environ = tmp_path_factory.mktemp("bad") / "data", HASTY | {"SALTANT_LEASE": "12"}
    site = make_site("rabbitmq", request, folder, environ=environ)
    assert isinstance(site, Cluster)
    with checked(site):
        yield site
        assert WRONG not in site.printed()
        assert site.workers[0].is_running


def refused(worker: Program) -> str:
    """The one line in which a worker says why it does not start."""
    worker.start(wait=False)
    assert worker.process is not None
    assert worker.process.wait(START) == 1
    [line] = [line for line in worker.output.read_text().splitlines() if line.startswith("Error: ")]
    return line


@pytest.mark.parametrize(
    ("key", "says"),
    [
        (WRONG * 3, "Set SALTANT_WORKER_TOKEN to a key that is valid: `saltant token create"),
        ("", "A worker needs a token: SALTANT_WORKER_TOKEN, or --token-file FILE"),
        ("two words", "holds characters that no token has"),
        ("the admin's", "Give it a worker's token for all of its queues: `saltant token create"),
    ],
    ids=["wrong", "missing", "no token", "a person's"],
)
def test_a_token_that_lets_no_worker_in(cluster: Cluster, key: str, says: str) -> None:
    key = cluster.token if key == "the admin's" else key
    assert says in refused(cluster.worker(environ={"SALTANT_WORKER_TOKEN": key}))


def test_a_token_of_another_queue(cluster: Cluster) -> None:
    queue, _ = queue_of_its_own(cluster)
    said = refused(cluster.worker("--queue", queue.name))
    assert f"This token is not for the queue '{queue.name}'" in said
    assert f"`saltant token create admin --role worker --queue {queue.name}` makes a token that is." in said


def test_a_name_that_is_taken(cluster: Cluster) -> None:
    said = refused(cluster.worker("--name", "worker-1", name="impostor"))
    assert "A worker named 'worker-1' is at work on" in said
    assert "give this one another --name" in said
    assert cluster.client.workers.get("worker-1").state == "online"


def test_a_folder_that_is_taken(cluster: Cluster) -> None:
    said = refused(cluster.worker("--data-dir", str(cluster.data_dir), name="guest"))
    assert f"Another worker is using {cluster.data_dir}. Stop it, or choose another --data-dir." in said


@pytest.mark.parametrize(
    ("place", "why"), [("/proc/saltant", "No such file or directory"), ("/etc/hostname/saltant", "Not a directory")]
)
def test_a_folder_that_cannot_be(cluster: Cluster, place: str, why: str) -> None:
    assert f"The folder {place} cannot be used: {why}." in refused(cluster.worker("--data-dir", place))


def test_a_folder_that_cannot_be_written(cluster: Cluster, disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    said = refused(cluster.worker("--data-dir", str(disk)))
    assert f"The folder {disk} cannot be used: Read-only file system." in said


def test_a_server_that_cannot_be_reached(cluster: Cluster) -> None:
    worker = cluster.worker("--server", f"http://user:{WRONG}@127.0.0.1:1/")
    worker.start(wait=False)
    wait_for_words(worker, "The server cannot be reached yet: ")
    assert "127.0.0.1:1" in worker.output.read_text()
    assert worker.stop() == 0


def test_a_broker_that_cannot_be_reached(cluster: Cluster) -> None:
    worker = cluster.start_worker(environ={"SALTANT_BROKER_URL": f"amqp://user:{WRONG}@127.0.0.1:1/site"})
    wait_for_words(worker, "127.0.0.1:1")
    wait_for_words(worker, "Trying again.")
    assert worker.stop() == 0


def test_a_token_that_is_revoked_while_a_job_runs(cluster: Cluster) -> None:
    queue, environ = queue_of_its_own(cluster)
    options = ("--queue", queue.name, "--concurrency", "1")
    worker = cluster.start_worker(*options, name="revoked", environ=environ)
    gate = Gate(cluster)
    job = gate.submit(queue, exit_code=3)
    wait_until_running(job)
    rows = [line.split() for line in cluster.saltant("token", "list", "admin").splitlines()]
    number = max(int(row[0]) for row in rows if row[0].isdecimal())
    cluster.saltant("token", "revoke", str(number))
    wait_for_words(worker, "The server cannot be reached: ")
    assert has_process(job)
    gate.open()
    wait_until((cluster.folder / "revoked" / "spool" / f"{job.uuid}.1.json").exists, "its end is on the worker's disk")
    worker.kill()
    token = cluster.saltant("token", "create", "admin", "--role", "worker", "--queue", queue.name).strip()
    worker.environ["SALTANT_WORKER_TOKEN"] = token
    worker.start()
    assert (*end_of(job), job.exit_code, job.attempt) == ("failed", "exited", 3, 1)
    worker.kill()


def test_a_full_disk(cluster: Cluster, disk: Path) -> None:
    queue, environ = queue_of_its_own(cluster)
    options = ("--queue", queue.name, "--concurrency", "2", "--data-dir", str(disk / "data"))
    worker = cluster.start_worker(*options, environ=environ)
    gate = Gate(cluster)
    runs = gate.submit(queue, exit_code=3)
    wait_until_running(runs)
    filler = disk / "filler"
    fill(filler)
    task_type = cluster.executable("/bin/true", json_file_option="--file")
    arguments = {"text": "x" * 10_000}
    fails = cluster.client.executable_task_instances.create(task_type.id, queue.id, arguments)
    assert end_of(fails) == ("failed", "worker_error")
    assert fails.message is not None
    assert "No space left on device" in fails.message
    assert has_process(runs)

    cluster.kill_server()
    gate.open()
    wait_for_words(worker, f"{runs.uuid}: its end (exited) cannot be kept on disk")
    cluster.start_server()
    assert (*end_of(runs), runs.exit_code, runs.attempt) == ("failed", "exited", 3, 1)
    filler.unlink()
    again = fails.clone()
    assert end_of(again) == ("successful", "exited")
    worker.kill()


@pytest.fixture
def skewed(cluster: Cluster) -> Iterator[timedelta]:
    """The server's clock is wrong by so much, or the workers' is: nobody can tell."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        absent["faketime"] = "the library libfaketime is not installed"
        pytest.skip("libfaketime is not installed.")
    cluster.kill_server()
    environ = cluster.server.environ
    skew = {"LD_PRELOAD": str(found[-1]), "FAKETIME": "-3600", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    cluster.server.environ = environ | skew
    try:
        cluster.start_server()
        yield timedelta(hours=-1)
    finally:
        cluster.kill_server()
        cluster.server.environ = environ
        cluster.start_server()


def test_a_clock_that_is_wrong(cluster: Cluster, skewed: timedelta) -> None:
    worker, gate = cluster.workers[0], Gate(cluster)
    wait_for_words(worker, "s ahead of the server's: set it, by NTP.")
    job = gate.submit()
    wait_until_running(job)
    gate.open()
    assert end_of(job) == ("successful", "exited")
    assert job.datetime_started is not None
    assert job.datetime_finished is not None
    little = timedelta(minutes=1)
    assert -little < job.datetime_started - job.datetime_created < little
    assert -little < job.datetime_finished - job.datetime_started < little
    wait_for_state(cluster, "worker-1", "online")

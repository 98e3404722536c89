"""Workers, priorities and limits, through the SDK and the command line, on a real `saltant up`."""

import json
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from saltant import BadRequest, Client, NotFound, PermissionDenied
from tests.acceptance.system import SALTANT, Up, wait_until


@pytest.fixture
def quick_up(tmp_path: Path) -> Iterator[Up]:
    """One whose worker is heard of every half second."""
    with Up(tmp_path / "data", "--concurrency", "1", environ={"SALTANT_LEASE": "2"}) as system:
        yield system


def saltant(up: Up, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [*SALTANT, *words, "--data-dir", str(up.data_dir)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_its_own_worker_is_online_and_tells_what_it_runs(own_up: Up) -> None:
    [worker] = own_up.client.workers.list({"state": "online", "queue": "default"})
    assert (worker.user, worker.queues, worker.slots, worker.running) == (None, None, 2, [])
    assert "executable" in worker.kinds
    assert worker.datetime_announced.tzinfo is not None
    job = own_up.submit(own_up.executable("sleep 600"))
    wait_until(lambda: job.sync().state == "running", "it runs")
    [running] = worker.sync().running
    assert (running.uuid, running.name, running.attempt) == (job.uuid, "", 1)
    job.terminate()
    job.wait_until_finished(0.02, timeout=60)
    assert worker.sync().running == []
    with pytest.raises(NotFound):
        own_up.client.workers.get("nobody")


def test_a_drained_worker_takes_nothing_until_it_is_started_again(quick_up: Up) -> None:
    task_type = quick_up.executable("true")
    assert quick_up.run(task_type).state == "successful"
    [worker] = quick_up.client.workers.iterate()
    assert worker.drain().state == "draining"
    wait_until(lambda: worker.sync().state == "stopped", "the worker heard of it, and had nothing to finish")
    job = quick_up.submit(task_type)
    assert job.sync().waiting == "No worker serves the queue 'default' now."
    assert quick_up.stop() == 0
    quick_up.start()
    [worker] = quick_up.client.workers.list()
    assert worker.state == "online"
    again = quick_up.client.executable_task_instances.get(job.uuid)
    assert again.wait_until_finished(0.02, timeout=60).state == "successful"


def test_a_user_drains_no_worker_of_others(own_up: Up) -> None:
    name = f"user-{uuid.uuid4()}"
    assert saltant(own_up, "user", "create", name, "--no-password").returncode == 0
    key = saltant(own_up, "token", "create", name).stdout.strip()
    [worker] = Client(own_up.url, key).workers.list()
    with pytest.raises(PermissionDenied):
        worker.drain()


def test_what_has_the_higher_priority_runs_first(quick_up: Up, tmp_path: Path) -> None:
    """On one slot, which is taken while the others come."""
    go = tmp_path / "go"
    task_type = quick_up.executable(f"/bin/sh -c 'until [ -e {go} ]; do sleep 0.02; done'", priority=3)
    queue = quick_up.client.task_queues.get(name="default")
    submit = quick_up.client.executable_task_instances.create
    first = submit(task_type.id, queue.id)
    wait_until(lambda: first.sync().state == "running", "the slot is taken")
    jobs = [submit(task_type.id, queue.id, name=str(priority), priority=priority) for priority in (0, 9, 4)]
    usual = submit(task_type.id, queue.id)
    assert [each.priority for each in (*jobs, usual)] == [0, 9, 4, 3]
    go.touch()
    done = [each.wait_until_finished(0.02, timeout=60) for each in (*jobs, usual)]
    claimed = {each.priority: each.attempts()[0].datetime_claimed for each in done}
    assert sorted(claimed, key=lambda priority: claimed[priority]) == [9, 4, 3, 0]  # type: ignore[arg-type, return-value]


def test_limits_of_queues_and_users(own_up: Up) -> None:
    client = own_up.client
    queue = client.task_queues.create("narrow", max_running=1)
    queue.description = "of one"
    assert queue.put().max_running == 1
    assert client.task_queues.patch(queue.id, max_running=None).max_running is None
    with pytest.raises(BadRequest) as refused:
        client.task_queues.patch(queue.id, max_running=0)
    assert list(refused.value.field_errors) == ["max_running"]
    admin = client.users.get("admin")
    assert admin.limit(5).max_running == 5
    assert saltant(own_up, "user", "limit", "admin", "7").returncode == 0
    assert admin.sync().max_running == 7
    assert saltant(own_up, "user", "limit", "admin", "none").returncode == 0
    assert admin.sync().max_running is None
    for wrong in ("0", "-1", "1.5", "many", str(2**31)):
        said = saltant(own_up, "user", "limit", "admin", "--", wrong)
        assert said.returncode != 0
        assert "Traceback" not in said.stderr
    assert saltant(own_up, "user", "limit", "nobody", "1").returncode != 0
    log = [json.loads(line) for line in saltant(own_up, "audit", "--json").stdout.splitlines()]
    assert [each["details"] for each in log if each["object_kind"] == "user" and each["action"] == "update"]

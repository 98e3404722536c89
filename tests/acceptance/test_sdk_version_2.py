"""What the SDK does with a server of version 2, and what it says to one of version 1."""

import pytest

from saltant import BadRequest, Client, UnsupportedByServer
from tests.acceptance.system import Site, wait_until
from tests.acceptance.test_sdk_types import fresh

pytestmark = pytest.mark.everywhere


@pytest.fixture
def old(up: Site) -> Client:
    """A client of a server that knows version 1 alone."""
    client = Client(up.url, up.token)
    client.session.headers["Accept"] = "application/json"
    client._transport.server_version = 1
    client._transport._data = _without_version(client._transport._data)  # type: ignore[method-assign]
    return client


def _without_version(read):  # type: ignore[no-untyped-def]
    def data(answer, method):  # type: ignore[no-untyped-def]
        answer.headers.pop("Saltant-Version", None)
        return read(answer, method)

    return data


def test_limits_of_types_and_instances(up: Site) -> None:
    task_type = up.executable("sleep 600", timeout=0.3, max_attempts=2, retry_on="failed", retry_delay=0)
    assert (task_type.timeout, task_type.max_attempts, task_type.memory) == (0.3, 2, None)
    job = up.run(task_type)
    assert (job.state, job.reason, job.attempt, job.timeout) == ("failed", "timed_out", 2, 0.3)
    attempts = job.attempts()
    assert [(each.number, each.reason) for each in attempts] == [(1, "timed_out"), (2, "timed_out")]
    assert attempts[0].datetime_claimed is not None
    assert attempts[0].datetime_claimed.tzinfo is not None

    task_type.timeout = None
    task_type.retry_on = "lost"
    task_type.put()
    assert up.client.executable_task_types.get(task_type.id).timeout is None
    queue = up.client.task_queues.get(name="default")
    own = up.client.executable_task_instances.create(task_type.id, queue.id, timeout=0.2)
    own.wait_until_finished(0.02, timeout=60)
    assert (own.reason, own.attempt) == ("timed_out", 1)


def test_how_containers_are_run(up: Site, old: Client) -> None:
    types = up.client.container_task_types
    made = types.create(fresh("type"), "true", "image", "docker", network="none", container_user="1000:100", gpus=2)
    assert (made.pull_policy, made.network, made.container_user, made.gpus) == ("if_missing", "none", "1000:100", 2)
    assert (made.read_only_root, made.shm_size, made.memory) == (False, None, None)
    made.shm_size, made.read_only_root, made.gpus = 2**26, True, None
    made.put()
    kept = types.get(made.id)
    assert (kept.shm_size, kept.read_only_root, kept.network, kept.gpus) == (2**26, True, "none", None)
    kept.shm_size = None
    kept.put()
    assert types.get(made.id).shm_size is None
    assert types.put(made.id, kept.name, "", "true", [], [], {}, "", "", "other", "docker").network == "none"
    with pytest.raises(BadRequest, match="use Docker"):
        types.create(fresh("type"), "true", "image", "singularity", shm_size=2**26)
    with pytest.raises(TypeError, match="pull_policies"):
        types.create(fresh("type"), "true", "image", "docker", pull_policies="never")  # type: ignore[call-arg]
    seen = old.container_task_types.get(made.id)
    assert (seen.network, seen.gpus) == (None, None)
    seen.description = "what version 1 does not know stays"
    seen.put()
    assert types.get(made.id).network == "none"
    with pytest.raises(UnsupportedByServer, match="network of containers"):
        old.container_task_types.create(fresh("type"), "true", "image", "docker", network="none")


def test_a_mistyped_limit_is_told_before_anything_is_sent(up: Site) -> None:
    with pytest.raises(TypeError, match="time_out"):
        up.client.executable_task_types.create(fresh("type"), "true", time_out=5)  # type: ignore[call-arg]


def test_a_paused_queue_keeps_what_it_gets(up: Site) -> None:
    queue = up.own_queue()
    assert queue.pause().paused
    job = up.client.executable_task_instances.create(up.executable("true").id, queue.id)
    wait_until(lambda: "paused" in (job.sync().waiting or ""), "it says that its queue is paused")
    assert not queue.resume().paused
    assert job.wait_until_finished(0.02, timeout=60).state == "successful"
    assert queue.pause().paused
    queue.description = "still paused"
    assert queue.put().paused


def test_adding_to_a_whitelist_keeps_what_others_added(up: Site) -> None:
    mine = up.client.task_whitelists.create(fresh("list"))
    one, two = (up.client.executable_task_types.create(fresh("type"), "true") for _ in range(2))
    up.client.task_whitelists.add(mine.id, executable_task_types=[one.id])
    mine.add(executable_task_types=[two.id])
    assert mine.whitelisted_executable_task_types == [one.id, two.id]
    mine.remove(executable_task_types=[one.id])
    assert mine.whitelisted_executable_task_types == [two.id]


def test_a_server_of_version_1_is_asked_for_nothing_it_lacks(up: Site, old: Client) -> None:
    task_type = old.executable_task_types.create(fresh("type"), "true")
    queue = old.task_queues.create(fresh("queue"))
    assert queue.paused is None
    for act in (
        lambda: old.executable_task_types.create(fresh("type"), "true", timeout=5),
        lambda: queue.pause(),
        lambda: old.executable_task_instances.create(task_type.id, queue.id, memory=10**9),
        lambda: old.executable_task_instances.attempts("0b0c84f5-3d7d-4a8d-9f2a-1f2b3c4d5e6f"),
    ):
        with pytest.raises(UnsupportedByServer, match="version 1"):
            act()
    mine = old.task_whitelists.create(fresh("list"))
    assert mine.add(executable_task_types=[task_type.id]).whitelisted_executable_task_types == [task_type.id]
    assert mine.remove(executable_task_types=[task_type.id]).whitelisted_executable_task_types == []
    task_type.description = "changed"
    assert task_type.put().description == "changed"

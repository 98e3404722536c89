"""A queue that is renamed while a worker serves it: nothing is lost, and who was started before goes on."""

import uuid

import pytest

from tests.acceptance.cluster import Cluster
from tests.acceptance.many import Gate, end_of, queue_of_its_own, wait_for_state, wait_until_running
from tests.acceptance.system import wait_until

ENDED_WELL = ("successful", "exited")


@pytest.fixture(params=["site_rabbitmq", "site_redis"])
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """The clusters of all tests, in which no ticket is sent again that soon."""
    site: Cluster = request.getfixturevalue(request.param)
    return site


def test_a_queue_is_renamed_while_its_worker_runs(cluster: Cluster) -> None:
    queue, environ = queue_of_its_own(cluster)
    old, new = queue.name, f"renamed-{uuid.uuid4()}"
    names = [f"{which}-{uuid.uuid4()}" for which in ("first", "second", "third")]
    first = cluster.start_worker("--queue", old, "--concurrency", "1", name=names[0], environ=environ)
    gate = Gate(cluster)
    running = gate.submit(queue)
    wait_until_running(running)
    waiting = [gate.submit(queue) for _ in range(2)]  # their tickets are out by now, or will be
    wait_until(lambda: all(each.sync().state == "published" for each in waiting), "they are sent")

    cluster.client.task_queues.patch(queue.id, name=new)
    waiting.append(gate.submit(queue))
    assert cluster.client.workers.get(names[0]).queues == [new]
    assert waiting[0].sync().waiting == "It waits for a free slot on a worker."
    gate.open()
    assert {end_of(each) for each in (running, *waiting)} == {ENDED_WELL}
    assert {each.sync().worker for each in (running, *waiting)} == {names[0]}

    # Another queue takes the name, with a worker of its own. The first worker stays with what it was started for.
    whitelist = cluster.client.task_whitelists.get(name="default")
    other = cluster.client.task_queues.create(old, whitelists=[whitelist.id])
    token = cluster.saltant("token", "create", "admin", "--role", "worker", "--queue", old).strip()
    second = cluster.start_worker("--queue", old, name=names[1], environ={"SALTANT_WORKER_TOKEN": token})
    # And a worker that comes later says the queue's new name; its token is the one of before.
    third = cluster.start_worker("--queue", new, name=names[2], environ=environ)
    theirs, ours = [gate.submit(other) for _ in range(3)], [gate.submit(queue) for _ in range(6)]
    assert {end_of(each) for each in (*theirs, *ours)} == {ENDED_WELL}
    assert {each.sync().worker for each in theirs} == {names[1]}
    assert {each.sync().worker for each in ours} <= {names[0], names[2]}
    first.stop()
    wait_for_state(cluster, names[0], "stopped")
    last = gate.submit(queue)
    assert end_of(last) == ENDED_WELL
    assert last.sync().worker == names[2]
    for program in (second, third):
        program.stop()

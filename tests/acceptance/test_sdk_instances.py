"""The SDK's task instances, against a real server and its worker."""

import uuid
from typing import Any

import pytest

from saltant import NotFound, State
from saltant.exceptions import BadRequest, PartialFailure, WaitTimeout
from saltant.models.executable_task_type import ExecutableTaskType
from tests.acceptance.system import START, Site
from tests.acceptance.test_sdk_types import fresh

pytestmark = pytest.mark.everywhere


@pytest.fixture(scope="module")
def sleeper(up: Site) -> ExecutableTaskType:
    return up.executable("sleep 600")


def test_an_instance_from_birth_to_end(up: Site) -> None:
    task_type = up.executable(
        "echo", required_arguments=["who", "times"], required_arguments_default_values={"times": 2}
    )
    queue = up.client.task_queues.get(name="default")
    instances = up.client.executable_task_instances
    arguments: dict[str, Any] = {"who": "ü & 'quoted' \"\n"}
    made = instances.create(task_type.id, queue.id, arguments, name="my run")
    assert arguments == {"who": "ü & 'quoted' \"\n"}
    assert (made.name, made.task_type, made.task_queue) == ("my run", task_type.id, queue.id)
    assert made.arguments == arguments | {"times": 2}

    done = instances.wait_until_finished(uuid.UUID(made.uuid), 0.01, timeout=START)
    assert done == made
    assert (done.state, done.is_finished) == (State.SUCCESSFUL, True)
    assert done.datetime_finished is not None
    assert done.datetime_finished >= done.datetime_created
    assert up.client.server_version == 2
    assert (done.exit_code, done.signal, done.attempt) == (0, None, 1)
    assert done.reason == "exited"
    assert done.datetime_started is not None

    assert made.wait_until_finished(0.01) is made
    assert made.state == instances.get(made.uuid).state == "successful"
    assert made.sync() is made
    assert made.terminate().state == "successful", "a finished one stays as it is"


def test_a_clone(up: Site) -> None:
    made = up.run(up.executable("false"))
    assert (made.state, made.exit_code) == ("failed", 1)
    clone = made.clone()
    assert clone != made
    assert (clone.task_type, clone.arguments) == (made.task_type, made.arguments)
    assert clone.wait_until_finished(0.01, timeout=START).state == "failed"
    first, second = up.client.executable_task_instances.clone_many([made.uuid, clone.uuid])
    assert len({made, clone, first, second}) == 4


def test_a_wait_gives_up_and_terminate_ends_it(up: Site, sleeper: ExecutableTaskType) -> None:
    made = up.submit(sleeper)
    with pytest.raises(WaitTimeout) as caught:
        made.wait_until_finished(0.01, timeout=0.05)
    assert caught.value.instance is made
    assert not made.is_finished
    assert made.terminate() is made
    assert made.wait_until_finished(0.01, timeout=START).state == "terminated"
    assert made.reason == "cancelled"


def test_many(up: Site, sleeper: ExecutableTaskType) -> None:
    instances = up.client.executable_task_instances
    made = [up.submit(sleeper), up.submit(sleeper)]
    missing = str(uuid.uuid4())
    with pytest.raises(PartialFailure) as caught:
        instances.terminate_many([made[0].uuid, missing, made[1].uuid])
    assert caught.value.succeeded == made
    assert {uuid: type(error) for uuid, error in caught.value.failed.items()} == {missing: NotFound}
    for each in made:
        assert each.wait_until_finished(0.01, timeout=START).state == "terminated"
    with pytest.raises(PartialFailure) as caught:
        instances.clone_many([missing, "no-uuid"])
    assert caught.value.failed.keys() == {missing, "no-uuid"}


def test_what_is_not_there(up: Site) -> None:
    for instances in (up.client.executable_task_instances, up.client.container_task_instances):
        for missing in (str(uuid.uuid4()), "no-uuid", "a/b"):
            with pytest.raises(NotFound):
                instances.get(missing)
            with pytest.raises(NotFound):
                instances.clone(missing)
            with pytest.raises(NotFound):
                instances.terminate(missing)
            with pytest.raises(NotFound):
                instances.wait_until_finished(missing)


def test_what_is_refused(up: Site) -> None:
    instances, queue = up.client.executable_task_instances, up.client.task_queues.get(name="default")
    with pytest.raises(BadRequest) as caught:
        instances.create(987654321, queue.id)
    assert caught.value.field_errors == {"task_type": ['Invalid pk "987654321" - object does not exist.']}
    with pytest.raises(BadRequest) as caught:
        instances.create(up.executable("echo", required_arguments=["who"]).id, queue.id)
    assert caught.value.field_errors.keys() == {"non_field_errors"}
    assert "who" in str(caught.value)
    unlisted = up.client.executable_task_types.create(fresh(), "echo")
    with pytest.raises(BadRequest):
        instances.create(unlisted.id, queue.id)


def test_a_container_instance_waits_and_says_why(up: Site) -> None:
    task_type = up.client.container_task_types.create(fresh(), "run", "ubuntu", "docker")
    whitelist = up.client.task_whitelists.create(fresh("w"), whitelisted_container_task_types=[task_type.id])
    queue = up.client.task_queues.create(fresh("q"), whitelists=[whitelist.id])
    made = up.client.container_task_instances.create(task_type.id, queue.id, name="n")
    assert not made.is_finished
    assert made.sync().waiting
    assert made in up.client.container_task_instances.list({"task_queue": queue.id})
    assert made.clone() != made
    assert made.terminate().state == "terminated"

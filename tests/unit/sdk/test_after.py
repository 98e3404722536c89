"""What clients say of instances that start after others."""

from typing import Any
from uuid import UUID

import pytest

from saltant import Client, exceptions
from saltant.models import _many
from saltant.models.dependency import TaskDependency
from tests.unit.sdk.conftest import Scripted, instance, page

V2 = {"Saltant-Version": "2"}
ONE, OTHER = str(UUID(int=1)), str(UUID(int=2))
DEPENDENCY = {"uuid": ONE, "task_class": "container", "name": "n", "condition": "any", "state": "running"}


def test_one_is_made(server: Scripted, client_2: Client) -> None:
    manager = client_2.executable_task_instances
    server.say(instance(uuid=ONE), 201, **V2)
    job = manager.create(1, 2)
    assert "after" not in server.requests[-1].body
    for after, after_any, said in [
        (job, None, [ONE]),
        ([job, UUID(OTHER)], OTHER, [ONE, OTHER, {"uuid": OTHER, "condition": "any"}]),
        ((each for each in [OTHER]), [], [OTHER]),
        ([], [job], [{"uuid": ONE, "condition": "any"}]),
    ]:
        server.say(instance(), 201, **V2)
        manager.create(1, 2, after=after, after_any=after_any)
        assert server.requests[-1].body["after"] == said


@pytest.mark.parametrize("after", [3, [3], [None], [True], [b"x"], object()])
def test_what_is_no_instance(server: Scripted, client_2: Client, after: Any) -> None:
    with pytest.raises(TypeError, match="Starts after a task instance or its UUID, not"):
        client_2.executable_task_instances.create(1, 2, after=after)
    assert not server.requests


def test_items_of_many(server: Scripted, client_2: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_many, "LARGEST", 100)  # items that name others stay together
    manager = client_2.executable_task_instances
    ids = {"task_type_id": 1, "task_queue_id": 2}
    server.say({"results": [{"instance": instance(uuid=ONE)}, {"instance": instance(uuid=OTHER)}]}, **V2)
    manager.create_many([{**ids, "after": [1], "after_any": ONE}, {**ids, "after_any": [0]}])
    [request] = server.requests
    assert [each["after"] for each in request.body["instances"]] == [
        [1, {"uuid": ONE, "condition": "any"}],
        [{"item": 0, "condition": "any"}],
    ]
    monkeypatch.setattr(_many, "MOST", 1)
    with pytest.raises(ValueError, match="name others by index are 1 at most, not 2"):
        manager.create_many([{**ids, "after": [1]}, ids])
    with pytest.raises(TypeError, match=r"The task instance at index 0: .*index of another one, not 1\.5"):
        manager.create_many([{**ids, "after": 1.5}])
    assert len(server.requests) == 1


def test_what_it_waits_for_and_what_waits_for_it(server: Scripted, client_2: Client) -> None:
    for body in ([DEPENDENCY | {"newer": 1}], [], [{"uuid": ONE}]):
        server.say(body, **V2)
    found = client_2.container_task_instances.after(OTHER)
    assert found == [TaskDependency(ONE, "container", "n", "any", "running")]
    assert server.requests[-1].path == f"/api/containertaskinstances/{OTHER}/after/"
    assert client_2.executable_task_instances.dependents(OTHER) == []
    assert server.requests[-1].path == f"/api/executabletaskinstances/{OTHER}/dependents/"
    with pytest.raises(exceptions.UnexpectedResponse, match="no list of task instances"):
        client_2.executable_task_instances.after(OTHER)


def test_a_server_of_version_1(server: Scripted, client: Client) -> None:
    manager = client.executable_task_instances
    for act in (
        lambda: manager.create(1, 2, after=ONE),
        lambda: manager.create_many([{"task_type_id": 1, "task_queue_id": 2, "after_any": ONE}]),
        lambda: manager.after(ONE),
        lambda: manager.dependents(ONE),
    ):
        server.say(page())
        with pytest.raises(exceptions.UnsupportedByServer, match="has no instances that start after others"):
            act()
        assert {each.method for each in server.requests} == {"GET"}

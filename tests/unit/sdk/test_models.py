"""Models and managers, one by one."""

import copy
import inspect
import pickle
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from saltant import Client, exceptions
from saltant.models.base_task_instance import BaseTaskInstance
from saltant.models.executable_task_instance import ExecutableTaskInstance
from saltant.models.resource import Model
from saltant.models.task_queue import TaskQueue
from tests.unit.sdk.conftest import Answer, Scripted, executable_type, instance, page, queue, quick_client

MOMENT = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
MANAGERS = [
    "container_task_instances",
    "container_task_types",
    "executable_task_instances",
    "executable_task_types",
    "schedules",
    "task_queues",
    "task_whitelists",
    "users",
    "workers",
]
ARGUMENTS: dict[str, list[Any]] = {
    "download_results": ["folder"],
    "set_labels": [{}],
    "rename": ["x"],
    "restore": [1],
    "pin": [{}],
}
DELEGATES = {"sync": "get", "patch": "put"}
"""The model methods that use a manager method of another name: documented so."""


@pytest.mark.parametrize("name", MANAGERS)
def test_models_delegate_to_their_manager(name: str) -> None:
    manager = getattr(quick_client("http://127.0.0.1:1/"), name)
    own = [method for method, _ in inspect.getmembers(manager.model, inspect.isfunction) if method[0] != "_"]
    assert "sync" in own
    for method in own:
        calls: list[str] = []

        class Spy(type(manager)):  # type: ignore[misc]
            def __getattribute__(self, attribute: str) -> Any:
                found = object.__getattribute__(self, attribute)
                if inspect.isfunction(getattr(type(manager), attribute, None)) and attribute[0] != "_":
                    calls.append(attribute)  # noqa: B023
                    return lambda *args, **options: model  # noqa: B023
                return found

        model = object.__new__(manager.model)
        names = [p for p in inspect.signature(manager.model.__init__).parameters if p not in ("self", "unknown")]
        model.__dict__.update(dict.fromkeys(names), manager=Spy(manager._client), extra={})
        assert getattr(model, method)(*ARGUMENTS.get(method, ())) is model
        assert calls == [DELEGATES.get(method, method)]
        assert callable(getattr(manager, method, None)) or method == "sync"


def test_an_instance(server: Scripted, client: Client) -> None:
    server.say(instance(arguments={"a": [1, None, "ü"]}, state="failed", datetime_finished="2024-05-06T09:00:00+02:00"))
    found = client.executable_task_instances.get(UUID("0b0c84f5-3d7d-4a8d-9f2a-1f2b3c4d5e6f"))
    assert server.requests[0].path == "/api/executabletaskinstances/0b0c84f5-3d7d-4a8d-9f2a-1f2b3c4d5e6f/"
    assert type(found) is ExecutableTaskInstance
    assert (found.state, found.user, found.task_queue, found.task_type) == ("failed", "ada", 1, 2)
    assert found.arguments == {"a": [1, None, "ü"]}
    assert found.datetime_created == MOMENT
    assert found.datetime_finished == datetime(2024, 5, 6, 7, 0, tzinfo=UTC)
    assert found.is_finished
    assert (found.reason, found.message, found.exit_code, found.waiting) == (None, None, None, None)
    expected = "ExecutableTaskInstance(uuid='0b0c84f5-3d7d-4a8d-9f2a-1f2b3c4d5e6f', name='', state='failed')"
    assert repr(found) == expected


def test_what_version_2_adds(server: Scripted, client: Client) -> None:
    server.say(instance(reason="exited", message="It ended.", exit_code=3, datetime_started="2024-05-06T07:08:09Z"))
    found = client.executable_task_instances.get("x")
    assert (found.reason, found.message, found.exit_code) == ("exited", "It ended.", 3)
    assert found.datetime_started == MOMENT.replace(microsecond=0)


def test_what_a_newer_server_adds(server: Scripted, client: Client) -> None:
    news = {"colour": "red", "sync": 1, "manager": 2, "self": 3, "extra": {"a": 1}}
    server.say(instance(state="paused", **news))
    found = client.executable_task_instances.get("x")
    assert found.extra == news
    assert found.colour == "red"  # type: ignore[attr-defined]
    assert found.manager is client.executable_task_instances
    assert callable(found.sync)
    assert not found.is_finished
    with pytest.raises(AttributeError, match="color"):
        found.color  # type: ignore[attr-defined]  # noqa: B018
    for twin in (copy.copy(found), copy.deepcopy(found), pickle.loads(pickle.dumps(found))):  # noqa: S301
        assert twin == found
        assert twin.colour == "red"  # type: ignore[union-attr]


def test_an_unknown_state_with_an_end_is_finished(server: Scripted, client: Client) -> None:
    server.say(instance(state="skipped", datetime_finished="2024-05-06T07:08:09Z"))
    assert client.executable_task_instances.wait_until_finished("x").state == "skipped"


@pytest.mark.parametrize("broken", [{"uuid": 1}, {}, instance(datetime_created="noon"), [], 1])
def test_data_of_something_else(server: Scripted, client: Client, broken: Any) -> None:
    server.say(broken)
    with pytest.raises(exceptions.UnexpectedResponse, match="no ExecutableTaskInstance"):
        client.executable_task_instances.get("x")


def test_response_data_is_not_changed(client: Client) -> None:
    data = instance()
    assert client.executable_task_instances.response_data_to_model_instance(data).datetime_created == MOMENT
    assert data == instance()
    both = client.executable_task_instances.response_data_to_model_instances_list([data, data])
    assert both == client.executable_task_instances.response_data_to_model_instances_list(page(data, data))


def test_constructors_take_the_documented_arguments_in_order(client: Client) -> None:
    made = ExecutableTaskInstance("u", "n", "created", "ada", 1, 2, MOMENT, None, {}, client.executable_task_instances)
    assert (made.uuid, made.name, made.state, made.task_queue, made.task_type) == ("u", "n", "created", 1, 2)
    made_queue = TaskQueue(1, "ada", "q", "d", True, False, True, False, True, [1], client.task_queues)
    assert (made_queue.private, made_queue.runs_executable_tasks, made_queue.active) == (True, False, True)


@pytest.mark.parametrize("manager", ["task_queues", "executable_task_types"])
def test_what_can_be_archived(server: Scripted, client: Client, manager: str) -> None:
    acts = getattr(client, manager)
    for act in (acts.archive, acts.unarchive, acts.delete):
        server.script = [Answer(page())]
        with pytest.raises(exceptions.UnsupportedByServer, match="version 1"):
            act(7)
    client._transport.server_version = 2
    made = queue if manager == "task_queues" else executable_type
    body = made(id=7, datetime_archived="2024-05-06T07:08:09Z")
    server.script = [Answer(body, headers={"Saltant-Version": "2"})]
    thing = acts.archive(7)
    assert server.requests[-1].path.endswith("/7/archive/")
    assert (thing.archived, thing.datetime_archived) == (True, MOMENT.replace(microsecond=0))
    server.script = [Answer(body | {"datetime_archived": None}, headers={"Saltant-Version": "2"})]
    assert thing.unarchive() is thing
    assert not thing.archived
    server.script = [Answer(None, 204, headers={"Saltant-Version": "2"})]
    assert thing.delete() is thing
    assert (server.requests[-1].method, server.requests[-1].path[-3:]) == ("DELETE", "/7/")


def test_equality(server: Scripted, client: Client) -> None:
    def made(id: int, of: Client, **fields: Any) -> TaskQueue:
        return of.task_queues.response_data_to_model_instance(queue(id=id, **fields))

    assert made(1, client) == made(1, client, name="other")
    assert made(1, client) == made(1, quick_client(server.url))
    assert made(1, client) != made(2, client)
    assert made(1, client) != made(1, quick_client("http://127.0.0.1:1/"))
    assert made(1, client) != client.executable_task_types.response_data_to_model_instance(executable_type(id=1))
    assert made(1, client) != 1
    assert len({made(1, client), made(1, client), made(2, client)}) == 2


@pytest.mark.parametrize("manager", ["task_queues", "task_whitelists", "executable_task_types", "container_task_types"])
def test_get_wants_an_id_or_a_name(client: Client, manager: str) -> None:
    for wrong in ({}, {"id": 1, "name": "a"}):
        with pytest.raises(ValueError, match="either"):
            getattr(client, manager).get(**wrong)


def test_get_by_name(server: Scripted, client: Client) -> None:
    server.say(page(queue(name="a,b & c")))
    assert client.task_queues.get(name="a,b & c").id == 1
    assert server.requests[0].query == {"name": "a,b & c", "page_size": "2"}


@pytest.mark.parametrize(
    ("name", "answer", "told"),
    [
        ("no", page(), "No TaskQueue"),
        ("", page(queue(), queue(id=2, name="")), None),
        ("", page(queue(), queue(id=2, name="x")), "No TaskQueue"),
        ("no", page(queue(name="no"), queue(id=2, name="no")), "More than one"),
    ],
)
def test_get_by_a_name_that_not_one_has(
    server: Scripted, client: Client, name: str, answer: Any, told: str | None
) -> None:
    server.say(answer)
    if told is None:
        assert client.task_queues.get(name=name).id == 2
        return
    with pytest.raises(exceptions.NotFound, match=told) as caught:
        client.task_queues.get(name=name)
    assert caught.value.status_code == 404


def test_get_of_an_unknown_id(server: Scripted, client: Client) -> None:
    server.say({"detail": "Not found."}, 404)
    with pytest.raises(exceptions.NotFound, match=r"GET http.*taskqueues/9/ answered 404: Not found\."):
        client.task_queues.get(9)


def test_sync_updates_in_place(server: Scripted, client: Client) -> None:
    server.say(queue(colour="red"))
    server.say(queue(name="new", whitelists=[]))
    found = client.task_queues.get(1)
    assert found.sync() is found
    assert (found.name, found.whitelists, found.extra) == ("new", [], {})


def test_put_and_patch_of_a_model_leave_it_as_saved(server: Scripted, client: Client) -> None:
    server.say(queue())
    server.say(queue(name="trimmed"))
    found = client.task_queues.get(1)
    found.name, found.whitelists = " trimmed ", []
    assert found.put() is found
    assert found.name == "trimmed"
    assert found.patch() is found
    sent = {key: value for key, value in queue().items() if key not in ("id", "user")}
    assert [request.method for request in server.requests] == ["GET", "PUT", "PUT"]
    assert server.requests[1].body == sent | {"name": " trimmed ", "whitelists": []}
    assert server.requests[1].headers["content-type"] == "application/json"


def test_patch_sends_what_is_given(server: Scripted, client: Client) -> None:
    server.say(queue())
    client.task_queues.patch(1, whitelists=[])
    client.task_queues.patch(1, active=False)
    client.task_queues.patch(1, description="", whitelists=(1, 2))
    assert [request.body for request in server.requests] == [
        {"whitelists": []},
        {"active": False},
        {"description": "", "whitelists": [1, 2]},
    ]


def test_none_in_put_empties(server: Scripted, client: Client) -> None:
    server.say(executable_type())
    client.executable_task_types.put(3, "n", "d", "c", None, None, None, None, {"more": 1})
    assert server.requests[0].body == {
        "name": "n",
        "description": "d",
        "command_to_run": "c",
        "environment_variables": [],
        "required_arguments": [],
        "required_arguments_default_values": {},
        "json_file_option": None,
        "more": 1,
    }


def test_create_of_a_container_type(server: Scripted, client: Client) -> None:
    extra = {"logs_path": "/l", "results_path": "/r", "container_image": "i", "container_type": "docker"}
    body = executable_type(**extra)
    del body["json_file_option"]
    server.say(body, 201)
    made = client.container_task_types.create("n", "c", "i", "docker", logs_path="/l", extra_data_to_post={"more": 1})
    assert (made.logs_path, made.container_type, repr(made)) == (
        "/l",
        "docker",
        "ContainerTaskType(id=3, name='greet')",
    )
    sent = server.requests[0].body
    assert (sent["results_path"], sent["container_image"], sent["more"]) == ("", "i", 1)


def test_create_clone_and_terminate(server: Scripted, client: Client) -> None:
    server.say(instance(uuid="a"), 201)
    server.say(instance(uuid="b"), 201)
    server.say(instance(uuid="a", state="terminated"), 202)
    made = client.container_task_instances.create(2, 1, {"a": 1}, name="n")
    assert made.clone().uuid == "b"
    assert made.terminate() is made
    assert made.state == "terminated"
    assert server.requests[0].body == {"task_type": 2, "task_queue": 1, "arguments": {"a": 1}, "name": "n"}
    paths = [f"{request.method} {request.path}" for request in server.requests]
    assert paths == [
        "POST /api/containertaskinstances/",
        "POST /api/containertaskinstances/a/clone/",
        "POST /api/containertaskinstances/a/terminate/",
    ]


def test_every_attribute_is_documented() -> None:
    names = inspect.signature(BaseTaskInstance.__init__).parameters
    for name in [name for name in names if name not in ("self", "unknown")]:
        assert f"        {name} (" in (BaseTaskInstance.__doc__ or "")
    assert "extra (dict)" in (Model.__doc__ or "")

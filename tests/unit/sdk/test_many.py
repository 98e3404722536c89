"""Making, cloning and terminating many, and what a sweep makes of arguments."""

import pickle
from typing import Any
from uuid import UUID

import pytest

import saltant
from saltant import Client, exceptions
from saltant.models import _many
from tests.unit.sdk.conftest import Answer, Request, Scripted, instance, page

V2 = {"Saltant-Version": "2"}


def uuid_of(number: int) -> str:
    """A UUID."""
    return str(UUID(int=number))


def jobs(count: int) -> list[dict[str, Any]]:
    """What `create_many` takes; each one's argument `n` is its number."""
    return [{"task_type_id": 2, "task_queue_id": 1, "arguments": {"n": n}} for n in range(count)]


def outcome(body: dict[str, Any]) -> dict[str, Any]:
    """What a server makes of one: it takes no multiples of 5 but 0."""
    number = body["arguments"]["n"]
    if number and number % 5 == 0:
        return {"errors": {"arguments": [f"{number} is none."]}, "status": 400}
    return {"instance": instance(uuid=uuid_of(number), arguments=body["arguments"], reason=None)}


def makes(request: Request) -> Answer:
    """What a server of version 2 answers, or one of version 1, by what it is asked."""
    if request.method == "GET":
        return Answer(page())
    if request.path.endswith("/many/"):
        return Answer({"results": [outcome(each) for each in request.body["instances"]]}, headers=V2)
    said = outcome(request.body)
    if "instance" in said:
        del said["instance"]["reason"]
        return Answer(said["instance"], 201)
    return Answer(said["errors"], said["status"])


def test_one_request_makes_all(server: Scripted, client_2: Client) -> None:
    server.decide = makes
    items = [*jobs(4), {"task_type_id": 2, "task_queue_id": 1, "name": "x", "arguments": {"n": 4}, "timeout": 3}]
    made = client_2.executable_task_instances.create_many(iter(items))
    assert [each.uuid for each in made] == [uuid_of(n) for n in range(5)]
    [request] = server.requests
    assert request.path == "/api/executabletaskinstances/many/"
    assert request.headers["idempotency-key"]
    assert request.body["all_or_nothing"] is False
    wanted = {"name": "x", "task_type": 2, "task_queue": 1, "arguments": {"n": 4}, "timeout": 3}
    assert request.body["instances"][4] == wanted
    assert client_2.executable_task_instances.create_many([]) == []
    assert len(server.requests) == 1


@pytest.mark.parametrize("version", [1, 2])
def test_what_failed_is_told_by_its_index(
    server: Scripted, client: Client, version: int, request: pytest.FixtureRequest
) -> None:
    if version == 2:
        request.getfixturevalue("client_2")
    server.decide = makes
    with pytest.raises(
        exceptions.ManyFailed, match=r"^2 of 12 task instances failed; the first: .*5 is none\.$"
    ) as caught:
        client.executable_task_instances.create_many(jobs(12))
    failure = pickle.loads(pickle.dumps(caught.value))  # noqa: S301
    assert list(failure.errors) == [5, 10]
    assert isinstance(failure.errors[5], exceptions.BadRequest)
    assert failure.errors[10].field_errors == {"arguments": ["10 is none."]}
    assert [each and each.arguments["n"] for each in failure.instances] == [
        0, 1, 2, 3, 4, None, 6, 7, 8, 9, None, 11
    ]  # fmt: skip
    assert len(failure.succeeded) == 10
    assert list(failure.failed) == ["5", "10"]
    assert isinstance(failure, exceptions.PartialFailure)


def test_more_than_one_request_holds(server: Scripted, client_2: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_many, "MOST", 4)
    server.decide = makes
    with pytest.raises(exceptions.ManyFailed) as caught:
        client_2.executable_task_instances.create_many(jobs(10))
    assert [len(request.body["instances"]) for request in server.requests] == [4, 4, 2]
    assert list(caught.value.errors) == [5]
    server.requests.clear()
    monkeypatch.setattr(_many, "LARGEST", 300)
    large = [{**each, "arguments": {"n": n, "x": "y" * 300}} for n, each in enumerate(jobs(3))]
    assert len(client_2.executable_task_instances.create_many(large)) == 3
    assert len(server.requests) == 3


def test_a_later_request_that_fails_loses_nothing(
    server: Scripted, client_2: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_many, "MOST", 2)
    server.decide = lambda request: makes(request) if len(server.requests) == 1 else Answer("crash", 500)
    with pytest.raises(exceptions.ManyFailed) as caught:
        client_2.executable_task_instances.create_many(jobs(5))
    assert len(server.requests) == 2, "the server is in trouble: nothing more is sent"
    assert [each.uuid for each in caught.value.succeeded] == [uuid_of(0), uuid_of(1)]
    assert {index: type(error) for index, error in caught.value.errors.items()} == dict.fromkeys(
        [2, 3, 4], exceptions.ServerError
    )
    server.decide = lambda request: Answer({"detail": "Invalid token."}, 401, V2)
    with pytest.raises(exceptions.AuthenticationError):
        client_2.executable_task_instances.create_many(jobs(5))


def test_all_or_nothing(server: Scripted, client_2: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    manager = client_2.executable_task_instances
    errors = {"index": 1, "errors": {"detail": "Not found."}, "status": 404}
    server.say({"detail": "Nothing was done, as 1 of 2 cannot be.", "failed": [errors]}, 400, Saltant_Version="2")
    with pytest.raises(exceptions.ManyFailed, match="1 of 2") as caught:
        manager.clone_many(["a", "b"], all_or_nothing=True)
    assert server.requests[0].body == {"uuids": ["a", "b"], "all_or_nothing": True}
    assert (caught.value.instances, caught.value.succeeded) == ([None, None], [])
    assert isinstance(caught.value.errors[1], exceptions.NotFound)
    assert list(caught.value.failed) == ["b"]
    server.script = [Answer({"uuids": ["Give a list."]}, 400, V2)]
    with pytest.raises(exceptions.BadRequest, match="Give a list"):
        manager.clone_many(["a", "b"], all_or_nothing=True)
    monkeypatch.setattr(_many, "MOST", 1)
    with pytest.raises(ValueError, match="1 at most"):
        manager.create_many(jobs(2), all_or_nothing=True)


def test_a_server_of_version_1_cannot_do_all_or_nothing(server: Scripted, client: Client) -> None:
    server.decide = makes
    with pytest.raises(exceptions.UnsupportedByServer):
        client.executable_task_instances.create_many(jobs(2), all_or_nothing=True)
    assert [request.method for request in server.requests] == ["GET"]


def test_clones_and_terminations(server: Scripted, client_2: Client) -> None:
    results = [
        {"instance": instance(uuid=uuid_of(1))},
        {"errors": {"detail": "Not found."}, "status": 404},
        {"errors": {"detail": "You do not have permission to perform this action."}, "status": 403},
    ]
    server.say({"results": results}, Saltant_Version="2")
    for act in ("clone", "terminate"):
        many: Any = getattr(client_2.container_task_instances, f"{act}_many")
        with pytest.raises(exceptions.ManyFailed) as caught:
            many([UUID(int=1), "b", "c"])
        assert server.requests[-1].path == f"/api/containertaskinstances/{act}/"
        assert server.requests[-1].body["uuids"] == [uuid_of(1), "b", "c"]
        kinds = {uuid: type(error) for uuid, error in caught.value.failed.items()}
        assert kinds == {"b": exceptions.NotFound, "c": exceptions.PermissionDenied}
        with pytest.raises(TypeError, match="a list"):
            many(uuid_of(1))


@pytest.mark.parametrize("act", ["clone", "terminate", "get", "attempts", "logs", "results"])
def test_an_instance_stands_for_its_uuid(server: Scripted, client_2: Client, act: str) -> None:
    server.say(instance(uuid=uuid_of(1)), Saltant_Version="2")
    manager = client_2.executable_task_instances
    job = manager.get(uuid_of(1))
    server.script = [Answer({}, 404, V2)]
    with pytest.raises(exceptions.NotFound):
        getattr(manager, act)(job)
    assert server.requests[-1].path.startswith(f"/api/executabletaskinstances/{uuid_of(1)}/")


@pytest.mark.parametrize("act", ["clone_many", "terminate_many", "wait_many", "as_completed"])
def test_instances_stand_for_their_uuids(server: Scripted, client_2: Client, act: str) -> None:
    server.say(instance(uuid=uuid_of(1)), Saltant_Version="2")
    manager = client_2.executable_task_instances
    job, done = manager.get(uuid_of(1)), instance(uuid=uuid_of(1), state="successful")
    server.script = [Answer({"results": [{"instance": done}], "finished": [done]}, headers=V2)]
    assert [each.uuid for each in getattr(manager, act)([job])] == [uuid_of(1)]
    assert server.requests[-1].body["uuids"] == [uuid_of(1)]
    for alone in (job, UUID(int=1)):
        with pytest.raises(TypeError, match="a list"):
            getattr(manager, act)(alone)


def test_a_server_of_version_2_that_is_too_old(server: Scripted, client_2: Client) -> None:
    def decide(request: Request) -> Answer:
        answer = Answer({"detail": "Not allowed."}, 405) if request.path.endswith("/many/") else makes(request)
        answer.headers = V2
        return answer

    server.decide = decide
    assert len(client_2.executable_task_instances.create_many(jobs(3))) == 3
    assert len(server.requests) == 4


@pytest.mark.parametrize("body", [[], {}, {"results": []}, {"results": [7]}, {"results": [{}]}, {"results": None}])
def test_an_answer_that_is_none(server: Scripted, client_2: Client, body: Any) -> None:
    server.say(body, Saltant_Version="2")
    with pytest.raises(exceptions.UnexpectedResponse, match="no answer about many"):
        client_2.executable_task_instances.create_many(jobs(1))


@pytest.mark.parametrize(
    ("more", "said"), [({"colour": "red"}, "'colour' is no argument"), ({"task_type": 1}, "'task_type'")]
)
def test_a_mistyped_name_sends_nothing(server: Scripted, client_2: Client, more: Any, said: str) -> None:
    with pytest.raises(TypeError, match=f"at index 1: .*{said}"):
        client_2.executable_task_instances.create_many([jobs(1)[0], jobs(1)[0] | more])
    with pytest.raises(TypeError, match=r"^The task instance at index 0: 'task_queue_id' is missing$"):
        client_2.executable_task_instances.create_many([{"task_type_id": 1}])
    assert server.requests == []


def test_a_mistyped_name_is_told_all_that_there_are(client_2: Client) -> None:
    rest = r"labels, after, after_any, revision, timeout, .*gpus$"
    with pytest.raises(TypeError, match=f"'nonsens' is no argument: these are task_type_id, .*name, {rest}"):
        client_2.executable_task_instances.create_many([jobs(1)[0] | {"nonsens": 1}])
    nonsense: Any = {"nonsens": 1}
    with pytest.raises(TypeError, match=f"'nonsens' is no argument: these are {rest}"):
        client_2.executable_task_instances.create(1, 1, **nonsense)


def test_a_grid() -> None:
    made = saltant.sweep({"a": [1, 2], "b": range(3)}, task_type_id=4, task_queue_id=5, fixed={"a": 0, "c": 9}, cpus=2)
    assert [(each["arguments"]["a"], each["arguments"]["b"]) for each in made] == [
        (a, b) for a in (1, 2) for b in range(3)
    ]
    assert made[0] == {
        "task_type_id": 4, "task_queue_id": 5, "arguments": {"a": 1, "b": 0, "c": 9}, "name": "", "cpus": 2
    }  # fmt: skip
    assert saltant.sweep({"a": []}, task_type_id=1, task_queue_id=1) == []


def test_a_table() -> None:
    rows = iter([{"file": "a b"}, {"file": "c"}])
    made = saltant.sweep(rows, task_type_id=4, task_queue_id=5, name="on {file}")
    assert [(each["name"], each["arguments"]) for each in made] == [
        ("on a b", {"file": "a b"}),
        ("on c", {"file": "c"}),
    ]


@pytest.mark.parametrize("arguments", [{"a": "text"}, {"a": 1}, {"a": {"b": 1}}, ["text"], [1]])
def test_what_is_neither(arguments: Any) -> None:
    with pytest.raises(TypeError, match=r"list of values|row"):
        saltant.sweep(arguments, task_type_id=1, task_queue_id=1)


@pytest.mark.parametrize("name", ["{b}", "{0}", "{", "{a.b}", "{a[0]}", "{none:3d}", "{text[9]}"])
def test_a_name_that_cannot_be(name: str) -> None:
    with pytest.raises(ValueError, match="The name"):
        saltant.sweep([{"a": 1, "none": None, "text": "x"}], task_type_id=1, task_queue_id=1, name=name)


def test_a_mistyped_option() -> None:
    with pytest.raises(TypeError, match=r"'tiemout' is no argument: .*labels, .*timeout"):
        saltant.sweep({"a": [1]}, task_type_id=1, task_queue_id=1, tiemout=3)
    [made] = saltant.sweep({"a": [1]}, task_type_id=1, task_queue_id=1, timeout=3, labels={"x": "y"}, after="u")
    assert (made["timeout"], made["labels"], made["after"]) == (3, {"x": "y"}, "u")

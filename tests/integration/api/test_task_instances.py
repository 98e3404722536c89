"""executabletaskinstances/ and containertaskinstances/: making and reading them."""

import json
from typing import Any
from uuid import UUID

import pytest

from saltant.server.tasks.models import TaskInstance, TaskQueue
from tests.integration.conftest import V2, Cast, Client, World

UNKNOWN = "8f7a4c1e-93d5-4c39-8f0e-2b6d0a7c5e11"

EXECUTABLES, CONTAINERS = "/api/executabletaskinstances/", "/api/containertaskinstances/"
KEYS = [
    "uuid",
    "user",
    "name",
    "state",
    "datetime_created",
    "datetime_finished",
    "arguments",
    "task_queue",
    "task_type",
]


def ids(world: World, **more: Any) -> dict[str, Any]:
    """The two ids that an instance needs."""
    return {"task_queue": world.queue.id, "task_type": world.executable.id, **more}


def test_exact_body(owner: Client, world: World) -> None:
    instance = world.instance
    created = instance.datetime_created.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    body = (
        f'{{"uuid":"{instance.uuid}","user":"owner","name":"first","state":"created","datetime_created":"{created}",'
        '"datetime_finished":null,"arguments":{"text": "a", "language": "en"},'
        f'"task_queue":{world.queue.id},"task_type":{world.executable.id}}}'
    )
    assert owner.get(f"{EXECUTABLES}{instance.uuid}/").content.decode() == body
    assert owner.get(f"{EXECUTABLES}{instance.uuid}").content.decode() == body
    assert owner.get(EXECUTABLES).content.decode() == f'{{"count":1,"next":null,"previous":null,"results":[{body}]}}'


@pytest.mark.parametrize("send", ["form", "json"])
def test_create(owner: Client, world: World, send: str) -> None:
    arguments = {"text": "b"}
    sent = ids(world, name="n", arguments=json.dumps(arguments) if send == "form" else arguments)
    answer = getattr(owner, send)("POST", EXECUTABLES, sent)
    assert answer.status_code == 201
    body = answer.json()
    assert list(body) == KEYS
    assert UUID(body["uuid"])
    assert (body["user"], body["name"], body["state"], body["datetime_finished"]) == ("owner", "n", "created", None)
    assert body["arguments"] == {"text": "b", "language": "en"}, "defaults are filled in"
    assert owner.get(f"{EXECUTABLES}{body['uuid']}/").json() == body
    assert owner.get(EXECUTABLES).json()["results"][0] == body, "newest first"


def test_create_with_next_to_nothing(owner: Client, world: World) -> None:
    sent = {"task_queue": world.queue.id, "task_type": world.container.id}
    body = owner.form("POST", CONTAINERS, sent).json()
    assert (body["name"], body["arguments"]) == ("", {})


def test_a_container_type_is_no_executable_type(owner: Client, world: World) -> None:
    answer = owner.form("POST", EXECUTABLES, ids(world, task_type=world.container.id))
    assert answer.status_code == 400
    assert answer.json() == {"task_type": [f'Invalid pk "{world.container.id}" - object does not exist.']}
    assert owner.get(f"{CONTAINERS}{world.instance.uuid}/").status_code == 404
    assert len(owner.get(CONTAINERS).json()["results"]) == 1


def test_read_only_keys_are_ignored(owner: Client, world: World) -> None:
    sent = ids(world, arguments={"text": ""}, state="failed", user="admin", uuid=UNKNOWN, datetime_finished="x")
    body = owner.json("POST", EXECUTABLES, sent).json()
    assert (body["state"], body["user"], body["datetime_finished"]) == ("created", "owner", None)
    assert body["uuid"] != sent["uuid"]


REQUIRED = ["This field is required."]


@pytest.mark.parametrize(
    ("change", "errors"),
    [
        ({"task_queue": None}, {"task_queue": ["This field may not be null."]}),
        ({"task_queue": 10**20}, {"task_queue": [f'Invalid pk "{10**20}" - object does not exist.']}),
        ({"task_queue": "x"}, {"task_queue": ["Incorrect type. Expected pk value, received str."]}),
        ({"task_queue": 9999}, {"task_queue": ['Invalid pk "9999" - object does not exist.']}),
        ({"name": "x" * 201}, {"name": ["Ensure this field has no more than 200 characters."]}),
        ({"name": "\0"}, {"name": ["Null characters are not allowed."]}),
        ({"arguments": None}, {"non_field_errors": ["arguments must be a JSON object, not null."]}),
        ({"arguments": {"text": "\0"}}, {"arguments": ["Arguments may not hold NUL characters."]}),
        ({"arguments": {"text": ["\udc00"]}}, {"arguments": ["Arguments may not hold lone surrogates."]}),
        ({"arguments": []}, {"non_field_errors": ["arguments must be a JSON object, not a list."]}),
        ({"arguments": "{}"}, {"non_field_errors": ["arguments must be a JSON object, not a string."]}),
        ({"arguments": {}}, {"non_field_errors": ["Required arguments are missing: 'text'."]}),
    ],
)
def test_what_is_refused(owner: Client, world: World, change: dict[str, Any], errors: dict[str, Any]) -> None:
    answer = owner.json("POST", EXECUTABLES, ids(world, arguments={"text": "a"}) | change)
    assert (answer.status_code, answer.json()) == (400, errors)
    assert TaskInstance.objects.count() == 2


def test_missing_keys(owner: Client, world: World) -> None:
    for send in (owner.form, owner.json):
        answer = send("POST", EXECUTABLES, {})
        assert (answer.status_code, answer.json()) == (400, {"task_queue": REQUIRED, "task_type": REQUIRED})
    answer = owner.form("POST", EXECUTABLES, ids(world, arguments="{x"))
    assert answer.json() == {"arguments": ["Value must be valid JSON."]}


def test_arguments_of_130_kib(owner: Client, world: World) -> None:
    sent = ids(world, arguments={"text": "x" * 130 * 1024})
    assert list(owner.json("POST", EXECUTABLES, sent).json()) == ["arguments"]
    world.executable.json_file_option = "--file"
    world.executable.save()
    assert owner.json("POST", EXECUTABLES, sent).status_code == 201


def test_rules_of_the_queue(owner: Client, world: World) -> None:
    sent = ids(world, arguments={"text": "a"})
    answer = owner.json("POST", EXECUTABLES, sent | {"task_queue": world.other_queue.id})
    assert answer.status_code == 400
    assert list(answer.json()) == ["non_field_errors"]
    TaskQueue.objects.update(runs_executable_tasks=False)
    answer = owner.json("POST", EXECUTABLES, sent)
    assert answer.json() == {"non_field_errors": ["The queue 'queue' does not run executables."]}


def test_an_inactive_queue_and_anothers_private_one_are_unknown(cast: Cast, world: World) -> None:
    sent = ids(world, arguments={"text": "a"})
    unknown = {"task_queue": [f'Invalid pk "{world.queue.id}" - object does not exist.']}
    TaskQueue.objects.update(private=True)
    for name in ("owner", "stranger", "admin"):
        answer = cast[name].json("POST", EXECUTABLES, sent)
        assert (answer.status_code, answer.json()) == (400, unknown), name
    assert cast.queue_owner.json("POST", EXECUTABLES, sent).status_code == 201
    assert cast.owner.get(f"/api/taskqueues/{world.queue.id}/").status_code == 200, "private restricts use, not sight"
    TaskQueue.objects.update(private=False, active=False)
    for name in ("owner", "queue_owner", "admin"):
        assert cast[name].json("POST", EXECUTABLES, sent).json() == unknown


BAD_UUIDS = ["x", "1", "{}", "0" * 31, "0" * 33, "%00", "x" * 5000, "12345678-1234-1234-1234-12345678901g", "%C3%A9"]


@pytest.mark.parametrize("uuid", [*BAD_UUIDS, f"urn:uuid:{UNKNOWN}", UNKNOWN])
def test_unknown_uuids(owner: Client, uuid: str) -> None:
    for path in (f"{EXECUTABLES}{uuid}/", f"{EXECUTABLES}{uuid}"):
        answer = owner.get(path)
        assert (answer.status_code, answer.content) == (404, b'{"detail":"Not found."}')
    for path in (f"{EXECUTABLES}{uuid}/clone/", f"{EXECUTABLES}{uuid}/terminate"):
        assert owner.post(path).status_code == 404


def test_uuids_in_capitals(owner: Client, world: World) -> None:
    assert owner.get(f"{EXECUTABLES}{str(world.instance.uuid).upper()}/").status_code == 200


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_other_methods(owner: Client, world: World, method: str) -> None:
    answer = owner.json(method, f"{EXECUTABLES}{world.instance.uuid}/", {"state": "failed"})
    assert (answer.status_code, answer.json()) == (405, {"detail": f'Method "{method}" not allowed.'})


def test_reading_one_takes_two_queries(owner: Client, world: World, django_assert_num_queries: Any) -> None:
    path = f"{EXECUTABLES}{world.instance.uuid}/"
    with django_assert_num_queries(2):
        owner.get(path)
    with django_assert_num_queries(2):
        owner.get(path, HTTP_ACCEPT=V2)
    TaskInstance.objects.update(state="published")
    with django_assert_num_queries(3):
        owner.get(path, HTTP_ACCEPT=V2)


def test_a_crash_is_a_json_answer(owner: Client, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(**kwargs: object) -> None:
        raise RuntimeError("secret particulars")

    monkeypatch.setattr("saltant.server.tasks.services.submit", crash)
    answer = owner.json("POST", EXECUTABLES, ids(world))
    assert answer.status_code == 500
    assert answer["Content-Type"] == "application/json"
    assert answer["Saltant-Version"] == "2"
    assert list(answer.json()) == ["detail"]
    assert "secret" not in answer.content.decode()

"""What the API says of instances that start after others."""

import json
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from saltant.server.tasks import services
from saltant.server.tasks.models import TaskDependency, TaskInstance
from saltant.states import State
from tests.integration.conftest import V2, Cast, Client, World

INSTANCES = "/api/executabletaskinstances/"
MANY = f"{INSTANCES}many/"


def body(world: World, *after: Any, **more: Any) -> dict[str, Any]:
    said = {"task_type": world.executable.pk, "task_queue": world.queue.pk, "arguments": {"text": "x"}, **more}
    return {**said, "after": list(after)} if after else said


def post(client: Client, said: Any, status: int = 201) -> Any:
    answer = client.json("POST", INSTANCES, said, HTTP_ACCEPT=V2)
    assert answer.status_code == status, answer.content
    return answer.json()


def test_it_waits_and_says_for_what(owner: Client, world: World) -> None:
    first, boxed = world.instance, world.container_instance
    made = post(owner, body(world, str(first.uuid), {"uuid": str(boxed.uuid), "condition": "any"}))
    assert (made["state"], "after" in made) == ("created", False)
    assert made["waiting"] == f"It waits for 2 others to end: {first.uuid}, {boxed.uuid}."
    assert owner.get2(f"{INSTANCES}{made['uuid']}/").json()["waiting"] == made["waiting"]
    assert owner.get(f"{INSTANCES}{made['uuid']}/after/").json() == [
        {
            "uuid": str(first.uuid),
            "task_class": "executable",
            "name": "first",
            "condition": "success",
            "state": "created",
        },
        {
            "uuid": str(boxed.uuid),
            "task_class": "container",
            "name": "boxed",
            "condition": "any",
            "state": "created",
        },
    ]
    [dependent] = owner.get(f"/api/containertaskinstances/{boxed.uuid}/dependents").json()
    assert (dependent["uuid"], dependent["condition"]) == (made["uuid"], "any")
    assert owner.get(f"{INSTANCES}{first.uuid}/after/").json() == []


def test_a_form_says_it_as_json(owner: Client, world: World) -> None:
    said = body(world) | {"arguments": '{"text": "x"}', "after": json.dumps([str(world.instance.uuid)])}
    answer = owner.form("POST", INSTANCES, said, HTTP_ACCEPT=V2)
    assert answer.status_code == 201, answer.content
    assert TaskInstance.objects.get(uuid=answer.json()["uuid"]).waits_for == 1


def test_version_1_knows_nothing_of_it(owner: Client, world: World) -> None:
    answer = owner.json("POST", INSTANCES, body(world, str(world.instance.uuid)))
    assert answer.status_code == 201
    assert TaskInstance.objects.get(uuid=answer.json()["uuid"]).waits_for == 0


def test_a_clone_waits_for_nobody(owner: Client, world: World) -> None:
    made = post(owner, body(world, str(world.instance.uuid)))
    clone = owner.post(f"{INSTANCES}{made['uuid']}/clone/").json()
    assert TaskInstance.objects.get(uuid=clone["uuid"]).waits_for == 0


@pytest.mark.parametrize(
    ("after", "said"),
    [
        ("x", "Give a list of UUIDs, or of objects of uuid and condition: 1000 at most."),
        ([str(uuid4())] * 1001, "Give a list of UUIDs, or of objects of uuid and condition: 1000 at most."),
        (["x"], "'x' is neither a UUID nor an object of uuid and condition."),
        ([None], "None is neither a UUID nor an object of uuid and condition."),
        ([True], "True is neither a UUID nor an object of uuid and condition."),
        ([1.5], "1.5 is neither a UUID nor an object of uuid and condition."),
        ([[]], "[] is neither a UUID nor an object of uuid and condition."),
        ([{}], "{} is neither a UUID nor an object of uuid and condition."),
        ([{"uuid": 5}], "{'uuid': 5} is neither a UUID nor an object of uuid and condition."),
        ([{"uuid": "x", "more": 1}], "{'uuid': 'x', 'more': 1} is neither a UUID nor an object of uuid and condition."),
        ([{"uuid": "x", "condition": "never"}], "The condition must be success or any, not 'never'."),
        ([{"uuid": "x", "condition": []}], "The condition must be success or any, not []."),
        ([-1], "-1 names no item: they have indexes from 0 to 9999."),
        ([0], "There is no item 0: only many/ has items."),
        ([str(uuid4()).upper()], None),
    ],
)
def test_what_cannot_be(owner: Client, world: World, after: Any, said: str | None) -> None:
    answer = post(owner, body(world) | {"after": after}, 400)
    assert answer == {"after": [said or f"There is no task instance with the UUID {after[0].lower()}."]}


def test_nobody_waits_for_what_is_none_of_their_business(cast: Cast, world: World) -> None:
    world.other_queue.private = True
    world.other_queue.save()
    hidden = world.make(task_queue=world.other_queue, user=world.users["queue_owner"])
    refused = post(cast.owner, body(world, str(hidden.uuid)), 400)
    assert refused == {"after": [f"You may not wait for {hidden.uuid}: it is on a private queue of somebody else."]}
    for allowed in ("queue_owner", "admin"):
        post(cast[allowed], body(world, str(hidden.uuid)))


def many(client: Client, *items: Any, status: int = 200, **more: Any) -> Any:
    answer = client.json("POST", MANY, {"instances": items, **more})
    assert answer.status_code == status, answer.content
    return answer.json()


def test_items_wait_for_one_another(owner: Client, world: World) -> None:
    results = many(
        owner,
        body(world, 2, {"item": 1, "condition": "any"}),
        body(world),
        body(world, {"item": 1}, str(world.instance.uuid)),
    )["results"]
    last, first, middle = (each["instance"]["uuid"] for each in results)
    assert results[0]["instance"]["waiting"] == f"It waits for 2 others to end: {middle}, {first}."
    rows = TaskDependency.objects.values_list("instance__uuid", "on__uuid", "condition")
    assert {(str(one), str(on), condition) for one, on, condition in rows} == {
        (last, middle, "success"),
        (last, first, "any"),
        (middle, first, "success"),
        (middle, str(world.instance.uuid), "success"),
    }
    assert dict(TaskInstance.objects.values_list("uuid", "has_dependents")) == {
        **{TaskInstance.objects.get(uuid=uuid).uuid: uuid != last for uuid in (last, first, middle)},
        world.instance.uuid: True,
        world.container_instance.uuid: False,
    }


def test_circles_and_what_hangs_on_them(owner: Client, world: World) -> None:
    unknown = uuid4()
    items = [
        body(world, 1),
        body(world, 2),
        body(world, 0),
        body(world, 2),
        body(world),
        body(world, 4),
        body(world, 6),
        body(world, 99),
        body(world, str(unknown)),
        body(world, 8),
        {"task_type": 0},
        body(world, {"item": 10, "condition": "any"}),
    ]
    results = many(owner, *items)["results"]
    circle = "Items wait for one another in a circle: 0, 1, 2, 0."
    said = [each["errors"].get("after") if "errors" in each else "made" for each in results]
    assert said == [
        [circle],
        [circle],
        [circle],
        ["Item 2, which it is to start after, cannot be created."],
        "made",
        "made",
        ["Item 6 cannot start after itself."],
        ["There is no item 99: the request has 12, the first of which is 0."],
        [f"There is no task instance with the UUID {unknown}."],
        ["Item 8, which it is to start after, cannot be created."],
        None,
        ["Item 10, which it is to start after, cannot be created."],
    ]
    refused = many(owner, *items[:5], all_or_nothing=True, status=400)
    assert [each["index"] for each in refused["failed"]] == [0, 1, 2, 3]


def test_a_circle_of_all_items_is_told_in_few_words(owner: Client, world: World) -> None:
    results = many(owner, *(body(world, (index + 1) % 2000) for index in range(2000)))["results"]
    assert {len(each["errors"]["after"][0]) < 200 for each in results} == {True}
    assert TaskInstance.objects.filter(waits_for__gt=0).count() == 0


def test_a_list_asks_once_whoever_waits(owner: Client, world: World) -> None:
    def cost() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert owner.get2(INSTANCES).status_code == 200
        return len(queries)

    before = cost()
    many(owner, *(body(world, str(world.instance.uuid)) for _ in range(20)))
    assert cost() == before + 1
    [listed] = owner.get2(INSTANCES, {"page_size": 1}).json()["results"]
    assert listed["waiting"] == f"It waits for another to end: {world.instance.uuid}."


def test_the_end_of_one_is_told_of_the_others(owner: Client, world: World) -> None:
    made = post(owner, body(world, str(world.instance.uuid)))
    services.report(instance=world.instance, state=State.FAILED, user=world.users["owner"])
    shown = owner.get2(f"{INSTANCES}{made['uuid']}/").json()
    assert (shown["state"], shown["reason"], shown["waiting"]) == ("failed", "dependency_failed", None)
    assert shown["message"] == f"Instance {world.instance.uuid} was to succeed first, and it failed."

"""schedules/, schedules/{id}/ and what is below it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from saltant.server.audit.models import AuditEntry
from saltant.server.tasks.models import TaskInstance, TaskQueue
from saltant.server.tasks.schedule_models import Schedule
from tests.integration.conftest import V2, Cast, Client, World

PATH = "/api/schedules/"


def body(world: World, **more: Any) -> dict[str, Any]:
    """The body of a schedule."""
    said = {"name": "nightly", "task_type": world.executable.pk, "task_queue": world.queue.pk, "cron": "30 2 * * *"}
    return said | {"arguments": {"text": "a"}, "timezone": "Europe/Berlin"} | more


def make(client: Client, world: World, **more: Any) -> dict[str, Any]:
    """A new schedule."""
    answer = client.json("POST", PATH, body(world, **more))
    assert answer.status_code == 201, answer.content
    made: dict[str, Any] = answer.json()
    return made


def test_all_that_is_told(owner: Client, world: World) -> None:
    made = make(owner, world, labels={"k": "v"}, limits={"timeout": 5, "memory": None}, instance_name="n")
    assert owner.get(f"{PATH}{made['id']}/").json() == made
    assert owner.get2(PATH).json()["results"] == [made]
    upcoming = datetime.fromisoformat(made["next_time"])
    assert upcoming > datetime.now(UTC)
    del made["id"], made["datetime_created"], made["next_time"]
    assert made == {
        "user": "owner",
        "name": "nightly",
        "description": "",
        "task_class": "executable",
        "task_type": world.executable.pk,
        "task_queue": world.queue.pk,
        "arguments": {"text": "a"},
        "instance_name": "n",
        "labels": {"k": "v"},
        "limits": {"timeout": 5.0, "memory": None},
        "cron": "30 2 * * *",
        "timezone": "Europe/Berlin",
        "overlap": "skip",
        "active": True,
        "last_time": None,
        "last_instance": None,
        "waiting_since": None,
        "message": "",
    }
    assert make(owner, world, name="boxed", task_type=world.container.pk)["task_class"] == "container"


@pytest.mark.parametrize(
    ("said", "key", "words"),
    [
        ({"cron": "0 0 30 2 *"}, "cron", "never comes"),
        ({"cron": "* * * * * *"}, "cron", "no seconds"),
        ({"cron": "nightly"}, "cron", "five fields"),
        ({"cron": "1," * 60}, "cron", "100 characters"),
        ({"cron": None}, "cron", "null"),
        ({"timezone": "Mars/Olympus"}, "timezone", "Europe/Berlin"),
        ({"overlap": "queue"}, "overlap", "not a valid choice"),
        ({"arguments": {}}, "non_field_errors", "'text'"),
        ({"arguments": []}, "arguments", "dictionary"),
        ({"limits": {"tiemout": 1}}, "limits", "the limits are timeout"),
        ({"limits": {"timeout": -1}}, "limits", "timeout: "),
        ({"limits": 5}, "limits", "dictionary"),
        ({"labels": {"": "x"}}, "labels", "key"),
        ({"task_type": 10**20}, "task_type", "does not exist"),
        ({"task_queue": 0}, "task_queue", "does not exist"),
        ({"name": ""}, "name", "blank"),
        ({"next_time": "2030-01-01T00:00:00Z", "cron": "x"}, "cron", "no cron expression"),
    ],
)
def test_what_cannot_be(owner: Client, world: World, said: dict[str, Any], key: str, words: str) -> None:
    answer = owner.json("POST", PATH, body(world, **said))
    assert (answer.status_code, list(answer.json())) == (400, [key])
    assert words in answer.json()[key][0]
    made = make(owner, world)
    if "name" not in said:
        answer = owner.json("PATCH", f"{PATH}{made['id']}/", said)
        assert (answer.status_code, list(answer.json())) == (400, [key])
    assert owner.get(f"{PATH}{made['id']}/").json() == made


def test_a_name_is_taken_once(owner: Client, world: World) -> None:
    make(owner, world)
    answer = owner.json("POST", PATH, body(world))
    assert (answer.status_code, answer.json()) == (400, {"name": ["schedule with this name already exists."]})


def test_its_owner_must_be_allowed_to_run_it(cast: Cast, world: World) -> None:
    TaskQueue.objects.filter(pk=world.queue.pk).update(private=True)
    answer = cast.stranger.json("POST", PATH, body(world))
    assert "private and not stranger's" in answer.json()["task_queue"][0]
    made = make(cast.queue_owner, world)
    # An admin who changes it changes what its owner runs.
    answer = cast.admin.json("PATCH", f"{PATH}{made['id']}/", {"task_queue": world.other_queue.pk})
    assert "No whitelist" in answer.json()["non_field_errors"][0]
    TaskQueue.objects.filter(pk=world.queue.pk).update(active=False)
    assert cast.admin.json("PATCH", f"{PATH}{made['id']}/", {"active": False}).status_code == 200
    answer = cast.admin.json("PATCH", f"{PATH}{made['id']}/", {"arguments": {"text": "b"}})
    assert "is inactive" in answer.json()["task_queue"][0]
    assert cast.admin.json("POST", f"{PATH}{made['id']}/run/", {}).status_code == 400


def test_changes(owner: Client, world: World) -> None:
    path = f"{PATH}{make(owner, world)['id']}/"
    due = datetime(2020, 1, 1, tzinfo=UTC)
    Schedule.objects.update(next_time=due)
    said = owner.json("PATCH", path, {"description": "d", "cron": "30 2 * * *"}).json()
    assert said["next_time"] == "2020-01-01T00:00:00.000000Z", "a time that is due is not lost"
    assert owner.json("PATCH", path, {"active": False}).json()["next_time"] is None
    assert owner.json("PATCH", path, {"active": True}).json()["next_time"] > said["next_time"]
    assert owner.json("PATCH", path, {"timezone": "UTC"}).json()["next_time"].endswith("T02:30:00.000000Z")
    said = owner.json("PUT", path, body(world, cron="0  5 * * *")).json()
    assert (said["description"], said["cron"]) == ("d", "0 5 * * *")
    changes = [list(entry.details) for entry in AuditEntry.objects.filter(object_kind="schedule").order_by("pk")]
    assert changes == [[], ["description"], ["active"], ["active"], ["timezone"], ["cron", "timezone"]]


def test_forms(owner: Client, world: World) -> None:
    said = body(world) | {"arguments": '{"text": "a"}', "limits": '{"priority": 9}', "labels": "{}", "active": "false"}
    answer = owner.form("POST", PATH, said)
    assert answer.status_code == 201, answer.content
    assert (answer.json()["limits"], answer.json()["active"]) == ({"priority": 9}, False)
    assert owner.form("POST", PATH, said | {"name": "b", "limits": "{"}).json() == {
        "limits": ["Value must be valid JSON."]
    }


def test_a_run_by_hand(cast: Cast, world: World) -> None:
    made = make(cast.owner, world, labels={"k": "v"})
    path = f"{PATH}{made['id']}/run/"
    answers = [cast.admin.json("POST", path, {}, HTTP_IDEMPOTENCY_KEY="once") for _ in range(2)]
    assert [each.status_code for each in answers] == [201, 201]
    assert answers[0].content == answers[1].content
    said = answers[0].json()
    assert list(said)[:2] == ["task_class", "uuid"]
    assert (said["user"], said["labels"], said["schedule"]) == ("owner", {"k": "v"}, made["id"])
    assert cast.owner.get(f"{PATH}{made['id']}/").json()["last_instance"] == said["uuid"]
    listed = cast.owner.get2("/api/executabletaskinstances/", {"schedule": made["id"]}).json()["results"]
    assert [each["uuid"] for each in listed] == [said["uuid"]]
    assert cast.owner.get2(f"/api/executabletaskinstances/{said['uuid']}/").json()["schedule"] == made["id"]
    [entry] = AuditEntry.objects.filter(action="run")
    assert (entry.actor, entry.details) == ("admin", {"uuid": said["uuid"]})
    assert cast.owner.delete(f"{PATH}{made['id']}/").status_code == 204
    assert cast.owner.get2(f"/api/executabletaskinstances/{said['uuid']}/").json()["schedule"] is None


def test_a_long_answer_can_be_asked_for_again(owner: Client, world: World) -> None:
    world.executable.json_file_option = "--file"
    world.executable.save()
    made = make(owner, world, arguments={"text": "x" * 200_000})
    for key in ("first", "second"):
        answers = [
            owner.json("POST", f"{PATH}{made['id']}/run/", {}, HTTP_IDEMPOTENCY_KEY=key, HTTP_ACCEPT=V2)
            for _ in range(2)
        ]
        assert answers[0].json()["uuid"] == answers[1].json()["uuid"]
    assert TaskInstance.objects.filter(schedule=made["id"]).count() == 2


def test_times(owner: Client, world: World) -> None:
    made = make(owner, world)
    path = f"{PATH}{made['id']}/times/"
    found = owner.get(path).json()
    assert (len(found), found[0]) == (5, made["next_time"])
    assert found == sorted(set(found))
    owner.json("PATCH", f"{PATH}{made['id']}/", {"active": False})
    assert owner.get(path, {"count": 2}).json() == found[:2]
    assert len(owner.get(path, {"count": 100}).json()) == 100
    for count in ("0", "101", "x", "", "9" * 5000):
        answer = owner.get(path, {"count": count})
        assert (answer.status_code, list(answer.json())) == (400, ["count"])


def test_lists(owner: Client, world: World) -> None:
    for name, cron in (("a", "0 0 1 1 *"), ("b", "* * * * *"), ("c", "0 0 1 * *")):
        make(owner, world, name=name, cron=cron, active=name != "c")

    def names(**query: Any) -> list[str]:
        return [each["name"] for each in owner.get2(PATH, query).json()["results"]]

    assert names() == ["a", "b", "c"]
    assert names(ordering="next_time") == ["b", "a", "c"]
    assert names(active="false") == ["c"]
    assert names(task_type=world.executable.pk, name__startswith="b") == ["b"]
    assert names(task_queue=world.other_queue.pk) == names(user__username="admin") == []
    assert owner.get2(PATH, {"colour": "red"}).status_code == 400
    assert [each["name"] for each in owner.get2(PATH, {"cursor": "", "page_size": 2}).json()["results"]] == ["a", "b"]


@pytest.mark.parametrize("name", ["0", "99", "x", "%00", "9" * 30])
def test_none(owner: Client, world: World, name: str) -> None:
    for method, end in (("GET", ""), ("PUT", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "run/"), ("GET", "times/")):
        answer = owner.json(method, f"{PATH}{name}/{end}", {})
        assert answer.status_code == 404, json.loads(answer.content)


def test_an_owner_who_goes_leaves_it_and_it_says_so(cast: Cast, world: World) -> None:
    made = make(cast.owner, world)
    world.users["owner"].delete()
    assert cast.admin.get(f"{PATH}{made['id']}/").json()["user"] is None
    answer = cast.admin.json("POST", f"{PATH}{made['id']}/run/", {})
    assert (answer.status_code, answer.json()) == (
        400,
        {"non_field_errors": ["The schedule's owner was deleted: make it anew."]},
    )


def test_what_a_schedule_needs_is_archived_and_not_deleted(owner: Client, world: World) -> None:
    types = "/api/executabletasktypes/"
    task_type = owner.json("POST", types, {"name": "new", "command_to_run": "true"}).json()["id"]
    world.whitelist.task_types.add(task_type)
    made = make(owner, world, task_type=task_type)
    answer = owner.delete(f"{types}{task_type}/", HTTP_ACCEPT=V2)
    assert (answer.status_code, "it has 1 schedule" in answer.json()["detail"]) == (409, True)
    assert owner.post(f"{types}{task_type}/archive/").status_code == 200
    answer = owner.json("POST", f"{PATH}{made['id']}/run/", {})
    assert (answer.status_code, "is archived" in answer.json()["task_type"][0]) == (400, True)
    owner.delete(f"{PATH}{made['id']}/")
    assert owner.delete(f"{types}{task_type}/", HTTP_ACCEPT=V2).status_code == 204

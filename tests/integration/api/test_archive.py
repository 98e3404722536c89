"""Task types, queues and whitelists that are archived, taken back, and deleted."""

from typing import Any

import pytest

from saltant.server.audit.models import AuditEntry
from saltant.server.tasks.models import TaskInstance, TaskQueue, TaskType, TaskWhitelist
from tests.integration.conftest import V2, Cast, Client, World

THINGS = ["executabletasktypes", "containertasktypes", "taskqueues", "taskwhitelists"]
OWNERS = {"taskqueues": "queue_owner"}


def thing(world: World, path: str) -> Any:
    """What the world has of it."""
    return {
        "executabletasktypes": world.executable,
        "containertasktypes": world.container,
        "taskqueues": world.queue,
        "taskwhitelists": world.whitelist,
    }[path]


def post(client: Client, path: str, data: Any = None, **extra: Any) -> Any:
    return client.json("POST", f"/api/{path}", data or {}, HTTP_ACCEPT=V2, **extra)


def submit(client: Client, world: World, **extra: Any) -> Any:
    said = {"task_type": world.executable.id, "task_queue": world.queue.id, "arguments": {"text": "x"}}
    return client.json("POST", "/api/executabletaskinstances/", said, **extra)


@pytest.mark.parametrize("path", THINGS)
def test_what_is_archived_is_told_listed_and_taken_back(cast: Cast, world: World, path: str) -> None:
    one = thing(world, path)
    owner = cast[OWNERS.get(path, "owner")]
    assert owner.get2(f"/api/{path}/{one.pk}/").json()["datetime_archived"] is None
    answer = post(owner, f"{path}/{one.pk}/archive/")
    when = answer.json()["datetime_archived"]
    assert (answer.status_code, when is None) == (200, False)
    assert post(cast.admin, f"{path}/{one.pk}/archive/").json()["datetime_archived"] == when, "it was archived already"
    listed = {
        said: [each["id"] for each in owner.get2(f"/api/{path}/", {"archived": said}).json()["results"]]
        for said in ("true", "false")
    }
    assert listed["true"] == [one.pk]
    assert one.pk not in listed["false"]
    assert one.pk in [each["id"] for each in owner.get2(f"/api/{path}/").json()["results"]]
    assert owner.get2(f"/api/{path}/", {"archived": "perhaps"}).status_code == 400
    assert "datetime_archived" not in owner.get(f"/api/{path}/{one.pk}/").json()
    assert post(owner, f"{path}/{one.pk}/unarchive/").json()["datetime_archived"] is None
    kind = str(one._meta.verbose_name)
    entries = AuditEntry.objects.filter(object_kind=kind, object_id=str(one.pk)).order_by("id")
    assert [entry.action for entry in entries] == ["archive", "unarchive"]


@pytest.mark.parametrize("path", ["executabletasktypes", "taskqueues", "taskwhitelists"])
@pytest.mark.parametrize("version", ["1", "2"])
def test_nothing_new_is_made_with_it_and_the_rest_goes_on(cast: Cast, world: World, path: str, version: str) -> None:
    extra = {"HTTP_ACCEPT": V2} if version == "2" else {}
    one = thing(world, path)
    before = world.instance
    assert submit(cast.owner, world, **extra).status_code == 201
    post(cast.admin, f"{path}/{one.pk}/archive/")
    answers = [submit(cast.owner, world, **extra)]
    answers.append(cast.owner.json("POST", f"/api/executabletaskinstances/{before.uuid}/clone/", {}, **extra))
    for answer in answers:
        assert answer.status_code == 400
        [[sentence]] = answer.json().values()
        assert f"'{one.name}'" in sentence
        assert "archived" in sentence
        assert "unarchive" in sentence
    item = {"task_type": world.executable.id, "task_queue": world.queue.id, "arguments": {"text": "x"}}
    many = post(cast.owner, "executabletaskinstances/many/", {"instances": [item]}).json()["results"]
    assert many[0]["status"] == 400
    assert many[0]["errors"] == answers[0].json()
    assert cast.owner.get(f"/api/executabletaskinstances/{before.uuid}/").status_code == 200
    post(cast.admin, f"{path}/{one.pk}/unarchive/")
    assert submit(cast.owner, world, **extra).status_code == 201


def test_an_archived_whitelist_leaves_what_another_one_allows(cast: Cast, world: World) -> None:
    other = TaskWhitelist.objects.create(name="other list", user=world.users["owner"])
    other.task_types.add(world.executable)
    world.queue.whitelists.add(other)
    post(cast.owner, f"taskwhitelists/{world.whitelist.pk}/archive/")
    assert submit(cast.owner, world).status_code == 201


def test_an_archived_type_is_put_on_no_whitelist_but_stays_where_it_is(cast: Cast, world: World) -> None:
    post(cast.owner, f"executabletasktypes/{world.executable.pk}/archive/")
    kept = {"name": "renamed", "whitelisted_executable_task_types": [world.executable.pk]}
    path = f"/api/taskwhitelists/{world.whitelist.pk}/"
    assert cast.owner.json("PATCH", path, kept).status_code == 200
    assert cast.owner.json("POST", f"{path}add/", {"executable_task_types": [world.executable.pk]}).status_code == 200
    new = {"name": "new", "whitelisted_executable_task_types": [world.executable.pk]}
    answer = cast.owner.json("POST", "/api/taskwhitelists/", new)
    assert answer.status_code == 400
    assert "is archived" in answer.json()["whitelisted_executable_task_types"][0]
    assert not TaskWhitelist.objects.filter(name="new").exists()
    empty = TaskWhitelist.objects.create(name="empty", user=world.users["owner"])
    said = {"executable_task_types": [world.executable.pk]}
    answer = cast.owner.json("POST", f"/api/taskwhitelists/{empty.pk}/add/", said)
    assert answer.status_code == 400
    assert "is archived" in answer.json()["executable_task_types"][0]


@pytest.mark.parametrize("path", THINGS)
def test_what_was_used_is_not_deleted(cast: Cast, world: World, path: str) -> None:
    one, owner = thing(world, path), cast[OWNERS.get(path, "owner")]
    answer = owner.json("DELETE", f"/api/{path}/{one.pk}/", HTTP_ACCEPT=V2)
    assert answer.status_code == 409
    sentence = answer.json()["detail"]
    assert f"'{one.name}' cannot be deleted" in sentence
    assert "1 task queue holds it" in sentence if path == "taskwhitelists" else "task instance" in sentence
    assert "Archive it instead" in sentence
    assert owner.json("DELETE", f"/api/{path}/{one.pk}/").status_code == 405, "version 1 deletes nothing"
    assert owner.get(f"/api/{path}/{one.pk}/").status_code == 200


@pytest.mark.parametrize("path", THINGS)
def test_what_was_never_used_is_deleted(cast: Cast, world: World, path: str) -> None:
    TaskInstance.objects.all().delete()
    TaskQueue.whitelists.through.objects.all().delete()
    one, owner = thing(world, path), cast[OWNERS.get(path, "owner")]
    assert cast.stranger.json("DELETE", f"/api/{path}/{one.pk}/", HTTP_ACCEPT=V2).status_code == 403
    answer = owner.json("DELETE", f"/api/{path}/{one.pk}/", HTTP_ACCEPT=V2)
    assert (answer.status_code, answer.content) == (204, b"")
    for version in ({}, {"HTTP_ACCEPT": V2}):
        assert owner.json("GET", f"/api/{path}/{one.pk}/", **version).status_code == 404
    assert owner.json("DELETE", f"/api/{path}/{one.pk}/", HTTP_ACCEPT=V2).status_code == 404
    entry = AuditEntry.objects.get(action="delete")
    assert (entry.object_id, entry.object_name) == (str(one.pk), one.name)
    left = cast.owner.get(f"/api/taskwhitelists/{world.whitelist.pk}/")
    if path == "executabletasktypes":
        assert left.json()["whitelisted_executable_task_types"] == []
    assert TaskType.objects.count() == (1 if path.endswith("types") else 2)

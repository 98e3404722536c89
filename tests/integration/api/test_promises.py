"""Whitelists and queues keep their promises: types that change, members one by one, pausing."""

from typing import Any

import pytest

from saltant.server.audit.models import AuditEntry
from saltant.server.tasks.models import TaskQueue, TaskType, TaskWhitelist
from tests.integration.conftest import V2, Cast, Client, World

CONTAINERS, EXECUTABLES = "whitelisted_container_task_types", "whitelisted_executable_task_types"


def logged() -> list[tuple[str, str, str, dict[str, Any]]]:
    """What the audit log says that people did, oldest first."""
    entries = AuditEntry.objects.exclude(actor="saltant").order_by("id")
    return [(each.actor, each.action, each.object_name, each.details) for each in entries]


class TestTypes:
    def test_another_program_leaves_the_whitelists_of_others(self, cast: Cast, world: World) -> None:
        theirs = TaskWhitelist.objects.create(name="theirs", user=world.users["stranger"])
        theirs.task_types.add(world.executable)
        path = f"/api/executabletasktypes/{world.executable.id}/"
        body = owner_body = {"name": "count", "command_to_run": "count --words", "description": "new"}
        assert cast.owner.form("PUT", path, body, HTTP_ACCEPT=V2).json()["removed_from_whitelists"] == []
        body = owner_body | {"command_to_run": "rm"}
        answer = cast.owner.form("PUT", path, body, HTTP_ACCEPT=V2)
        assert list(answer.json())[-1] == "removed_from_whitelists"
        assert answer.json()["removed_from_whitelists"] == [{"id": theirs.id, "name": "theirs"}]
        assert [*theirs.task_types.all(), *world.whitelist.task_types.filter(task_class="executable")] == [
            world.executable
        ]
        assert "removed_from_whitelists" not in cast.owner.get2(path).json()
        assert logged() == [
            ("owner", "update", "count", {"description": ["", "new"]}),
            ("owner", "update", "count", {"command_to_run": ["count --words", "rm"], "taken_off": ["theirs"]}),
        ]

    def test_other_defaults_make_another_program(self, cast: Cast, world: World) -> None:
        TaskWhitelist.objects.update(user=world.users["stranger"])
        path = f"/api/executabletasktypes/{world.executable.id}/"
        for language, kept in (("en", True), ("la; rm", False)):
            body = {"name": "count", "command_to_run": "count --words"}
            body |= {"required_arguments_default_values": {"language": language}}  # type: ignore[dict-item]
            assert cast.owner.json("PUT", path, body).status_code == 200
            assert (world.executable in world.whitelist.task_types.all()) is kept

    def test_in_version_1_too(self, cast: Cast, world: World) -> None:
        TaskWhitelist.objects.update(user=world.users["stranger"])
        path = f"/api/executabletasktypes/{world.executable.id}/"
        body = cast.owner.form("PUT", path, {"name": "count", "command_to_run": "rm"}).json()
        assert list(body) == list(cast.owner.get(path).json())
        assert list(world.whitelist.task_types.all()) == [world.container]

    def test_an_admin_keeps_it_there(self, cast: Cast, world: World) -> None:
        path = f"/api/executabletasktypes/{world.executable.id}/"
        answer = cast.admin.json("PUT", path, {"name": "count", "command_to_run": "rm"}, HTTP_ACCEPT=V2)
        assert answer.json()["removed_from_whitelists"] == []
        assert world.executable in world.whitelist.task_types.all()


class TestMembers:
    @pytest.mark.parametrize("send", ["form", "json"])
    def test_added_and_removed(self, owner: Client, world: World, send: str) -> None:
        path = f"/api/taskwhitelists/{world.whitelist.id}/"
        more = [TaskType.objects.create(name=f"m{n}", task_class="executable", command_to_run="x").id for n in range(2)]
        answer = getattr(owner, send)("POST", f"{path}add/", {"executable_task_types": [*more, world.executable.id]})
        assert answer.status_code == 200
        assert answer.json() == owner.get(path).json()
        assert answer.json()[EXECUTABLES] == [world.executable.id, *more]
        both = {"executable_task_types": more[:1], "container_task_types": [world.container.id]}
        answer = getattr(owner, send)("POST", f"{path}remove/", both)
        assert (answer.json()[CONTAINERS], answer.json()[EXECUTABLES]) == ([], [world.executable.id, more[1]])
        again = getattr(owner, send)("POST", f"{path}remove/", both)
        assert (again.status_code, again.content) == (200, answer.content)
        assert logged() == [
            ("owner", "update", "list", {"added": ["m0", "m1"]}),
            ("owner", "update", "list", {"removed": ["count", "m0"]}),
        ]

    @pytest.mark.parametrize("verb", ["add", "remove"])
    def test_what_cannot_be(self, owner: Client, world: World, verb: str) -> None:
        path = f"/api/taskwhitelists/{world.whitelist.id}/{verb}/"
        unknown = owner.json("POST", path, {"executable_task_types": [world.container.id, world.executable.id]})
        assert unknown.status_code == 400
        assert unknown.json() == {
            "executable_task_types": [f'Invalid pk "{world.container.id}" - object does not exist.']
        }
        for body in ({}, {"executable_task_types": []}, {"nonsense": 1}):
            assert owner.json("POST", path, body).json() == {
                "non_field_errors": ["Name at least one id in container_task_types or executable_task_types."]
            }
        assert owner.json("POST", path, {"executable_task_types": 5}).status_code == 400
        assert owner.json("POST", path, {"executable_task_types": [10**30]}).status_code == 400
        assert owner.json("POST", f"/api/taskwhitelists/99/{verb}/", {}).status_code == 404
        assert world.whitelist.task_types.count() == 2


class TestPausing:
    @pytest.mark.parametrize("send", ["form", "json"])
    def test_by_version_2_alone(self, cast: Cast, world: World, send: str) -> None:
        client, path = cast.queue_owner, f"/api/taskqueues/{world.queue.id}/"
        assert list(client.get2(path).json())[-3:] == ["paused", "max_running", "datetime_archived"]
        assert "paused" not in client.get(path).json()
        body = {"paused": True, "description": "being mended"}
        assert getattr(client, send)("PATCH", path, body, HTTP_ACCEPT=V2).json()["paused"] is True
        body = {"name": "queue", "paused": False, "whitelists": [world.whitelist.id]}
        assert getattr(client, send)("PUT", path, body).status_code == 200
        assert client.get2(path).json()["paused"] is True, "version 1 does not look at it"
        assert getattr(client, send)("PATCH", path, {"paused": False}, HTTP_ACCEPT=V2).json()["paused"] is False
        assert logged() == [
            ("queue_owner", "pause", "queue", {}),
            ("queue_owner", "update", "queue", {"description": ["", "being mended"]}),
            ("queue_owner", "resume", "queue", {}),
        ]

    def test_from_the_start(self, owner: Client) -> None:
        body = owner.json("POST", "/api/taskqueues/", {"name": "q", "paused": True}, HTTP_ACCEPT=V2).json()
        assert body["paused"] is True
        assert TaskQueue.objects.get(name="q").paused


def test_who_made_and_ended_what_is_written_down(cast: Cast, world: World) -> None:
    cast.owner.form("POST", "/api/taskwhitelists/", {"name": "w"})
    path = f"/api/executabletaskinstances/{world.instance.uuid}/terminate/"
    for _ in range(2):
        assert cast.admin.post(path).status_code == 202
    state = {"state": "failed"}
    path = f"/api/updatetaskinstancestatus/{world.container_instance.uuid}/"
    for _ in range(2):
        assert cast.owner.form("PATCH", path, state).status_code == 200
    assert logged() == [
        ("owner", "create", "w", {}),
        ("admin", "terminate", "first", {}),
        ("owner", "report", "boxed", {"state": "failed"}),
    ]

"""The SDK's task queues, whitelists and users, against a real server."""

import pytest

from saltant import NotFound
from saltant.exceptions import BadRequest
from tests.acceptance.system import Site
from tests.acceptance.test_sdk_types import fresh

pytestmark = pytest.mark.everywhere


def test_a_queue_from_birth_to_change(up: Site) -> None:
    queues = up.client.task_queues
    whitelist = up.client.task_whitelists.create(fresh("whitelist"))
    name = fresh("queue")
    made = queues.create(name)
    assert (made.name, made.description, made.private, made.active, made.whitelists) == (name, "", False, True, [])
    assert made.runs_executable_tasks
    assert made.runs_docker_container_tasks
    assert made.runs_singularity_container_tasks

    saved = queues.put(made.id, name, "d", True, False, True, False, True, [whitelist.id])
    assert (saved.description, saved.private, saved.runs_executable_tasks) == ("d", True, False)
    assert saved.whitelists == [whitelist.id]
    assert queues.patch(made.id, description="").description == ""
    assert queues.patch(made.id, private=False).private is False
    assert queues.patch(made.id, name=name, whitelists=None).whitelists == [whitelist.id]
    assert queues.patch(made.id, whitelists=[]).whitelists == []
    assert queues.get(made.id).runs_executable_tasks is False

    assert made.sync() is made
    made.whitelists, made.active = [whitelist.id], False
    assert made.put() is made
    made.description = "by patch"
    assert made.patch() is made
    found = queues.get(name=name)
    assert (found.whitelists, found.active, found.description) == ([whitelist.id], False, "by patch")
    assert queues.list({"active": False, "name": name}) == [made]
    assert queues.list({"active": True, "name": name}) == []


def test_a_whitelist_from_birth_to_change(up: Site) -> None:
    whitelists = up.client.task_whitelists
    executable = up.client.executable_task_types.create(fresh(), "echo")
    container = up.client.container_task_types.create(fresh(), "run", "ubuntu", "docker")
    name = fresh("whitelist")
    made = whitelists.create(name, "d", [container.id], [executable.id])
    assert (made.whitelisted_container_task_types, made.whitelisted_executable_task_types) == (
        [container.id],
        [executable.id],
    )
    assert whitelists.patch(made.id, whitelisted_container_task_types=[]).whitelisted_container_task_types == []
    assert whitelists.get(name=name).whitelisted_executable_task_types == [executable.id]
    saved = whitelists.put(made.id, name, "", [container.id], [])
    assert (saved.whitelisted_container_task_types, saved.whitelisted_executable_task_types) == ([container.id], [])
    made.description = "mine"
    assert made.patch() is made.put() is made.sync() is made
    assert (made.description, made.whitelisted_executable_task_types) == ("mine", [executable.id])


def test_what_is_not_there(up: Site) -> None:
    for manager in (up.client.task_queues, up.client.task_whitelists):
        with pytest.raises(NotFound):
            manager.get(987654321)
        with pytest.raises(NotFound):
            manager.get(name="no such name")
        with pytest.raises(ValueError, match="either"):
            manager.get()
    with pytest.raises(NotFound):
        up.client.task_queues.patch(987654321, name="x")


def test_what_is_refused(up: Site) -> None:
    with pytest.raises(BadRequest) as caught:
        up.client.task_queues.create("no blanks")
    assert "name" in caught.value.field_errors
    with pytest.raises(BadRequest) as caught:
        up.client.task_queues.create(fresh("queue"), whitelists=[987654321])
    assert caught.value.field_errors == {"whitelists": ['Invalid pk "987654321" - object does not exist.']}


def test_users(up: Site) -> None:
    users = up.client.users.list()
    me = up.client.task_queues.create(fresh("queue")).user
    assert me in [user.username for user in users]
    found = up.client.users.get(str(me))
    assert found in users
    assert found.sync() is found
    for name in ("nobody", "a/b", "a&b #c+d ü", "%2e%2e"):
        with pytest.raises(NotFound):
            up.client.users.get(name)

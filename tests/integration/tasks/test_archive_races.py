"""Deleting, and using what is deleted, at the same time."""

from typing import Any

import pytest
from django.db import connection

from saltant.server.api import views
from saltant.server.tasks import dispatch
from saltant.server.tasks.models import TaskInstance, TaskQueue, TaskType
from tests.integration.conftest import V2, Cast, World
from tests.integration.test_postgresql import at_once

pytestmark = pytest.mark.django_db(transaction=True)  # what refers to what is looked at when it is committed
ROUNDS = 15
CREATE = "/api/executabletaskinstances/"
USED = "Something that this names was deleted at the same time: look again, and send it anew."


def body(task_type: TaskType, queue: TaskQueue) -> dict[str, Any]:
    return {"task_type": task_type.pk, "task_queue": queue.pk, "arguments": {"text": "x"}}


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("name", ["executable", "queue"])
def test_deleted_after_it_was_looked_at(
    cast: Cast, world: World, monkeypatch: pytest.MonkeyPatch, name: str, many: bool
) -> None:
    TaskInstance.objects.all().delete()
    thing = getattr(world, name)
    item = body(world.executable, world.queue)
    birth_state = dispatch.birth_state

    def late() -> Any:
        # All that the rules ask was asked by now.
        type(thing).objects.filter(pk=thing.pk).delete()
        return birth_state()

    monkeypatch.setattr(dispatch, "birth_state", late)
    path, said = (f"{CREATE}many/", {"instances": [item]}) if many else (CREATE, item)
    answer = cast.owner.json("POST", path, said, HTTP_ACCEPT=V2)
    assert (answer.status_code, answer.json()) == (400, {"non_field_errors": [USED]})
    assert not TaskInstance.objects.exists()


@pytest.mark.parametrize(
    ("method", "path", "said", "gone"),
    [
        ("POST", "taskqueues/", {"name": "new", "whitelists": ["whitelist"]}, "whitelist"),
        ("PATCH", "taskqueues/{queue}/", {"whitelists": ["whitelist"]}, "whitelist"),
        ("POST", "taskwhitelists/{whitelist}/add/", {"container_task_types": ["container"]}, "container"),
        ("POST", "schedules/", {"name": "new", "task_type": "executable", "task_queue": "queue"}, "queue"),
    ],
)
def test_deleted_before_what_names_it_is_committed(
    cast: Cast, world: World, monkeypatch: pytest.MonkeyPatch, method: str, path: str, said: dict[str, Any], gone: str
) -> None:
    TaskInstance.objects.all().delete()
    world.whitelist.task_types.remove(world.container)
    if gone == "whitelist":
        world.queue.whitelists.clear()
    ids = {name: getattr(world, name).pk for name in ("queue", "whitelist", "container", "executable")}
    rows: Any = type(getattr(world, gone))._base_manager.filter(pk=ids[gone])
    # What is done is written down last: all that the rules ask was asked by then.
    monkeypatch.setattr(views, "record", lambda *said: rows._raw_delete(using="default"))
    body = {
        name: [ids[each] for each in value] if isinstance(value, list) else ids.get(value, value)
        for name, value in said.items()
    }
    body |= {"cron": "0 0 * * *", "arguments": {"text": "x"}} if path == "schedules/" else {}
    answer = cast.admin.json(method, f"/api/{path.format(**ids)}", body, HTTP_ACCEPT=V2)
    assert (answer.status_code, answer.json()) == (400, {"non_field_errors": [USED]})


@pytest.mark.parametrize("name", ["executable", "queue"])
def test_used_after_it_was_looked_at(cast: Cast, world: World, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    TaskInstance.objects.all().delete()
    thing = getattr(world, name)
    delete = type(thing).delete

    def late(self: Any) -> Any:
        world.make()
        return delete(self)

    monkeypatch.setattr(type(thing), "delete", late)
    path = f"/api/{'taskqueues' if name == 'queue' else 'executabletasktypes'}/{thing.pk}/"
    answer = cast.admin.json("DELETE", path, HTTP_ACCEPT=V2)
    assert answer.status_code == 409
    assert "Archive it instead" in answer.json()["detail"]
    assert type(thing).objects.filter(pk=thing.pk).exists()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL alone does two things at once")
@pytest.mark.parametrize("name", ["executable", "queue"])
def test_at_once(cast: Cast, world: World, name: str) -> None:
    outcomes = set()
    for number in range(ROUNDS):
        thing: Any
        task_type, queue = world.executable, world.queue
        if name == "queue":
            thing = queue = TaskQueue.objects.create(name=f"q{number}", user=world.users["owner"])
            queue.whitelists.add(world.whitelist)
        else:
            thing = task_type = TaskType.objects.create(
                task_class="executable", name=f"t{number}", command_to_run="true", user=world.users["owner"]
            )
            world.whitelist.task_types.add(task_type)
        path = f"/api/{'taskqueues' if name == 'queue' else 'executabletasktypes'}/{thing.pk}/"
        said = body(task_type, queue)
        made, deleted, many = at_once(
            lambda: cast.owner.json("POST", CREATE, said, HTTP_ACCEPT=V2).status_code,  # noqa: B023
            lambda: cast.admin.json("DELETE", path, HTTP_ACCEPT=V2).status_code,  # noqa: B023
            lambda: cast.stranger.json("POST", f"{CREATE}many/", {"instances": [said]}, HTTP_ACCEPT=V2).status_code,  # noqa: B023
        )
        there = type(thing).objects.filter(pk=thing.pk).exists()
        assert made in (201, 400)
        assert many in (200, 400)
        assert deleted in (204, 409)
        assert there == (deleted == 409)
        assert there or made == 400
        outcomes.add(deleted)
    assert outcomes

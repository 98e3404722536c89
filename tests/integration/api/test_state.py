"""updatetaskinstancestatus/{uuid}/."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from saltant.server.tasks.models import TaskAttempt
from saltant.states import State
from tests.integration.conftest import Cast, Client, World


def path(world: World) -> str:
    """Where the state of the owner's instance is reported."""
    return f"/api/updatetaskinstancestatus/{world.instance.uuid}/"


@pytest.mark.parametrize("send", ["form", "json"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_exact_body(owner: Client, world: World, send: str, slash: str) -> None:
    answer = getattr(owner, send)("PATCH", path(world).rstrip("/") + slash, {"state": "running"})
    assert answer.status_code == 200
    assert answer.content.decode() == f'{{"uuid":"{world.instance.uuid}","state":"running"}}'


def test_a_whole_life(owner: Client, world: World) -> None:
    for state in ("published", "running", "running", "successful", "successful"):
        assert owner.form("PATCH", path(world), {"state": state}).json()["state"] == state
    instance = owner.get(f"/api/executabletaskinstances/{world.instance.uuid}/").json()
    assert instance["datetime_finished"]
    for state in ("running", "failed", "created"):
        answer = owner.form("PATCH", path(world), {"state": state})
        assert answer.status_code == 409
        assert list(answer.json()) == ["detail", "state"]
        assert answer.json()["state"] == "successful"


def test_a_container_instance_too(owner: Client, world: World) -> None:
    answer = owner.form("PATCH", f"/api/updatetaskinstancestatus/{world.container_instance.uuid}", {"state": "failed"})
    assert answer.json()["state"] == "failed"


def test_terminated_is_a_terminate(cast: Cast, world: World) -> None:
    now = timezone.now()
    world.instance.state = State.RUNNING
    world.instance.save()
    attempt = TaskAttempt.objects.create(
        instance=world.instance, number=1, worker="w", lease_expires=now + timedelta(hours=1), datetime_claimed=now
    )
    assert cast.owner.form("PATCH", path(world), {"state": "successful"}).status_code == 409
    answer = cast.queue_owner.form("PATCH", path(world), {"state": "terminated"})
    assert (answer.status_code, answer.json()["state"]) == (200, "running")
    attempt.delete()
    assert cast.owner.form("PATCH", path(world), {"state": "terminated"}).json()["state"] == "terminated"


@pytest.mark.parametrize(
    ("who", "state", "status"),
    [
        ("stranger", "running", 403),
        ("stranger", "terminated", 403),
        ("queue_owner", "running", 403),
        ("queue_owner", "terminated", 200),
        ("admin", "running", 200),
        ("worker", "running", 200),
        ("other_worker", "running", 403),
        ("other_worker", "terminated", 403),
        ("nobody", "running", 401),
    ],
)
def test_who_may(cast: Cast, world: World, who: str, state: str, status: int) -> None:
    assert cast[who].form("PATCH", path(world), {"state": state}).status_code == status


def test_unknown_uuids(cast: Cast) -> None:
    uuid = uuid4()
    for name in ("owner", "worker"):
        answer = cast[name].form("PATCH", f"/api/updatetaskinstancestatus/{uuid}/", {"state": "running"})
        assert answer.status_code == 400
        assert answer.json() == f"There is no task instance with the UUID {uuid}."
    assert cast.owner.form("PATCH", "/api/updatetaskinstancestatus/x/", {"state": "running"}).status_code == 404


@pytest.mark.parametrize("state", ["", "RUNNING", "nonsense", "\0"])
def test_states_that_are_none(owner: Client, world: World, state: str) -> None:
    answer = owner.form("PATCH", path(world), {"state": state})
    assert (answer.status_code, answer.json()) == (400, {"state": [f'"{state}" is not a valid choice.']})


def test_bodies_that_are_none(owner: Client, world: World) -> None:
    assert owner.form("PATCH", path(world), {}).json() == {"state": ["This field is required."]}
    assert owner.json("PATCH", path(world), {"state": ["running"]}).status_code == 400
    assert owner.json("PATCH", path(world), []).status_code == 400
    assert owner.json("PATCH", path(world), {"state": None}).json() == {"state": ["This field may not be null."]}


def test_only_patch(owner: Client, world: World) -> None:
    for method in ("GET", "PUT", "POST", "DELETE"):
        assert owner.json(method, path(world), {}).status_code == 405

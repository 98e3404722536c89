"""What version 2 adds to instances; `docs/wire-v2.md` says the same for people."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from saltant.jobs import Kind
from saltant.reasons import Reason
from saltant.server.tasks import services
from saltant.server.tasks.models import TaskAttempt
from saltant.states import State
from tests.integration.api.test_task_instances import KEYS
from tests.integration.conftest import V2, Client, World

PATH = "/api/executabletaskinstances/"
ADDED = [
    "reason",
    "message",
    "attempt",
    "worker",
    "datetime_started",
    "exit_code",
    "signal",
    "cpu_seconds",
    "peak_memory",
    "waiting",
]
NOT_HANDED = "It has not been handed to the workers yet."


def added(client: Client, world: World) -> dict[str, Any]:
    """What version 2 adds to the world's instance, which is the same in a list."""
    body = client.get2(f"{PATH}{world.instance.uuid}/").json()
    assert client.get2(PATH).json()["results"] == [body]
    assert list(body) == [*KEYS, *ADDED]
    return {key: body[key] for key in ADDED}


def test_a_new_one(owner: Client, world: World) -> None:
    assert added(owner, world) == dict.fromkeys(ADDED) | {"message": "", "attempt": 1, "waiting": NOT_HANDED}


def test_a_new_one_as_it_is_born(owner: Client, world: World) -> None:
    sent = {"task_queue": world.queue.id, "task_type": world.executable.id, "arguments": {"text": 'ä"\n'}}
    body = owner.json("POST", PATH, sent, HTTP_ACCEPT=V2).json()
    assert list(body) == [*KEYS, *ADDED]
    assert owner.get2(f"{PATH}{body['uuid']}/").json() == body
    clone = owner.post(f"{PATH}{body['uuid']}/clone/", HTTP_ACCEPT=V2).json()
    assert {key: clone[key] for key in ADDED} == {key: body[key] for key in ADDED}


def test_one_that_ended(owner: Client, world: World) -> None:
    now = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    world.instance.state, world.instance.attempt = State.FAILED, 2
    world.instance.reason, world.instance.message = Reason.KILLED, "Killed by signal 9."
    world.instance.save()
    lost = TaskAttempt(instance=world.instance, number=1, worker="first", datetime_claimed=now)
    killed = TaskAttempt(
        instance=world.instance,
        number=2,
        worker="second",
        datetime_claimed=now,
        datetime_started=now,
        signal=9,
        cpu_seconds=1e-05,
        peak_memory=2**40,
    )
    TaskAttempt.objects.bulk_create([lost, killed])
    assert added(owner, world) == {
        "reason": "killed",
        "message": "Killed by signal 9.",
        "attempt": 2,
        "worker": "second",
        "datetime_started": "2030-01-02T03:04:05.000000Z",
        "exit_code": None,
        "signal": 9,
        "cpu_seconds": 1e-05,
        "peak_memory": 2**40,
        "waiting": None,
    }
    killed.delete()
    assert added(owner, world)["worker"] is None, "an earlier attempt says nothing of the current one"


def test_why_one_waits(owner: Client, world: World, django_assert_num_queries: Any) -> None:
    world.instance.state = State.PUBLISHED
    world.instance.save()
    assert added(owner, world)["waiting"] == "No worker serves the queue 'queue' now."
    services.announce("docker only", ["queue"], [Kind.DOCKER], 1)
    assert added(owner, world)["waiting"] == "No worker of the queue 'queue' can run executables."
    services.announce("all", None, list(Kind), 1)
    assert added(owner, world)["waiting"] == "It waits for a free slot on a worker."
    world.instance.state = State.RUNNING
    world.instance.save()
    assert added(owner, world)["waiting"] is None
    with django_assert_num_queries(2):
        owner.get2(f"{PATH}{world.instance.uuid}/")


def test_terminate_answers_in_version_2(owner: Client, world: World) -> None:
    body = owner.post(f"{PATH}{world.instance.uuid}/terminate/", HTTP_ACCEPT=V2).json()
    assert (body["reason"], body["message"], body["waiting"]) == ("cancelled", "Terminated by owner.", None)


def test_a_lease_is_no_news(owner: Client, world: World) -> None:
    now = timezone.now()
    TaskAttempt.objects.create(
        instance=world.instance, number=1, worker="w", lease_expires=now + timedelta(1), datetime_claimed=now
    )
    body = owner.get2(f"{PATH}{world.instance.uuid}/").json()
    assert body["worker"] == "w"
    assert "lease_expires" not in body


@pytest.mark.parametrize("path", ["executabletasktypes", "containertasktypes", "taskqueues", "taskwhitelists", "users"])
def test_other_bodies_are_as_in_version_1(owner: Client, path: str) -> None:
    assert owner.get2(f"/api/{path}/").content == owner.get(f"/api/{path}/").content

"""What version 2 adds to instances; `docs/wire-v2.md` says the same for people."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from saltant.jobs import Attempt, End, Kind, Ticket
from saltant.reasons import Reason
from saltant.server.tasks import services
from saltant.server.tasks.models import LIMITS, TaskAttempt
from saltant.states import State
from saltant.workers import Announcement
from tests.integration.api.test_task_instances import KEYS
from tests.integration.conftest import V2, Cast, Client, World

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
    "image_digest",
    "waiting",
    "cancelled_by",
    "datetime_changed",
    "labels",
    "progress",
    "schedule",
    "timeout",
    "queue_timeout",
    "max_attempts",
    "retry_on",
    "retry_delay",
    "memory",
    "cpus",
    "priority",
    "gpus",
    "revision",
    "command",
]
NO_LIMITS = dict.fromkeys(LIMITS) | {"max_attempts": 1, "retry_on": "lost", "retry_delay": 5.0, "priority": 5}
UNSAID = dict.fromkeys(key for key in ADDED if key != "datetime_changed")
NOT_HANDED = "It has not been handed to the workers yet."


def added(client: Client, world: World) -> dict[str, Any]:
    """What version 2 adds to the world's instance, which is the same in a list."""
    body = client.get2(f"{PATH}{world.instance.uuid}/").json()
    assert client.get2(PATH).json()["results"] == [body]
    assert list(body) == [*KEYS, *ADDED]
    assert body.pop("datetime_changed") >= body["datetime_created"]
    return {key: body[key] for key in ADDED if key in body}


def test_a_new_one(owner: Client, world: World) -> None:
    fresh = {"message": "", "attempt": 1, "labels": {}, "waiting": NOT_HANDED}
    assert added(owner, world) == UNSAID | NO_LIMITS | fresh


def test_a_new_one_as_it_is_born(owner: Client, world: World) -> None:
    sent = {"task_queue": world.queue.id, "task_type": world.executable.id, "arguments": {"text": 'ä"\n'}}
    body = owner.json("POST", PATH, sent, HTTP_ACCEPT=V2).json()
    assert list(body) == [*KEYS, *ADDED]
    assert owner.get2(f"{PATH}{body['uuid']}/").json() == body
    clone = owner.post(f"{PATH}{body['uuid']}/clone/", HTTP_ACCEPT=V2).json()
    assert [each.pop("datetime_changed") for each in (body, clone)] == [
        each["datetime_created"] for each in (body, clone)
    ]
    same = set(ADDED) - {"datetime_changed"}
    assert {key: clone[key] for key in same} == {key: body[key] for key in same}


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
        image_digest="sha256:ab",
    )
    TaskAttempt.objects.bulk_create([lost, killed])
    assert added(owner, world) == UNSAID | {
        "reason": "killed",
        "message": "Killed by signal 9.",
        "attempt": 2,
        "worker": "second",
        "datetime_started": "2030-01-02T03:04:05.000000Z",
        "exit_code": None,
        "signal": 9,
        "cpu_seconds": 1e-05,
        "peak_memory": 2**40,
        "image_digest": "sha256:ab",
        "waiting": None,
        "cancelled_by": None,
        "labels": {},
        **NO_LIMITS,
    }
    killed.delete()
    assert added(owner, world)["worker"] is None, "an earlier attempt says nothing of the current one"


def test_why_one_waits(owner: Client, world: World, django_assert_num_queries: Any) -> None:
    world.instance.state = State.PUBLISHED
    world.instance.save()
    assert added(owner, world)["waiting"] == "No worker serves the queue 'queue' now."
    services.announce(Announcement(worker="docker only", queues=["queue"], kinds=[Kind.DOCKER]))
    assert added(owner, world)["waiting"] == "No worker of the queue 'queue' can run executables."
    services.announce(Announcement(worker="all", kinds=list(Kind)))
    assert added(owner, world)["waiting"] == "It waits for a free slot on a worker."
    world.instance.start_after = datetime(2030, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    world.instance.save()
    assert added(owner, world)["waiting"] == "Its next attempt starts at 2030-01-02T03:04:05Z."
    services.set_paused(world.queue, True)
    assert added(owner, world)["waiting"] == "The queue 'queue' is paused."
    world.instance.state = State.RUNNING
    world.instance.save()
    assert added(owner, world)["waiting"] is None
    with django_assert_num_queries(2):
        owner.get2(f"{PATH}{world.instance.uuid}/")


def test_terminate_answers_in_version_2(owner: Client, world: World) -> None:
    body = owner.post(f"{PATH}{world.instance.uuid}/terminate/", HTTP_ACCEPT=V2).json()
    assert (body["reason"], body["message"], body["waiting"]) == ("cancelled", "Terminated by owner.", None)
    assert body["cancelled_by"] == "owner"


def test_who_asked_for_the_end_of_one_that_still_runs(cast: Cast, world: World) -> None:
    run(world)
    body = cast.queue_owner.post(f"{PATH}{world.instance.uuid}/terminate/", HTTP_ACCEPT=V2).json()
    assert (body["state"], body["cancelled_by"], body["reason"]) == ("running", "queue_owner", None)


def run(world: World) -> None:
    """Have a worker claim the world's instance."""
    world.instance.state = State.PUBLISHED
    world.instance.snapshot = {"command_to_run": "x"}
    world.instance.save()
    ticket = Ticket(Attempt(world.instance.uuid, world.instance.attempt), "queue", Kind.EXECUTABLE)
    assert services.claim(ticket, "w") is not None


def test_attempts(owner: Client, world: World, django_assert_num_queries: Any) -> None:
    path = f"{PATH}{world.instance.uuid}/attempts/"
    assert owner.get(path).content == b"[]"
    run(world)
    end = End(
        Reason.EXITED,
        exit_code=3,
        finished=datetime(2030, 1, 1, tzinfo=UTC),
        cpu_seconds=0.5,
        peak_memory=2**33,
        image_digest="sha256:ab",
    )
    assert services.finish(Attempt(world.instance.uuid, 1), "w", end)
    TaskAttempt.objects.create(
        instance=world.instance, number=2, worker="second", datetime_claimed=datetime(2030, 1, 2, tzinfo=UTC)
    )
    with django_assert_num_queries(3):
        first, second = owner.get2(path).json()
    assert owner.get(path).json() == [first, second], "a path that version 1 does not have needs no header"
    assert first.pop("datetime_claimed").endswith("Z")
    assert first == {
        "number": 1,
        "worker": "w",
        "reason": "exited",
        "message": "",
        "datetime_started": None,
        "datetime_finished": "2030-01-01T00:00:00.000000Z",
        "exit_code": 3,
        "signal": None,
        "cpu_seconds": 0.5,
        "peak_memory": 2**33,
        "image_digest": "sha256:ab",
    }
    assert second["image_digest"] is None
    assert (second["number"], second["reason"], second["datetime_finished"]) == (2, None, None)
    assert owner.get(path.replace("executable", "container")).status_code == 404
    assert owner.get(f"{PATH}x/attempts/").status_code == 404


def test_a_lease_is_no_news(owner: Client, world: World) -> None:
    now = timezone.now()
    TaskAttempt.objects.create(
        instance=world.instance, number=1, worker="w", lease_expires=now + timedelta(1), datetime_claimed=now
    )
    body = owner.get2(f"{PATH}{world.instance.uuid}/").json()
    assert body["worker"] == "w"
    assert "lease_expires" not in body


@pytest.mark.parametrize("path", ["workers"])
def test_other_bodies_are_as_in_version_1(owner: Client, path: str) -> None:
    assert owner.get2(f"/api/{path}/").content == owner.get(f"/api/{path}/").content

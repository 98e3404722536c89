"""…taskinstances/{uuid}/terminate/."""

from datetime import timedelta

import pytest
from django.utils import timezone

from saltant.server.tasks.models import TaskAttempt
from saltant.states import State
from tests.integration.conftest import Cast, Client, World


def path(world: World) -> str:
    """Where the owner's instance is terminated."""
    return f"/api/executabletaskinstances/{world.instance.uuid}/terminate/"


@pytest.mark.parametrize("who", ["owner", "queue_owner", "admin"])
@pytest.mark.parametrize("state", ["created", "published"])
def test_what_waits_ends_at_once(cast: Cast, world: World, who: str, state: str) -> None:
    world.instance.state = State(state)
    world.instance.save()
    answer = cast[who].post(path(world))
    assert answer.status_code == 202
    body = answer.json()
    assert body["state"] == "terminated"
    assert body["datetime_finished"]
    assert list(body) == list(cast.owner.get(path(world).removesuffix("terminate/")).json())


def test_a_stranger_may_not(cast: Cast, world: World) -> None:
    answer = cast.stranger.post(path(world))
    assert answer.status_code == 403
    assert answer.json() == {"detail": "You do not have permission to perform this action."}
    world.instance.refresh_from_db()
    assert world.instance.state == "created"


@pytest.mark.parametrize("state", ["successful", "failed", "terminated"])
def test_what_has_ended_stays_as_it_is(owner: Client, world: World, state: str) -> None:
    world.instance.state = State(state)
    world.instance.save()
    answer = owner.post(path(world).rstrip("/"))
    assert (answer.status_code, answer.json()["state"]) == (202, state)


def test_what_a_worker_runs_stays_running_for_now(owner: Client, world: World) -> None:
    now = timezone.now()
    world.instance.state = State.RUNNING
    world.instance.save()
    TaskAttempt.objects.create(
        instance=world.instance, number=1, worker="w", lease_expires=now + timedelta(hours=1), datetime_claimed=now
    )
    answer = owner.post(path(world))
    assert (answer.status_code, answer.json()["state"]) == (202, "running")


def test_not_across_classes(owner: Client, world: World) -> None:
    assert owner.post(path(world).replace("executable", "container")).status_code == 404


def test_only_post(owner: Client, world: World) -> None:
    assert owner.get(path(world)).status_code == 405

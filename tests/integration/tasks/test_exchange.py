"""An end and the next claim in one transaction."""

from typing import Any

import pytest

from saltant.jobs import Attempt, End, Kind, Ticket
from saltant.reasons import Reason
from saltant.server.tasks import services
from saltant.server.tasks.models import TaskAttempt, TaskInstance
from saltant.server.tasks.services import exchanges
from tests.integration.tasks.conftest import Lab

DONE = End(Reason.EXITED, exit_code=0)


def ticket_for(instance: TaskInstance) -> Ticket:
    return Ticket(Attempt(instance.uuid, instance.attempt), "queue", Kind.EXECUTABLE)


def state_of(instance: TaskInstance) -> str:
    return TaskInstance.objects.get(pk=instance.pk).state


def test_it_ends_one_and_claims_the_next(lab: Lab) -> None:
    first, second = lab.claim(), lab.submit({"n": 2})
    accepted, job = services.exchange(ticket_for(first).attempt, "w1", DONE, ticket_for(second))
    assert accepted
    assert job is not None
    assert (job.attempt.uuid, job.arguments) == (second.uuid, {"n": 2})
    assert (state_of(first), state_of(second)) == ("successful", "running")
    assert TaskAttempt.objects.get(instance=second).worker == "w1"


def test_the_end_makes_room_for_the_claim(lab: Lab) -> None:
    lab.queue.max_running = 1
    lab.queue.save()
    first, second = lab.claim(), lab.submit()
    assert services.claim(ticket_for(second), "w1") is None
    assert services.exchange(ticket_for(first).attempt, "w1", DONE, ticket_for(second))[1] is not None


def test_an_end_that_comes_too_late_does_not_hinder_the_claim(lab: Lab) -> None:
    first, second = lab.claim("another"), lab.submit()
    accepted, job = services.exchange(ticket_for(first).attempt, "w1", DONE, ticket_for(second))
    assert not accepted
    assert job is not None
    assert state_of(first) == "running"


def test_both_happen_or_neither(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = lab.claim(), lab.submit()
    claim: Any = exchanges.claim

    def claim_and_fail(*said: Any) -> None:
        claim(*said)
        raise OSError("the disk is full")

    monkeypatch.setattr(exchanges, "claim", claim_and_fail)
    with pytest.raises(OSError, match="full"):
        services.exchange(ticket_for(first).attempt, "w1", DONE, ticket_for(second))
    assert (state_of(first), state_of(second)) == ("running", "published")
    monkeypatch.undo()
    assert services.exchange(ticket_for(first).attempt, "w1", DONE, ticket_for(second))[0]

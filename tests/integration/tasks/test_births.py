"""Claiming an instance in the transaction that makes it."""

from collections.abc import Iterator
from threading import Thread

import pytest
from django.db import transaction

from saltant.jobs import Attempt, End, Kind, Ticket
from saltant.reasons import Reason
from saltant.server.tasks import services
from saltant.server.tasks.models import TaskAttempt, TaskInstance
from tests.brokers.rig import wait_for
from tests.integration.tasks.conftest import Lab

DONE = End(Reason.EXITED, exit_code=0)


class Slot:
    """One that waits for a ticket of the engine's."""

    def __init__(self, lab: Lab) -> None:
        self.taken: list[Ticket | None] = []
        self._engine = lab.engine
        self._thread = Thread(target=self._take)
        self._thread.start()
        wait_for(lambda: self._engine._waiting)

    def ticket(self) -> Ticket | None:
        wait_for(lambda: self.taken)
        return self.taken[0]

    def close(self) -> None:
        self._engine.close()
        self._thread.join(30)

    def _take(self) -> None:
        self.taken.append(self._engine.take(None, list(Kind)))


@pytest.fixture
def slot(lab: Lab) -> Iterator[Slot]:
    """A slot of a worker of the server's own process, with nothing to do."""
    lab.engine.worker = "w1"
    slot = Slot(lab)
    yield slot
    slot.close()


def submit(lab: Lab, **more: object) -> TaskInstance:
    with services.claimed_at_once(), transaction.atomic():
        said = {"user": lab.user, "task_type": lab.task_type, "task_queue": lab.queue, "arguments": {"n": 1}}
        return services.submit(**said | more)  # type: ignore[arg-type]


def test_a_slot_that_waits_has_it_with_the_commit(lab: Lab, slot: Slot) -> None:
    born = submit(lab)
    assert born.state == "created"
    ticket = slot.ticket()
    assert ticket is not None
    assert ticket.is_claimed
    assert ticket.attempt == Attempt(born.uuid, 1)
    stored = TaskInstance.objects.get(pk=born.pk)
    held = TaskAttempt.objects.get(instance=born)
    assert (stored.state, held.worker, held.datetime_started) == ("running", "w1", None)
    job = lab.engine.job_of(ticket.attempt)
    assert job is not None
    assert (job.command_to_run, job.arguments) == ("/bin/true", {"n": 1})
    assert services.finish(ticket.attempt, "w1", DONE)
    stored.refresh_from_db()
    assert stored.state == "successful"


def test_it_is_the_same_job_as_a_later_claim_gives(lab: Lab, slot: Slot) -> None:
    submit(lab)
    ticket = slot.ticket()
    assert ticket is not None
    assert lab.engine.job_of(ticket.attempt) == services.claim(ticket, "w1")


def test_where_nobody_waits_it_is_claimed_later(lab: Lab) -> None:
    lab.engine.worker = "w1"
    born = submit(lab)
    assert TaskInstance.objects.get(pk=born.pk).state == "published"
    ticket = lab.ticket()
    assert ticket == Ticket(Attempt(born.uuid, 1), lab.queue.lane, Kind.EXECUTABLE)
    assert not TaskAttempt.objects.exists()


def test_of_two_one_waits_in_line(lab: Lab, slot: Slot) -> None:
    first, second = submit(lab), submit(lab)
    ticket = slot.ticket()
    assert ticket is not None
    assert ticket.attempt.uuid == first.uuid
    assert TaskInstance.objects.get(pk=second.pk).state == "published"


def test_what_is_not_committed_takes_no_slot(lab: Lab, slot: Slot) -> None:
    def submit_and_fail() -> None:
        with services.claimed_at_once(), transaction.atomic():
            services.submit(user=lab.user, task_type=lab.task_type, task_queue=lab.queue)
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        submit_and_fail()
    assert not TaskInstance.objects.exists()
    assert slot.taken == []
    born = submit(lab)
    ticket = slot.ticket()
    assert ticket is not None
    assert ticket.attempt.uuid == born.uuid
    assert ticket.is_claimed


def test_what_may_not_start_is_not_claimed(lab: Lab, slot: Slot) -> None:
    lab.queue.paused = True
    lab.queue.save()
    paused = submit(lab)
    ticket = slot.ticket()  # as without a slot that waits: who claims finds out
    assert ticket is not None
    assert not ticket.is_claimed
    assert services.claim(ticket, "w1") is None
    assert TaskInstance.objects.get(pk=paused.pk).state == "published"


def test_what_a_limit_applies_to_is_left_to_a_claim(lab: Lab, slot: Slot) -> None:
    lab.queue.max_running = 1
    lab.queue.save()
    submit(lab)
    ticket = slot.ticket()
    assert ticket is not None
    assert not ticket.is_claimed
    assert services.claim(ticket, "w1") is not None


def test_it_is_given_back_when_the_worker_has_stopped_meanwhile(lab: Lab, slot: Slot) -> None:
    with services.claimed_at_once(), transaction.atomic():
        born = services.submit(user=lab.user, task_type=lab.task_type, task_queue=lab.queue)
        assert TaskInstance.objects.get(pk=born.pk).state == "running"
        lab.engine.close()
    assert slot.ticket() is None
    assert TaskInstance.objects.get(pk=born.pk).state == "published"
    assert not TaskAttempt.objects.exists()
    assert services.claim(Ticket(Attempt(born.uuid, 1), "queue", Kind.EXECUTABLE), "w2") is not None


def test_a_request_that_makes_several_claims_one_at_most(lab: Lab, slot: Slot) -> None:
    with services.claimed_at_once(), transaction.atomic():
        first, second = (
            services.submit(user=lab.user, task_type=lab.task_type, task_queue=lab.queue) for _ in range(2)
        )
    ticket = slot.ticket()
    assert ticket is not None
    assert ticket.attempt.uuid == first.uuid
    assert TaskInstance.objects.get(pk=second.pk).state == "published"

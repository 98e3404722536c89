from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from saltant.jobs import Attempt, End, Kind, Ticket
from saltant.reasons import Reason
from saltant.server.accounts.models import User
from saltant.server.tasks import services, waiting
from saltant.server.tasks.models import TaskAttempt, TaskInstance
from saltant.server.tasks.services.recovery import expire_leases
from saltant.states import State
from saltant.workers import Announcement
from tests.integration.tasks.conftest import Lab

DONE = End(Reason.EXITED, exit_code=0, cpu_seconds=0.5)


def attempt_of(instance: TaskInstance) -> Attempt:
    return Attempt(instance.uuid, instance.attempt)


def test_an_attempt_is_claimed_once(lab: Lab) -> None:
    instance = lab.submit({"a": 1})
    ticket = Ticket(attempt_of(instance), "queue", Kind.EXECUTABLE)
    job = services.claim(ticket, "w1")
    assert job is not None
    assert job.arguments == {"a": 1}
    assert services.claim(ticket, "w2") is None
    assert services.claim(ticket, "w1") == job, "its first answer may have been lost on the way"
    assert services.finish(job.attempt, "w1", DONE)
    assert services.claim(ticket, "w1") is None
    instance.refresh_from_db()
    assert instance.state == "successful"


def test_a_claim_that_is_answered_again_begins_its_lease_anew(lab: Lab) -> None:
    instance = lab.submit()
    ticket = Ticket(attempt_of(instance), "queue", Kind.EXECUTABLE)
    services.claim(ticket, "w1")
    soon = timezone.now() + timedelta(seconds=1)
    instance.attempts.update(lease_expires=soon)
    services.claim(ticket, "w2")
    assert instance.attempts.get().lease_expires == soon
    services.claim(ticket, "w1")
    renewed = instance.attempts.get().lease_expires
    assert renewed is not None
    assert renewed > soon


def test_forged_and_stale_tickets_do_nothing(lab: Lab) -> None:
    instance = lab.submit()
    for attempt in (Attempt(uuid4(), 1), Attempt(instance.uuid, 2), Attempt(instance.uuid, 0)):
        assert services.claim(Ticket(attempt, "queue", Kind.EXECUTABLE), "w1") is None
    instance.refresh_from_db()
    assert instance.state == "published"


@pytest.mark.parametrize(
    ("end", "state"),
    [
        (DONE, "successful"),
        (End(Reason.EXITED, exit_code=3), "failed"),
        (End(Reason.KILLED, signal=9), "failed"),
        (End(Reason.COMMAND_NOT_FOUND, "no /x"), "failed"),
        (End(Reason.SERVER_STOPPED), "failed"),
        (End(Reason.CANCELLED), "terminated"),
    ],
)
def test_an_end_is_recorded(lab: Lab, end: End, state: str) -> None:
    instance = lab.claim()
    assert services.finish(attempt_of(instance), "w1", end)
    instance.refresh_from_db()
    assert (instance.state, instance.reason, instance.message) == (state, end.reason, end.message)
    assert instance.datetime_finished is not None
    attempt = instance.attempts.get()
    assert (attempt.exit_code, attempt.signal, attempt.cpu_seconds) == (end.exit_code, end.signal, end.cpu_seconds)
    assert attempt.lease_expires is None


def test_only_the_holder_of_a_lease_ends_an_attempt_and_only_once(lab: Lab) -> None:
    instance = lab.claim("w1")
    attempt = attempt_of(instance)
    assert not services.finish(attempt, "w2", DONE)
    assert not services.finish(Attempt(attempt.uuid, 2), "w1", DONE)
    assert services.finish(attempt, "w1", DONE)
    assert not services.finish(attempt, "w1", End(Reason.EXITED, exit_code=1))
    instance.refresh_from_db()
    assert instance.state == "successful"


def test_a_heartbeat_renews_and_brings_cancels(lab: Lab) -> None:
    kept, cancelled = lab.claim(), lab.claim()
    before = kept.attempts.get().lease_expires
    services.terminate(instance=cancelled, user=lab.user)
    foreign = Attempt(uuid4(), 1)
    orders = services.heartbeat("w1", dict.fromkeys([attempt_of(kept), attempt_of(cancelled), foreign]))
    assert orders.to_end == {attempt_of(cancelled), foreign}
    after = kept.attempts.get().lease_expires
    assert before is not None
    assert after is not None
    assert after > before


def test_a_heartbeat_of_another_worker_renews_nothing(lab: Lab) -> None:
    instance = lab.claim("w1")
    before = instance.attempts.get().lease_expires
    assert services.heartbeat("w2", {attempt_of(instance): None}).to_end == {attempt_of(instance)}
    assert instance.attempts.get().lease_expires == before


def test_a_heartbeat_tells_when_a_program_started_and_a_loss_does_not_forget_it(lab: Lab) -> None:
    instance, started = lab.claim(), timezone.now()
    services.heartbeat("w1", {attempt_of(instance): started})
    assert instance.attempts.get().datetime_started == started
    services.recover()
    assert instance.attempts.get().datetime_started == started


def test_a_lease_that_is_over_ends_the_attempt_as_lost(lab: Lab) -> None:
    instance, live = lab.claim(), lab.claim()
    TaskAttempt.objects.filter(instance=instance).update(lease_expires=timezone.now() - timedelta(seconds=1))
    assert expire_leases(timezone.now()) == 1
    instance.refresh_from_db()
    live.refresh_from_db()
    assert (instance.state, instance.reason, live.state) == ("failed", "lost", "running")
    assert not services.finish(attempt_of(instance), "w1", DONE)


def test_recovery_ends_what_was_running_and_only_that(lab: Lab) -> None:
    ran, waits, by_hand = lab.claim(), lab.submit(), lab.submit()
    services.report(instance=by_hand, state=State.RUNNING, user=lab.user)
    assert services.recover() == 1
    states = [TaskInstance.objects.get(pk=each.pk).state for each in (ran, waits, by_hand)]
    assert states == ["failed", "published", "running"]
    assert services.recover() == 0


def test_deleting_a_user_takes_no_instance_along(lab: Lab) -> None:
    instance = lab.submit()
    User.objects.all().delete()
    instance.refresh_from_db()
    assert instance.user is None


def test_an_instance_says_why_it_waits(lab: Lab) -> None:
    def why(kind: Kind) -> str | None:
        return waiting.explain(waiting.Facts("published", kind, "queue"), waiting.live_workers())

    assert why(Kind.EXECUTABLE) == "No worker serves the queue 'queue' now."
    services.announce(Announcement(worker="w1", queues=["other"], kinds=[Kind.EXECUTABLE]))
    assert why(Kind.EXECUTABLE) == "No worker serves the queue 'queue' now."
    services.announce(Announcement(worker="w1", kinds=[Kind.EXECUTABLE]))
    assert why(Kind.EXECUTABLE) == "It waits for a free slot on a worker."
    assert why(Kind.DOCKER) == "No worker of the queue 'queue' can run Docker containers."
    assert waiting.explain(waiting.Facts("running", Kind.DOCKER, "queue"), []) is None

from datetime import timedelta

import pytest
from django.utils import timezone

from saltant.jobs import Attempt, End, Kind, Ticket
from saltant.reasons import Reason
from saltant.server.tasks import services
from saltant.server.tasks.models import TaskAttempt, TaskInstance, TaskType
from saltant.server.tasks.services import recovery
from tests.integration.tasks.conftest import Lab

FAILED = End(Reason.EXITED, exit_code=1)
LOST = End(Reason.LOST)
LATER = timedelta(days=1)


def claim_again(lab: Lab, instance: TaskInstance) -> Attempt:
    """The next attempt, once its delay is over."""
    assert recovery.publish_due(timezone.now() + LATER) == 1
    ticket = lab.ticket()
    assert ticket is not None
    assert services.claim(ticket, "w1") is not None
    instance.refresh_from_db()
    return ticket.attempt


def limited(lab: Lab, **limits: object) -> TaskInstance:
    TaskType.objects.update(**limits)
    lab.task_type.refresh_from_db()
    return lab.claim()


@pytest.mark.parametrize(
    ("retry_on", "end", "again"),
    [
        ("lost", LOST, True),
        ("lost", End(Reason.SERVER_STOPPED), True),
        ("lost", FAILED, False),
        ("failed", FAILED, True),
        ("failed", LOST, True),
        ("failed", End(Reason.KILLED, signal=9), True),
        ("failed", End(Reason.TIMED_OUT), True),
        ("failed", End(Reason.COMMAND_NOT_FOUND), False),
        ("failed", End(Reason.EXITED, exit_code=0), False),
        ("failed", End(Reason.CANCELLED), False),
    ],
)
def test_which_ends_are_tried_again(lab: Lab, retry_on: str, end: End, again: bool) -> None:
    instance = limited(lab, max_attempts=2, retry_on=retry_on)
    assert services.finish(Attempt(instance.uuid, 1), "w1", end)
    instance.refresh_from_db()
    assert instance.state == ("published" if again else end.state)
    assert instance.attempt == (2 if again else 1)
    if again:
        second = claim_again(lab, instance)
        assert not services.finish(Attempt(instance.uuid, 1), "w1", FAILED)
        assert services.finish(second, "w1", end)
        instance.refresh_from_db()
        assert (instance.state, instance.attempt) == (end.state, 2)
        assert [attempt.reason for attempt in instance.attempts.all()] == [end.reason, end.reason]


def test_attempts_wait_longer_each_time_and_no_ticket_starts_them_early(lab: Lab) -> None:
    instance = limited(lab, max_attempts=3, retry_on="failed", retry_delay=100.0)
    for number, delay in ((1, 100), (2, 200)):
        before = timezone.now()
        services.finish(Attempt(instance.uuid, number), "w1", FAILED)
        instance.refresh_from_db()
        assert instance.start_after is not None
        assert timedelta(0) <= instance.start_after - before - timedelta(seconds=delay) < timedelta(seconds=60)
        early = Ticket(Attempt(instance.uuid, number + 1), "queue", Kind.EXECUTABLE)
        assert services.claim(early, "w1") is None
        assert recovery.publish_due(timezone.now()) == 0
        claim_again_at = TaskInstance.objects.filter(pk=instance.pk)
        claim_again_at.update(start_after=timezone.now())
        assert services.claim(early, "w1") is not None


def test_a_cancelled_instance_is_not_tried_again(lab: Lab) -> None:
    instance = limited(lab, max_attempts=5)
    services.terminate(instance=instance, user=lab.user)
    TaskAttempt.objects.update(lease_expires=timezone.now() - LATER)
    recovery.expire_leases(timezone.now())
    instance.refresh_from_db()
    assert (instance.state, instance.reason) == ("terminated", "cancelled")
    assert "owner" in instance.message


def test_terminating_between_two_attempts_ends_it(lab: Lab) -> None:
    instance = limited(lab, max_attempts=5)
    services.finish(Attempt(instance.uuid, 1), "w1", LOST)
    services.terminate(instance=instance, user=lab.user)
    assert recovery.publish_due(timezone.now() + LATER) == 0
    instance.refresh_from_db()
    assert instance.state == "terminated"


def test_an_instances_own_limits_win_and_are_kept_by_clones(lab: Lab) -> None:
    TaskType.objects.update(timeout=10.0, memory=1000)
    lab.task_type.refresh_from_db()
    instance = services.submit(
        user=lab.user, task_type=lab.task_type, task_queue=lab.queue, limits={"timeout": 5.0, "cpus": 2.0}
    )
    assert (instance.timeout, instance.memory, instance.cpus) == (5.0, 1000, 2.0)
    clone = services.clone(user=lab.user, instance=TaskInstance.objects.get(pk=instance.pk))
    assert (clone.timeout, clone.memory, clone.cpus) == (5.0, 1000, 2.0)
    ticket = lab.ticket()
    assert ticket is not None
    job = services.claim(ticket, "w1")
    assert job is not None
    assert (job.timeout, job.memory, job.cpus) == (5.0, 1000, 2.0)


def test_what_nobody_claims_in_time_fails_with_whose_time_it_was(lab: Lab, settings: object) -> None:
    TaskType.objects.update(queue_timeout=60.0)
    lab.task_type.refresh_from_db()
    own = lab.submit()
    TaskType.objects.update(queue_timeout=None)
    lab.task_type.refresh_from_db()
    patient, servers = lab.submit(), lab.submit()
    TaskInstance.objects.filter(pk=servers.pk).update(start_before=timezone.now())
    assert recovery.fail_unclaimed(timezone.now() + timedelta(seconds=61)) == 2
    ends = [TaskInstance.objects.get(pk=each.pk) for each in (own, patient, servers)]
    assert [(each.state, each.reason) for each in ends] == [
        ("failed", "queue_timeout"),
        ("published", ""),
        ("failed", "never_claimed"),
    ]


def test_a_paused_queue_starts_nothing_until_it_is_let_on(lab: Lab) -> None:
    instance = lab.submit()
    services.set_paused(lab.queue, True)
    ticket = lab.ticket()
    assert ticket is not None
    assert services.claim(ticket, "w1") is None
    during = lab.submit()
    lab.ticket()
    services.set_paused(lab.queue, False)
    claimed = []
    while ticket := lab.ticket():
        assert services.claim(ticket, "w1") is not None
        claimed.append(ticket.attempt.uuid)
    assert claimed == [instance.uuid, during.uuid]


def test_changing_what_runs_takes_a_type_off_the_lists_of_others(lab: Lab) -> None:
    other = type(lab.user).objects.create_user("other")
    theirs = type(lab.whitelist).objects.create(name="theirs", user=other)
    theirs.task_types.add(lab.task_type)
    assert services.update_type(lab.task_type, {"description": "new", "command_to_run": "/bin/true"}, lab.user) == []
    assert services.update_type(lab.task_type, {"command_to_run": "/bin/sh"}, lab.user) == [theirs]
    assert list(theirs.task_types.all()) == []
    assert list(lab.whitelist.task_types.all()) == [lab.task_type]


def test_an_admin_may_change_what_runs(lab: Lab) -> None:
    admin = type(lab.user).objects.create_superuser("admin")
    assert services.update_type(lab.task_type, {"command_to_run": "/bin/sh"}, admin) == []
    assert list(lab.whitelist.task_types.all()) == [lab.task_type]

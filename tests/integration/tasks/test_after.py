"""Instances that start after others: every way in which these may end, on whatever shape."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from saltant.jobs import Attempt, End, Kind, Ticket
from saltant.reasons import Reason
from saltant.server.files.retention import prune_instances
from saltant.server.tasks import services
from saltant.server.tasks.models import Condition, TaskInstance
from saltant.server.tasks.services import After, recovery
from saltant.states import State
from tests.integration.tasks.conftest import Lab

SUCCESS = End(Reason.EXITED, exit_code=0)
FAILURE = End(Reason.EXITED, exit_code=1)


def after(*others: TaskInstance, condition: Condition = Condition.SUCCESS) -> list[After]:
    return [After(other.uuid, condition) for other in others]


def make(lab: Lab, *others: TaskInstance, condition: Condition = Condition.SUCCESS, **values: Any) -> TaskInstance:
    """An instance that starts after others, as the database has it."""
    instance = services.submit(
        user=lab.user,
        task_type=lab.task_type,
        task_queue=lab.queue,
        after=after(*others, condition=condition),
        **values,
    )
    return fresh(instance)


def fresh(instance: TaskInstance) -> TaskInstance:
    return TaskInstance.objects.get(pk=instance.pk)


def run(lab: Lab, *ends: tuple[TaskInstance, End]) -> None:
    """Have a worker claim them, all together, and end them so, all together."""
    tickets = {ticket.attempt.uuid: ticket for ticket in iter(lab.ticket, None)}
    jobs = services.claim_many([tickets[instance.uuid] for instance, _ in ends], "w1")
    assert None not in jobs
    told = services.finish_many([(Attempt(instance.uuid, instance.attempt), end) for instance, end in ends], "w1")
    assert all(told)


def pending(lab: Lab) -> list[UUID]:
    """The UUIDs of those whose tickets are there, in order."""
    return [ticket.attempt.uuid for ticket in iter(lab.ticket, None)]


def test_it_starts_when_all_have_succeeded(lab: Lab) -> None:
    first, second = lab.submit(), lab.submit()
    last = make(lab, first, second)
    assert (last.state, last.waits_for, last.start_before) == (State.CREATED, 2, None)
    run(lab, (first, SUCCESS))
    assert fresh(last).waits_for == 1
    assert pending(lab) == []
    second.refresh_from_db()
    assert services.claim(ticket_of(lab, second), "w1")
    assert services.finish(Attempt(second.uuid, 1), "w1", SUCCESS)
    last = fresh(last)
    assert (last.state, last.waits_for) == (State.PUBLISHED, 0)
    assert pending(lab) == [last.uuid]


def ticket_of(lab: Lab, instance: TaskInstance) -> Ticket:
    return Ticket(Attempt(instance.uuid, instance.attempt), lab.queue.name, Kind(instance.kind), instance.priority)


def test_many_ends_at_once_count_once_each(lab: Lab) -> None:
    others = [lab.submit() for _ in range(3)]
    last = make(lab, *others)
    run(lab, *((each, SUCCESS) for each in others))
    assert fresh(last).state == State.PUBLISHED
    assert pending(lab) == [last.uuid]


def test_nobody_claims_it_before(lab: Lab) -> None:
    other = lab.submit()
    last = make(lab, other)
    limited = make(lab, other, limits={"cpus": 1.0})
    for each in (last, limited):
        assert services.claim(ticket_of(lab, each), "w1") is None
    services.sweep()
    TaskInstance.objects.update(datetime_created=timezone.now() - timedelta(days=30))
    services.sweep()
    assert pending(lab) == [other.uuid]
    assert {fresh(last).state, fresh(limited).state} == {State.CREATED}


def unclaimed(lab: Lab, instance: TaskInstance) -> None:
    TaskInstance.objects.filter(pk=instance.pk).update(start_before=timezone.now() - timedelta(seconds=1))
    recovery.fail_unclaimed(timezone.now())


def lost(lab: Lab, instance: TaskInstance) -> None:
    assert services.claim(ticket_of(lab, instance), "w1")
    services.recover()


def ends(end: End) -> Callable[[Lab, TaskInstance], None]:
    return lambda lab, instance: run(lab, (instance, end))


def terminated_while_it_runs(lab: Lab, instance: TaskInstance) -> None:
    assert services.claim(ticket_of(lab, instance), "w1")
    services.terminate(instance=instance, user=lab.user)
    services.finish(Attempt(instance.uuid, 1), "w1", End(Reason.CANCELLED))


BAD_ENDS: dict[str, Callable[[Lab, TaskInstance], None]] = {
    "exit code": ends(FAILURE),
    "killed": ends(End(Reason.KILLED, signal=9)),
    "timed out": ends(End(Reason.TIMED_OUT)),
    "lost": lost,
    "never claimed": unclaimed,
    "terminated": lambda lab, instance: services.terminate(instance=instance, user=lab.user),
    "terminated while it runs": terminated_while_it_runs,
    "reported": lambda lab, instance: services.report(instance=instance, state=State.FAILED, user=lab.user) and None,
}


ENDED = {State.FAILED: "failed", State.TERMINATED: "was terminated"}


@pytest.mark.parametrize("how", BAD_ENDS)
def test_what_can_no_longer_start_ends(lab: Lab, how: str) -> None:
    other = lab.submit()
    last, anyhow = make(lab, other), make(lab, other, condition=Condition.ANY)
    further = make(lab, last)
    after_further = make(lab, further, condition=Condition.ANY)
    BAD_ENDS[how](lab, other)
    last, further, state = fresh(last), fresh(further), fresh(other).state
    assert (last.state, last.reason) == (State.FAILED, Reason.DEPENDENCY_FAILED)
    assert last.message == f"Instance {other.uuid} was to succeed first, and it {ENDED[state]}."
    assert last.datetime_finished is not None
    assert (further.state, further.reason) == (State.FAILED, Reason.DEPENDENCY_FAILED)
    assert further.message == f"Instance {last.uuid} was to succeed first, and it failed."
    assert {anyhow.uuid, after_further.uuid} <= set(pending(lab))


def test_a_retry_is_no_end(lab: Lab) -> None:
    other = services.submit(
        user=lab.user, task_type=lab.task_type, task_queue=lab.queue, limits={"max_attempts": 2, "retry_on": "failed"}
    )
    last = make(lab, other)
    run(lab, (fresh(other), FAILURE))
    assert (fresh(other).state, fresh(last).state) == (State.PUBLISHED, State.CREATED)
    assert fresh(last).waits_for == 1


def test_what_has_ended_counts_at_once(lab: Lab) -> None:
    good, bad = lab.submit(), lab.submit()
    run(lab, (good, SUCCESS), (bad, FAILURE))
    started = make(lab, good)
    assert (started.state, started.waits_for) == (State.PUBLISHED, 0)
    anyhow = make(lab, good, bad, condition=Condition.ANY)
    assert set(pending(lab)) == {started.uuid, anyhow.uuid}
    hopeless = make(lab, good, bad)
    assert (hopeless.state, hopeless.reason) == (State.FAILED, Reason.DEPENDENCY_FAILED)
    assert str(bad.uuid) in hopeless.message
    assert pending(lab) == []


def test_terminating_what_waits_ends_what_waits_for_it(lab: Lab) -> None:
    other = lab.submit()
    last = make(lab, other)
    further = make(lab, last)
    services.terminate(instance=last, user=lab.user)
    assert (fresh(last).state, fresh(last).reason) == (State.TERMINATED, Reason.CANCELLED)
    assert fresh(further).reason == Reason.DEPENDENCY_FAILED
    run(lab, (other, SUCCESS))
    assert fresh(last).state == State.TERMINATED


def test_a_diamond_starts_its_end_once(lab: Lab) -> None:
    top = lab.submit()
    left, right = make(lab, top), make(lab, top)
    bottom = make(lab, left, right)
    run(lab, (top, SUCCESS))
    run(lab, (fresh(left), SUCCESS), (fresh(right), SUCCESS))
    assert pending(lab) == [bottom.uuid]


def test_a_diamond_of_which_one_side_fails(lab: Lab) -> None:
    top = lab.submit()
    left, right = make(lab, top), make(lab, top)
    bottom = make(lab, left, right)
    cleaner = make(lab, left, right, condition=Condition.ANY)
    run(lab, (top, SUCCESS))
    run(lab, (fresh(left), FAILURE), (fresh(right), SUCCESS))
    assert fresh(bottom).reason == Reason.DEPENDENCY_FAILED
    assert pending(lab) == [cleaner.uuid]


def test_a_long_chain_ends_in_one_go(lab: Lab) -> None:
    batch = services.Batch(lab.user)
    items = {}
    for index in range(3000):
        wanted = [After(index - 1)] if index else []
        items[index] = batch.add(task_type=lab.task_type, task_queue=lab.queue, after=wanted)
    assert batch.check_after(items, 3000) == {}
    batch.save()
    run(lab, (fresh(items[0]), FAILURE))
    failed = TaskInstance.objects.filter(state=State.FAILED, reason=Reason.DEPENDENCY_FAILED)
    assert failed.count() == 2999
    assert str(items[2998].uuid) in fresh(items[2999]).message


def test_its_own_time_in_the_queue_counts_from_its_release(lab: Lab) -> None:
    other = lab.submit()
    last = make(lab, other, limits={"queue_timeout": 1000.0})
    recovery.fail_unclaimed(timezone.now() + timedelta(hours=1))
    assert fresh(last).state == State.CREATED
    before = timezone.now()
    run(lab, (other, SUCCESS))
    released = fresh(last)
    assert released.start_before is not None
    assert released.start_before >= before + timedelta(seconds=1000)
    recovery.fail_unclaimed(timezone.now() + timedelta(hours=1))
    assert fresh(last).reason == Reason.QUEUE_TIMEOUT


def test_pruning_takes_what_is_satisfied(lab: Lab) -> None:
    first, second = lab.submit(), lab.submit()
    last = make(lab, first, second)
    run(lab, (first, SUCCESS))
    assert prune_instances(timezone.now() + timedelta(seconds=1), really=True).instances == 1
    assert fresh(last).waits_for == 1
    services.terminate(instance=second, user=lab.user)
    assert fresh(last).reason == Reason.DEPENDENCY_FAILED


def test_what_a_limit_applies_to_starts_too(lab: Lab) -> None:
    other = lab.submit()
    last = make(lab, other, limits={"cpus": 1.0})
    run(lab, (other, SUCCESS))
    assert services.claim(ticket_of(lab, fresh(last)), "w1") is not None


def test_it_may_be_reported_by_hand_while_it_waits(lab: Lab) -> None:
    other = lab.submit()
    last = make(lab, other)
    services.report(instance=last, state=State.RUNNING, user=lab.user)
    run(lab, (other, FAILURE))
    assert fresh(last).state == State.RUNNING

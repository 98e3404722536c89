"""Limits that are counted from leases: of queues, users and workers."""

from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from saltant.jobs import Attempt, End, Kind, Ticket
from saltant.reasons import Reason
from saltant.server.accounts.models import User
from saltant.server.tasks import services, waiting
from saltant.server.tasks.models import TaskInstance, TaskQueue
from saltant.server.tasks.services.recovery import fail_unclaimed
from saltant.workers import Announcement
from tests.integration.tasks.conftest import Lab

DONE = End(Reason.EXITED, exit_code=0)
GIB = 2**30


def announce(name: str = "w1", **has: Any) -> None:
    services.announce(Announcement(worker=name, kinds=[Kind.EXECUTABLE], slots=9, **has), ())


def take(lab: Lab, worker: str = "w1") -> Attempt | None:
    """Claim what the next ticket names; None if it may not start. There must be a ticket."""
    ticket = lab.ticket()
    assert ticket is not None
    return None if services.claim(ticket, worker) is None else ticket.attempt


def why(instance: TaskInstance) -> str | None:
    facts = TaskInstance.objects.filter(pk=instance.pk).values_list(*waiting.NEEDS).get()
    return waiting.explain(waiting.Facts(*facts), waiting.live_workers())


def submit(lab: Lab, **limits: Any) -> TaskInstance:
    return services.submit(user=lab.user, task_type=lab.task_type, task_queue=lab.queue, limits=limits)


def test_a_queue_runs_so_many_at_once_and_the_next_when_one_ends(lab: Lab) -> None:
    announce()
    TaskQueue.objects.update(max_running=2)
    instances = [submit(lab) for _ in range(4)]
    first, second = take(lab), take(lab)
    assert first is not None
    assert second is not None
    assert (take(lab), take(lab)) == (None, None)
    assert lab.ticket() is None
    assert why(instances[2]) == "It waits for others to end: the queue 'queue' runs 2 at once."
    services.finish(first, "w1", DONE)
    assert take(lab) == Attempt(instances[2].uuid, 1)
    assert lab.ticket() is None
    services.finish(second, "w1", DONE)
    assert take(lab) == Attempt(instances[3].uuid, 1)


def test_a_user_runs_so_many_at_once(lab: Lab) -> None:
    announce()
    User.objects.update(max_running=1)
    mine = [submit(lab) for _ in range(2)]
    other = services.submit(
        user=User.objects.create_user("other"), task_type=lab.task_type, task_queue=lab.queue, arguments={}
    )
    first = take(lab)
    assert first == Attempt(mine[0].uuid, 1)
    assert take(lab) is None
    assert why(mine[1]) == "It waits for others to end: 1 of its user's run at once."
    assert take(lab) == Attempt(other.uuid, 1)
    services.finish(first, "w1", DONE)
    assert take(lab) == Attempt(mine[1].uuid, 1)


def test_a_worker_runs_no_more_than_it_has(lab: Lab) -> None:
    announce(cpus=2, memory=4 * GIB)
    instances = [submit(lab, cpus=1.5), submit(lab, memory=4 * GIB), submit(lab, cpus=0.5), submit(lab, cpus=0.5)]
    first = take(lab)
    assert first is not None
    assert take(lab) == Attempt(instances[1].uuid, 1)
    assert take(lab) == Attempt(instances[2].uuid, 1)
    assert take(lab) is None
    assert why(instances[3]) == "It waits for others to end: it asks for 0.5 processors."
    services.finish(first, "w1", DONE)
    assert take(lab) == Attempt(instances[3].uuid, 1)


def test_gpus_are_counted_and_a_worker_without_any_gets_no_such_job(lab: Lab) -> None:
    announce("w0")
    instances = [submit(lab, gpus=2), submit(lab, gpus=1)]
    assert (take(lab, "w0"), take(lab, "w0")) == (None, None)
    assert why(instances[0]) == "It asks for 2 GPUs: no worker of the queue 'queue' has so much."
    assert why(instances[1]) == "It asks for 1 GPU: no worker of the queue 'queue' has so much."
    announce("w1", gpus=["A100", "A100"])
    first = take(lab)
    assert first == Attempt(instances[0].uuid, 1)
    assert lab.ticket() is None
    assert why(instances[1]) == "It waits for others to end: it asks for 1 GPU."
    services.finish(first, "w1", DONE)
    assert take(lab) == Attempt(instances[1].uuid, 1)


def test_room_on_a_worker_without_the_engine_is_none(lab: Lab) -> None:
    services.announce(Announcement(worker="d", kinds=[Kind.DOCKER], slots=9, cpus=1), ())
    TaskInstance.objects.filter(pk=submit(lab, cpus=1).pk).update(kind=Kind.DOCKER)
    assert take(lab, "d") is not None
    waits = submit(lab, cpus=1)
    TaskInstance.objects.filter(pk=waits.pk).update(kind=Kind.DOCKER)
    assert take(lab, "d") is None, "it is held back"
    announce(cpus=8)
    assert lab.ticket() is None, "a ticket that no worker with room takes would be held back for ever"
    services.announce(Announcement(worker="e", kinds=[Kind.DOCKER], slots=9, cpus=1), ())
    assert take(lab, "e") == Attempt(waits.uuid, 1)


def test_tenths_of_a_processor_add_up(lab: Lab) -> None:
    announce(cpus=1)
    for _ in range(10):
        submit(lab, cpus=0.1)
    assert all(take(lab) is not None for _ in range(10))


def test_one_too_big_for_every_worker_waits_and_says_so(lab: Lab) -> None:
    announce(cpus=2, memory=GIB)
    big = submit(lab, cpus=4, memory=2 * GIB)
    assert take(lab) is None
    expected = "It asks for 4 processors and 2 GiB of memory: no worker of the queue 'queue' has so much."
    assert why(big) == expected
    services.sweep()
    assert lab.ticket() is None, "a ticket nobody can use would go round and round"
    announce("w2", cpus=8, memory=8 * GIB)
    assert take(lab, "w2") == Attempt(big.uuid, 1)


def test_a_limit_that_is_lifted_lets_the_next_sweep_start_what_waits(lab: Lab) -> None:
    announce()
    TaskQueue.objects.update(max_running=1)
    submit(lab)
    waits = submit(lab)
    assert take(lab) is not None
    assert take(lab) is None
    TaskQueue.objects.update(max_running=None)
    services.sweep()
    assert take(lab) == Attempt(waits.uuid, 1)


def test_leases_are_what_counts(lab: Lab) -> None:
    """Whatever becomes of a worker, no counter keeps what it had taken."""
    announce(identity="a")
    TaskQueue.objects.update(max_running=1)
    submit(lab)
    waits = submit(lab)
    assert take(lab) is not None
    assert take(lab) is None
    announce(identity="a")  # it was killed, and starts anew
    assert take(lab) == Attempt(waits.uuid, 1)


def hold_one_back(lab: Lab) -> tuple[Attempt, TaskInstance]:
    """An attempt that runs, and an instance for which its queue has no room meanwhile."""
    announce()
    TaskQueue.objects.update(max_running=1)
    first, held = submit(lab), submit(lab)
    running = take(lab)
    assert running == Attempt(first.uuid, 1)
    assert take(lab) is None
    held.refresh_from_db()
    assert held.held_back
    return running, held


def test_one_that_is_held_back_can_be_terminated(lab: Lab) -> None:
    first, held = hold_one_back(lab)
    services.terminate(instance=held, user=lab.user)
    services.finish(first, "w1", DONE)
    assert lab.ticket() is None
    held.refresh_from_db()
    assert (held.state, held.held_back) == ("terminated", False)


def test_one_that_is_held_back_for_too_long_is_not_looked_for_any_more(lab: Lab) -> None:
    _, held = hold_one_back(lab)
    TaskInstance.objects.filter(pk=held.pk).update(start_before=timezone.now() - timedelta(seconds=1))
    assert fail_unclaimed(timezone.now()) == 1
    held.refresh_from_db()
    assert (held.state, held.held_back) == ("failed", False)


def test_one_whose_limit_is_lifted_is_not_held_back_any_more(lab: Lab) -> None:
    _, held = hold_one_back(lab)
    TaskQueue.objects.update(max_running=None)
    lab.engine.publish(Ticket(Attempt(held.uuid, 1), lab.queue.lane, Kind.EXECUTABLE))
    assert take(lab) == Attempt(held.uuid, 1)
    held.refresh_from_db()
    assert (held.state, held.held_back) == ("running", False)


def test_higher_priorities_go_first(lab: Lab) -> None:
    announce()
    low, middle, high = submit(lab, priority=0), submit(lab), submit(lab, priority=9)
    assert [take(lab) for _ in range(3)] == [Attempt(each.uuid, 1) for each in (high, middle, low)]


def test_what_is_held_back_goes_by_priority(lab: Lab) -> None:
    announce()
    TaskQueue.objects.update(max_running=1)
    submit(lab)
    first = take(lab)
    assert first is not None
    low, high = submit(lab, priority=1), submit(lab, priority=8)
    assert (take(lab), take(lab)) == (None, None)
    services.finish(first, "w1", DONE)
    assert take(lab) == Attempt(high.uuid, 1)
    assert low.uuid != high.uuid


def test_a_batch_gives_each_ticket_its_job_once(lab: Lab) -> None:
    instances = [submit(lab) for _ in range(3)]
    tickets = [lab.ticket() for _ in range(3)]
    twice = [*tickets, tickets[0]]
    jobs = services.claim_many([ticket for ticket in twice if ticket], "w1")
    assert [job and job.attempt.uuid for job in jobs] == [*(each.uuid for each in instances), None]


def test_a_batch_is_claimed_from_the_callers_queues_alone(lab: Lab) -> None:
    submit(lab)
    ticket = lab.ticket()
    assert ticket is not None
    assert services.claim_many([ticket], "w1", [lab.queue.pk + 1]) == [None]
    assert services.claim_many([ticket], "w1", []) == [None]
    TaskQueue.objects.update(max_running=5)
    assert services.claim_many([ticket], "w1", [lab.queue.pk + 1]) == [None]
    assert services.claim_many([ticket], "w1", [lab.queue.pk]) != [None]


@pytest.mark.skipif(
    connection.vendor == "sqlite", reason="threads share no test database in memory; see --on postgresql"
)
def test_many_claims_at_once_keep_the_limit(lab: Lab) -> None:
    announce(cpus=3)
    TaskQueue.objects.update(max_running=5)
    for _ in range(12):
        submit(lab, cpus=0.5)
    tickets = [lab.ticket() for _ in range(12)]
    claimed: list[object] = []

    def claim(mine: list[Ticket | None]) -> None:
        try:
            for ticket in mine:
                assert ticket is not None
                if services.claim(ticket, "w1") is not None:
                    claimed.append(ticket)
        finally:
            connection.close()

    threads = [Thread(target=claim, args=(tickets[start::4],)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == 5

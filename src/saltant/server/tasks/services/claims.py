"""How workers get attempts: each claim is one compare-and-set, within the limits that hold."""

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from saltant.jobs import Attempt, Job, Kind, Ticket
from saltant.reasons import Reason, RetryOn
from saltant.server.accounts.models import User
from saltant.server.tasks import changes
from saltant.server.tasks.leases import lease
from saltant.server.tasks.models import TaskAttempt, TaskInstance, TaskQueue, Worker
from saltant.server.tasks.services import sets, statements
from saltant.server.tasks.services.room import Needs, Room
from saltant.states import WAITING, State


def claim(ticket: Ticket, worker: str) -> Job | None:
    """Give the attempt to `worker` under a lease, or None: somebody has it, it ended, or it may not start."""
    return claim_many([ticket], worker)[0]


def claim_unlimited(attempt: Attempt, worker: str) -> Job | None:
    """What `claim` does, for an attempt to which no limit may apply; None: leave it to a claim."""
    rows = _claim_unlimited([attempt], worker, None, timezone.now())
    return _job(attempt, rows[attempt]) if rows else None


def unclaim(attempt: Attempt, worker: str) -> None:
    """Give an attempt back that `worker` has claimed and never begun. One that was cancelled meanwhile stays."""
    with transaction.atomic():
        mine = TaskInstance.objects.filter(
            uuid=attempt.uuid, attempt=attempt.number, state=State.RUNNING, datetime_cancelled=None
        )
        leases = TaskAttempt.objects.filter(instance__in=mine, number=attempt.number, worker=worker)
        if leases.filter(lease_expires__isnull=False, datetime_started=None).delete()[0]:
            mine.update(state=State.PUBLISHED, datetime_changed=timezone.now())
            changes.tell(attempt.uuid)


def claim_many(tickets: Iterable[Ticket], worker: str, queues: Collection[int] | None = None) -> list[Job | None]:
    """Claim several at once; `queues` are the ids of those that the caller may claim from, None: all.

    An instance that may not start now for a limit (its queue's, its user's, the worker's processors, memory or GPUs) is
    held back: it gets a new ticket when there is room.
    """
    attempts = [ticket.attempt for ticket in tickets]
    now = timezone.now()
    jobs: dict[Attempt, Job] = {}
    # In one order: two batches with the same tickets would wait for each other otherwise.
    ordered = sorted(set(attempts), key=lambda attempt: attempt.uuid)
    for attempt, row in _claim_unlimited(ordered, worker, queues, now).items():
        jobs[attempt] = _job(attempt, row)
    for attempt in ordered:
        if attempt not in jobs:
            job = _claim_limited(attempt, worker, queues, now) or _held(attempt, worker, now)
            if job is not None:
                jobs[attempt] = job
    # A ticket that came twice gets its job once.
    return [jobs.pop(attempt, None) for attempt in attempts]


def _claim_unlimited(
    attempts: Sequence[Attempt], worker: str, queues: Collection[int] | None, now: datetime
) -> dict[Attempt, Any]:
    """Claim those to which no limit applies."""
    if connection.vendor == "postgresql":
        rows = sets.claim(attempts, worker, queues, now, lease())
        changes.tell(*(attempt.uuid for attempt in rows))
        return rows
    rows = {}
    with transaction.atomic(savepoint=False):
        for attempt in attempts:
            row = statements.claim(queues).one(uuid=attempt.uuid, number=attempt.number, now=now)
            if row is not None:
                _begin(attempt, worker, row, now)
                rows[attempt] = row
        changes.tell(*(attempt.uuid for attempt in rows))
    return rows


def _claim_limited(attempt: Attempt, worker: str, queues: Collection[int] | None, now: datetime) -> Job | None:
    """Claim what a limit applies to. What is counted is locked, so that two claims do not take the same room."""
    mine = TaskInstance.objects.filter(
        uuid=attempt.uuid, attempt=attempt.number, state__in=WAITING, datetime_cancelled=None, waits_for=0
    )
    if queues is not None:
        mine = mine.filter(task_queue__in=queues)
    if not mine.exists():
        return None
    with transaction.atomic():
        instance = mine.select_for_update(of=("self",)).first()
        if instance is None or (instance.start_after is not None and instance.start_after > now):
            return None
        queue = TaskQueue.objects.get(pk=instance.task_queue_id)
        if queue.paused:
            return None
        if not _has_room(instance, queue, worker):
            # Nearly always it is published already, and nothing changes that anybody waits for.
            mine.filter(state=State.CREATED).update(datetime_changed=now)
            mine.update(held_back=True, state=State.PUBLISHED)
            changes.tell(attempt.uuid)
            return None
        row = statements.CLAIM_LIMITED.one(id=instance.pk, now=now)
        changes.tell(attempt.uuid)
        if row is None:
            return None
        _begin(attempt, worker, row, now)
        return _job(attempt, row)


def _held(attempt: Attempt, worker: str, now: datetime) -> Job | None:
    """What the worker has claimed already, and has no end yet. Its lease begins anew: so the worker counts it."""
    row = statements.HELD.one(uuid=attempt.uuid, number=attempt.number, worker=worker)
    if row is None:
        return None
    mine = TaskAttempt.objects.filter(instance=row[0], number=attempt.number, worker=worker)
    renewed = mine.filter(lease_expires__isnull=False).update(lease_expires=now + lease())
    return _job(attempt, row) if renewed else None


def _has_room(instance: TaskInstance, queue: TaskQueue, worker: str) -> bool:
    """Whether one more fits. Locks are taken in this order by everybody."""
    leased = TaskAttempt.objects.filter(lease_expires__isnull=False)
    if queue.max_running is not None:
        TaskQueue.objects.select_for_update(no_key=True).get(pk=queue.pk)
        if leased.filter(instance__task_queue=queue).count() >= queue.max_running:
            return False
    if instance.user_id is not None:
        user = User.objects.get(pk=instance.user_id)
        if user.max_running is not None:
            User.objects.select_for_update(no_key=True).get(pk=user.pk)
            if leased.filter(instance__user=user).count() >= user.max_running:
                return False
    if Needs.of(instance).is_any:
        has = Worker.objects.select_for_update(no_key=True).filter(name=worker).first()
        return has is None or Room.of(has, leased).fits(Needs.of(instance))
    return True


def _begin(attempt: Attempt, worker: str, row: Any, now: datetime) -> None:
    statements.BEGIN_ATTEMPT.run(
        instance=row[0], number=attempt.number, worker=worker, lease_expires=now + lease(), now=now
    )


def _job(attempt: Attempt, row: Any) -> Job:
    _, kind, arguments, snapshot, timeout, memory, cpus, gpus, max_attempts, retry_on = row
    return Job(
        attempt=attempt,
        kind=Kind(kind),
        arguments=json.loads(arguments),
        **json.loads(snapshot),
        timeout=timeout,
        memory=memory,
        cpus=cpus,
        gpus=gpus,
        lease=lease().total_seconds(),
        is_retried_when_lost=attempt.number < max_attempts and RetryOn(retry_on).covers(Reason.LOST, None),
    )

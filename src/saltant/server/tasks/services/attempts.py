"""What workers do: claim an attempt, keep its lease, report its end. Each change is one compare-and-set."""

import json
import logging
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from saltant.jobs import Attempt, End, Job, Kind, Ticket
from saltant.reasons import LOSSES, Reason, RetryOn
from saltant.server.tasks.models import TaskAttempt, TaskInstance, Worker
from saltant.server.tasks.services import statements
from saltant.states import State
from saltant.workers import Announcement, Orders

log = logging.getLogger("saltant.attempts")

LONGEST_DELAY = 3600.0
"""Seconds that a next attempt waits at most, however often it failed."""


def announce(said: Announcement, holding: Collection[Attempt] | None = None) -> None:
    """Record what a worker is. At its start, `holding` tells what it has ended and not reported yet.

    Raises:
        Refused: it is too old, too new, or another worker of its name is there.
    """
    now = timezone.now()
    said_of_itself: dict[str, Any] = {
        "identity": said.identity,
        "host": said.host,
        "version": said.version,
        "queues": None if said.queues is None else sorted(said.queues),
        "kinds": sorted(said.kinds),
        "slots": said.slots,
        "cpus": said.cpus,
        "memory": said.memory,
        "gpus": list(said.gpus),
        "datetime_heartbeat": now,
    }
    Worker.objects.update_or_create(name=said.worker, defaults=said_of_itself)


def claim(ticket: Ticket, worker: str) -> Job | None:
    """Give the attempt to `worker` under a lease, or None: somebody has it, it ended, or it may not start."""
    attempt, now = ticket.attempt, timezone.now()
    with transaction.atomic():
        row = statements.CLAIM.one(uuid=attempt.uuid, number=attempt.number, now=now)
        if row is None:
            return None
        pk, kind, arguments, snapshot, timeout, memory, cpus = row
        statements.BEGIN_ATTEMPT.run(
            instance=pk, number=attempt.number, worker=worker, lease_expires=now + lease(), now=now
        )
    return Job(
        attempt=attempt,
        kind=Kind(kind),
        arguments=json.loads(arguments),
        **json.loads(snapshot),
        timeout=timeout,
        memory=memory,
        cpus=cpus,
    )


def heartbeat(worker: str, running: Mapping[Attempt, datetime | None]) -> Orders:
    """Renew the leases of `running`, told with their programs' starts, as far as those are known.

    Returns those to be ended now: cancelled, or not this worker's any more.
    """
    now = timezone.now()
    Worker.objects.filter(name=worker).update(datetime_heartbeat=now)
    if not running:
        return Orders()
    held = TaskAttempt.objects.filter(
        worker=worker, lease_expires__isnull=False, instance__uuid__in={attempt.uuid for attempt in running}
    )
    rows = held.values_list("instance__uuid", "number", "pk", "datetime_started", "instance__datetime_cancelled")
    leases = {Attempt(*row[:2]): row[2:] for row in rows}
    keep = [leases[attempt][0] for attempt in running if attempt in leases]
    leased = TaskAttempt.objects.filter(lease_expires__isnull=False)
    leased.filter(pk__in=keep).update(lease_expires=now + lease())
    for attempt, (pk, known, _) in leases.items():
        if known is None and running.get(attempt) is not None:
            leased.filter(pk=pk).update(datetime_started=running[attempt])
    return Orders({attempt for attempt in running if attempt not in leases or leases[attempt][2] is not None})


def leave(worker: str, *, draining: bool = False) -> None:
    """Record that a worker takes nothing any more: it is `draining`, or gone."""
    Worker.objects.filter(name=worker).update(draining=True, **({} if draining else {"datetime_left": timezone.now()}))


def finish(attempt: Attempt, worker: str, end: End) -> bool:
    """Record how an attempt ended, and with it its instance, or begin the next attempt.

    Returns False if its lease is over or another's: then nothing is changed.
    """
    now = timezone.now()
    with transaction.atomic():
        row = statements.END_ATTEMPT.one(
            uuid=attempt.uuid,
            number=attempt.number,
            worker=worker,
            started=end.started,
            finished=end.finished or now,
            reason=end.reason.value,
            message=end.message,
            exit_code=end.exit_code,
            signal=end.signal,
            cpu_seconds=end.cpu_seconds,
            peak_memory=end.peak_memory,
        )
        if row is None:
            log.warning("The end of %s attempt %d came too late: its lease is over", attempt.uuid, attempt.number)
            return False
        if end.state is not State.SUCCESSFUL:
            # The rare ends; the common one costs no more than these two statements.
            instance = TaskInstance.objects.get(pk=row[0])
            if _retry(instance, attempt.number, end, now):
                return True
            end = _for_instance(instance, end)
        statements.END_INSTANCE.run(
            id=row[0],
            number=attempt.number,
            state=end.state.value,
            now=now,
            reason=end.reason.value,
            message=end.message,
        )
    return True


def _retry(instance: TaskInstance, number: int, end: End, now: datetime) -> bool:
    """Begin the next attempt if the end calls for one and the instance has one left."""
    if number >= instance.max_attempts or not RetryOn(instance.retry_on).covers(end.reason, end.exit_code):
        return False
    delay = min(instance.retry_delay * 2.0 ** min(number - 1, 60), LONGEST_DELAY)
    return bool(
        statements.RETRY_INSTANCE.run(id=instance.pk, number=number, start_after=now + timedelta(seconds=delay))
    )


def _for_instance(instance: TaskInstance, end: End) -> End:
    """The attempt's end as the instance tells it: with who terminated it."""
    by = instance.cancelled_by
    if end.reason is Reason.CANCELLED and by:
        return replace(end, message=f"Terminated by {by}.")
    if end.reason in LOSSES and instance.datetime_cancelled is not None:
        return replace(end, reason=Reason.CANCELLED, message=f"Terminated by {by}; {end.reason.sentence.lower()}")
    return end


def lease() -> timedelta:
    """How long a lease lasts."""
    return timedelta(seconds=settings.SALTANT.lease)

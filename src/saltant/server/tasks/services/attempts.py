"""How attempts end. Each change is one compare-and-set."""

import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone

from saltant.jobs import Attempt, End
from saltant.reasons import LOSSES, Reason, RetryOn
from saltant.server.tasks import changes
from saltant.server.tasks.models import TaskInstance
from saltant.server.tasks.services import sets, statements
from saltant.server.tasks.services.dependents import settle
from saltant.server.tasks.services.progress import keep_last_progress
from saltant.server.tasks.services.room import release_when_committed
from saltant.states import State

log = logging.getLogger("saltant.attempts")

LONGEST_DELAY = 3600.0
"""Seconds that a next attempt waits at most, however often it failed."""


def finish(attempt: Attempt, worker: str, end: End) -> bool:
    """Record how an attempt ended, and with it its instance, or begin the next attempt.

    Returns False if its lease is over or another's: then nothing is changed.
    """
    return finish_many([(attempt, end)], worker)[0]


def finish_many(ends: Iterable[tuple[Attempt, End]], worker: str) -> list[bool]:
    """Record several ends at once, all or none; returns for each what `finish` does."""
    ends = list(ends)
    now = timezone.now()
    accepted: set[Attempt] = set()
    awaited: list[int] = []
    one_by_one = dict(reversed(ends))  # of one told twice, the first counts
    with transaction.atomic(savepoint=False):
        if connection.vendor == "postgresql":
            successful = [(attempt, end) for attempt, end in one_by_one.items() if end.state is State.SUCCESSFUL]
            for attempt, _ in successful:
                del one_by_one[attempt]
            if successful:
                accepted, awaited = sets.end_successful(successful, worker, now)
        # In one order: who else locks several of these rows does so too.
        for attempt in sorted(one_by_one, key=lambda attempt: attempt.uuid):
            if _finish(attempt, worker, one_by_one[attempt], now, awaited):
                accepted.add(attempt)
        if accepted:
            keep_last_progress({attempt: end for attempt, end in reversed(ends) if attempt in accepted}, now)
            changes.tell(*(attempt.uuid for attempt in accepted), ended=True)
            settle(awaited, now)
            release_when_committed()
    told = []
    for attempt, _ in ends:
        told.append(attempt in accepted)
        accepted.discard(attempt)
        if not told[-1]:
            log.warning("The end of %s attempt %d came too late: its lease is over", attempt.uuid, attempt.number)
    return told


def _finish(attempt: Attempt, worker: str, end: End, now: datetime, awaited: list[int]) -> bool:
    """Record one end; adds the instance to `awaited` if it has ended and others may wait for that."""
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
        image_digest=end.image_digest,
    )
    if row is None:
        return False
    if end.state is not State.SUCCESSFUL:
        # The rare ends; the common one costs no more than these two statements.
        # Locked, so that nobody terminates it after this look.
        instance = TaskInstance.objects.select_for_update().get(pk=row[0])
        if _retry(instance, attempt.number, end, now):
            return True
        end = _for_instance(instance, end)
    ended = statements.END_INSTANCE.one(
        id=row[0],
        number=attempt.number,
        state=end.state.value,
        now=now,
        finished=end.finished or now,  # its worker may tell of it long after
        reason=end.reason.value,
        message=end.message,
    )
    if ended is not None and ended[0]:
        awaited.append(row[0])
    return True


def _retry(instance: TaskInstance, number: int, end: End, now: datetime) -> bool:
    """Begin the next attempt if the end calls for one and the instance has one left."""
    if number >= instance.max_attempts or not RetryOn(instance.retry_on).covers(end.reason, end.exit_code):
        return False
    delay = min(instance.retry_delay * 2.0 ** min(number - 1, 60), LONGEST_DELAY)
    return bool(
        statements.RETRY_INSTANCE.run(
            id=instance.pk, number=number, now=now, start_after=now + timedelta(seconds=delay)
        )
    )


def _for_instance(instance: TaskInstance, end: End) -> End:
    """The attempt's end as the instance tells it: with who terminated it."""
    by = instance.cancelled_by
    if end.reason is Reason.CANCELLED and by:
        return replace(end, message=f"Terminated by {by}.")
    if end.reason in LOSSES and instance.datetime_cancelled is not None:
        return replace(end, reason=Reason.CANCELLED, message=f"Terminated by {by}; {end.reason.sentence.lower()}")
    return end

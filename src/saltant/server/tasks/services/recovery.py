"""Ends for what was left without one."""

import logging
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from saltant.engine import EngineUnavailable
from saltant.jobs import Attempt, End, Kind
from saltant.reasons import Reason
from saltant.server.tasks import changes, dispatch
from saltant.server.tasks.models import TaskAttempt, TaskInstance, Worker
from saltant.server.tasks.services import statements
from saltant.server.tasks.services.attempts import finish
from saltant.server.tasks.services.dependents import settle
from saltant.server.tasks.services.due import look, unsent_since
from saltant.server.tasks.services.kept_answers import remove_old_answers
from saltant.server.tasks.services.room import release
from saltant.server.tasks.services.schedules import run_schedules
from saltant.server.tasks.services.tallies import count_ends
from saltant.states import WAITING, State

log = logging.getLogger("saltant.recovery")


def recover() -> int:
    """End every attempt that holds a lease, after a hard stop of the only worker; returns how many those were.

    Call it when nothing of them is alive any more: so no worker is, either.
    """
    Worker.objects.filter(datetime_left=None).update(datetime_left=timezone.now())
    return end_leases(TaskAttempt.objects.all(), Reason.LOST, "saltant was stopped hard while it ran.")


def sweep(
    *, leases: bool = True, waits: bool = True, tickets: bool = True, horizon: timedelta = timedelta()
) -> datetime | None:
    """Begin what schedules say; publish what is due, what there is room for now, and what never reached the engine.

    With `waits`, end what no worker claimed in time; with `leases`, the attempts whose leases are over; with
    `tickets`, look for tickets that the broker lost, and for what is old.

    Returns the next time of a schedule within `horizon`.
    """
    now = timezone.now()
    due = look(now, horizon)
    upcoming = run_schedules(horizon=horizon) if due.schedules else None
    if due.unsent:
        dispatch.publish_waiting(dispatch.AT_ONCE, state=State.CREATED, datetime_created__lt=unsent_since(now))
    if due.delayed:
        publish_due(now)
    if due.held_back:
        release()
    if waits and due.unclaimed:
        fail_unclaimed(now)
    if leases and due.silent:
        expire_leases(now)
    if tickets:
        with suppress(EngineUnavailable):  # who sends tickets says so
            replace_lost_tickets(now)
        remove_old_answers(now)
        count_ends(now)
    return upcoming


def publish_due(now: datetime) -> int:
    """Send the tickets of next attempts whose delay is over."""
    due = TaskInstance.objects.filter(state__in=WAITING, start_after__lte=now).values_list("pk", flat=True)
    pks = [pk for pk in due if TaskInstance.objects.filter(pk=pk, start_after__lte=now).update(start_after=None)]
    return dispatch.publish_waiting(pk__in=pks) if pks else 0


def replace_lost_tickets(now: datetime) -> int:
    """Send tickets again that the broker lost: it holds fewer than there are instances that wait for a claim.

    Which ones it lost nobody knows, so the first in line get another; a ticket too many does no harm. If the guess
    was wrong, the broker runs dry before the instances do, and the next look finds the rest.
    """
    if dispatch.engine().is_lossless:
        return 0
    waiting = TaskInstance.objects.filter(
        state=State.PUBLISHED, start_after=None, held_back=False, waits_for=0, task_queue__paused=False
    )
    unclaimed_since = now - timedelta(seconds=settings.SALTANT.republish)
    old = Q(datetime_published__lt=unclaimed_since) | Q(datetime_published=None, datetime_created__lt=unclaimed_since)
    groups = waiting.values("task_queue", "task_queue__lane", "kind").annotate(
        all=Count("pk"), old=Count("pk", filter=old)
    )
    replaced = 0
    for group in groups.order_by():
        queue, kind = group["task_queue__lane"], Kind(group["kind"])
        missing = min(group["old"], group["all"] - dispatch.engine().depth(queue, kind)) if group["old"] else 0
        if missing > 0:
            log.warning("%d tickets of the queue '%s' were lost, or are late: they are sent again", missing, queue)
            count = min(missing, dispatch.AT_ONCE)
            replaced += dispatch.publish_waiting(count, old, task_queue=group["task_queue"], kind=kind)
    return replaced


def fail_unclaimed(now: datetime) -> int:
    """End what no worker has claimed within its time."""
    failed: list[UUID] = []
    # Without a time of its own, what is over is the server's.
    for has_no_time, reason in ((True, Reason.NEVER_CLAIMED), (False, Reason.QUEUE_TIMEOUT)):
        with transaction.atomic():
            rows = statements.FAIL_UNCLAIMED.rows(
                now=now, has_no_time=has_no_time, reason=reason.value, message=reason.sentence
            )
            ended = [UUID(str(uuid)) for uuid, *_ in rows]
            changes.tell(*ended, ended=True)
            settle([pk for _, pk, has_dependents in rows if has_dependents], now)
        failed += ended
    return len(failed)


def expire_leases(now: datetime) -> int:
    """End the attempts whose workers have been silent for too long."""
    silent = TaskAttempt.objects.filter(lease_expires__lt=now)
    return end_leases(silent, Reason.LOST, "Its worker was silent for longer than a lease lasts.")


def end_leases(attempts: QuerySet[TaskAttempt], reason: Reason, message: str) -> int:
    """End those of `attempts` that hold a lease; returns how many did."""
    rows = attempts.filter(lease_expires__isnull=False).values_list("instance__uuid", "number", "worker")
    ended = 0
    for uuid, number, worker in list(rows):
        if finish(Attempt(uuid, number), worker, End(reason, message)):
            log.warning("%s attempt %d of %s is %s: %s", uuid, number, worker, reason, message)
            ended += 1
    return ended

"""Ends for what was left without one."""

import logging
from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.utils import timezone

from saltant.jobs import Attempt, End
from saltant.reasons import Reason
from saltant.server.tasks import dispatch
from saltant.server.tasks.models import TaskAttempt
from saltant.server.tasks.services.attempts import finish

log = logging.getLogger("saltant.recovery")

REPUBLISH_AFTER = timedelta(seconds=5)
"""How long an instance may stay `created` before its ticket is sent again."""


def recover() -> int:
    """End every attempt that holds a lease, after a hard stop of the only worker; returns how many those were.

    Call it when nothing of them is alive any more.
    """
    return end_leases(TaskAttempt.objects.all(), Reason.LOST, "saltant was stopped hard while it ran.")


def sweep(*, expire: bool = True) -> None:
    """Publish again what never reached the engine; with `expire`, end the attempts whose leases are over."""
    now = timezone.now()
    dispatch.publish_waiting(state="created", datetime_created__lt=now - REPUBLISH_AFTER)
    if expire:
        expire_leases(now)


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

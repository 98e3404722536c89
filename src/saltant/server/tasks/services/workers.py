"""What workers say of themselves, and the leases they keep."""

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from saltant.jobs import Attempt
from saltant.progress import Progress
from saltant.reasons import Reason
from saltant.server.tasks.leases import lease
from saltant.server.tasks.models import TaskAttempt, Worker
from saltant.server.tasks.services import statements
from saltant.server.tasks.services.names import Served, find_served
from saltant.server.tasks.services.progress import keep_progress
from saltant.server.tasks.services.recovery import end_leases
from saltant.server.tasks.services.room import release_if_held_back
from saltant.server.tasks.worker_state import is_live
from saltant.workers import Announcement, Orders, Refused

log = logging.getLogger("saltant.workers")

STARTED_ANEW = "Its worker was stopped hard while it ran, and has started anew."


def announce(
    said: Announcement, holding: Collection[Attempt] | None = None, served: Sequence[Served] | None = None
) -> list[str] | None:
    """Record what a worker is. At its start, `holding` tells what it has ended and not reported yet.

    Returns the lanes of the queues that it serves, or None if it serves all. `served` are these queues, where the
    caller has found them already.

    Raises:
        Refused: another worker of its name is at work.
    """
    now = timezone.now()
    is_start = holding is not None
    if served is None and said.queues is not None:
        served = find_served(said.queues, said.lanes)
    fields: dict[str, Any] = {
        "identity": said.identity,
        "host": said.host,
        "version": said.version,
        "queues": None if served is None else sorted({each.name for each in served}),
        "kinds": sorted(said.kinds),
        "slots": said.slots,
        "cpus": said.cpus,
        "memory": said.memory,
        "gpus": list(said.gpus),
        "datetime_heartbeat": now,
        "datetime_left": None,
    }
    if is_start:
        fields |= {"datetime_announced": now, "drain": False, "draining": False}
    with transaction.atomic():
        known = Worker.objects.select_for_update(no_key=True).filter(name=said.worker).first()
        if known is not None and known.identity != said.identity and is_live(known):
            ago = (now - known.datetime_heartbeat).total_seconds()
            raise Refused(
                f"A worker named {said.worker!r} is at work on {known.host or 'a host that it did not name'}: it was "
                f"heard of {ago:.0f} s ago. Stop it, or give this one another --name."
            )
        Worker.objects.update_or_create(name=said.worker, defaults=fields)
    if holding is not None:
        _give_up_others(said.worker, holding)
    release_if_held_back()
    return None if served is None else [each.lane for each in served]


def _give_up_others(worker: str, holding: Collection[Attempt]) -> None:
    """End what a worker held in an earlier life, but for `holding`."""
    leased = TaskAttempt.objects.filter(worker=worker, lease_expires__isnull=False)
    kept = set(holding)
    rows = leased.values_list("pk", "instance__uuid", "number")
    gone = [pk for pk, uuid, number in rows if Attempt(uuid, number) not in kept]
    if gone:
        end_leases(TaskAttempt.objects.filter(pk__in=gone), Reason.LOST, STARTED_ANEW)
    if kept:
        mine = leased.filter(instance__uuid__in={attempt.uuid for attempt in kept})
        mine.update(lease_expires=timezone.now() + lease())


def heartbeat(
    worker: str, running: Mapping[Attempt, datetime | None], progress: Mapping[Attempt, Progress] | None = None
) -> Orders:
    """Renew the leases of `running`, told with their programs' starts, as far as those are known.

    `progress` is how far some of them are, where that is news.

    The orders say what is to be ended now: cancelled, or not this worker's any more.
    """
    now = timezone.now()
    said = statements.BEAT.one(worker=worker, now=now)
    to_end = _renew(worker, running, progress or {}, now) if running else set()
    return Orders(to_end, drain=said is not None and bool(said[0]), announce=said is None)


def _renew(
    worker: str, running: Mapping[Attempt, datetime | None], progress: Mapping[Attempt, Progress], now: datetime
) -> set[Attempt]:
    held = TaskAttempt.objects.filter(
        worker=worker, lease_expires__isnull=False, instance__uuid__in={attempt.uuid for attempt in running}
    )
    rows = held.values_list("instance__uuid", "number", "pk", "datetime_started", "instance__datetime_cancelled")
    leases = {Attempt(*row[:2]): row[2:] for row in rows}
    keep = [leases[attempt][0] for attempt in running if attempt in leases]
    leased = TaskAttempt.objects.filter(lease_expires__isnull=False)
    with transaction.atomic():
        # What is locked is ending now, and waiting for it would be for nothing.
        free = leased.filter(pk__in=keep).order_by("pk").select_for_update(skip_locked=True)
        leased.filter(pk__in=list(free.values_list("pk", flat=True))).update(lease_expires=now + lease())
    for attempt, (pk, known, _) in leases.items():
        if known is None and running.get(attempt) is not None:
            leased.filter(pk=pk).update(datetime_started=running[attempt])
    if progress:
        keep_progress(progress, {attempt: row[0] for attempt, row in leases.items()}, now)
    return {attempt for attempt in running if attempt not in leases or leases[attempt][2] is not None}


def live(attempts: Collection[Attempt]) -> set[Attempt]:
    """Those of `attempts` that hold a lease, whoever's."""
    held = TaskAttempt.objects.filter(
        lease_expires__isnull=False, instance__uuid__in={attempt.uuid for attempt in attempts}
    )
    return {Attempt(*row) for row in held.values_list("instance__uuid", "number")}.intersection(attempts)


def leave(worker: str, *, draining: bool = False) -> None:
    """Record that a worker takes nothing any more: it is `draining`, or gone."""
    gone = {} if draining else {"datetime_left": timezone.now()}
    Worker.objects.filter(name=worker).update(draining=True, **gone)

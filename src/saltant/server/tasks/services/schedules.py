"""What becomes of the times of schedules.

A time is used up in the transaction that makes its instance, under the lock of its schedule: so it makes one, however
many servers think that they are the one to look.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.db import OperationalError, transaction
from django.db.models import Q
from django.utils import timezone

from saltant.schedules import Overlap
from saltant.server.accounts.models import User
from saltant.server.audit.log import SALTANT, record
from saltant.server.audit.models import Action
from saltant.server.tasks.arguments import Refused
from saltant.server.tasks.cron import BadCron, UnknownZone, next_time, times, zone_of
from saltant.server.tasks.models import TaskInstance
from saltant.server.tasks.schedule_models import Schedule
from saltant.server.tasks.services.ends import terminate_many
from saltant.server.tasks.services.statements import Statement
from saltant.server.tasks.services.submission import as_allowed, draft, submit, usable_queues

log = logging.getLogger("saltant.schedules")

# As the index `unfinished_of_schedule` says it: neither all that waits nor all that it has made is looked through.
UNFINISHED = Statement(
    "SELECT id FROM {instances} WHERE state IN ('created', 'published', 'running') AND schedule_id = %(schedule)s"
)
MOST_COUNTED = 1000
"""Missed times that are counted one by one."""
LATE = timedelta(minutes=1)
"""By so much a time may be late before the schedule says so."""
A_DAY = timedelta(days=1)
FAILED = "The server failed to start it; the server's log says why."


def plan(schedule: Schedule, now: datetime | None = None) -> None:
    """Set its next time, as an active one's; the caller saves it.

    Raises:
        UnknownZone, BadCron: it has none.
    """
    now = now or timezone.now()
    zone = zone_of(schedule.timezone)
    last = schedule.last_time
    # A clock that was put back must not bring a time again; one that was far ahead must not stop the schedule.
    is_sane = last is not None and last - now < A_DAY
    upcoming = next_time(schedule.cron, zone, max(now, last) if last is not None and is_sane else now)
    schedule.next_time = upcoming if schedule.active else None
    if not schedule.active:
        schedule.waiting_since = None


def upcoming_times(schedule: Schedule, count: int, now: datetime | None = None) -> list[datetime]:
    """The next times that a schedule has, or would have if it were active."""
    start = schedule.next_time
    after = start - timedelta(microseconds=1) if start else now or timezone.now()
    return list(islice(times(schedule.cron, zone_of(schedule.timezone), after), count))


def check_schedule(schedule: Schedule) -> User:
    """Refuse a schedule that could make no instance now; returns its owner.

    Raises:
        Refused: its owner may not, or the arguments, the type or the queue do not allow it.
    """
    user = _owner_of(schedule)
    draft(user=user, task_queue=schedule.task_queue, **_what_it_runs(schedule))
    return user


def _owner_of(schedule: Schedule) -> User:
    """The owner of a schedule, who may still use its queue.

    Raises:
        Refused: there is none, or they may not.
    """
    user = schedule.user
    if user is None:
        raise Refused({"non_field_errors": ["The schedule's owner was deleted: make it anew."]})
    if not user.is_active:
        raise Refused({"non_field_errors": [f"The schedule's owner, {user.username}, is deactivated."]})
    queue = schedule.task_queue
    if not usable_queues(user).filter(pk=queue.pk).exists():
        raise Refused({"task_queue": [f"The queue '{queue.name}' is inactive, or private and not {user.username}'s."]})
    return user


def run_schedule(*, schedule: Schedule, by: User) -> TaskInstance:
    """Make an instance of a schedule now, whatever the clock says and whatever of it runs.

    Raises:
        Refused: it can make none.
    """
    with transaction.atomic():
        locked = _locked(pk=schedule.pk)
        if locked is None:
            raise Refused({"non_field_errors": ["The schedule was deleted just now."]})
        instance = _make(locked)
        locked.save(update_fields=["last_instance"])
        record(by, Action.RUN, locked, {"uuid": str(instance.uuid)})
    return instance


def run_schedules(now: datetime | None = None, horizon: timedelta = timedelta(seconds=1)) -> datetime | None:
    """Make what is due, and what waited for others that have ended; returns the next time within `horizon`.

    Raises:
        OperationalError: the database cannot be used.
    """
    now = now or timezone.now()
    near = Schedule.objects.filter(Q(next_time__lte=now + horizon) | Q(waiting_since__isnull=False), active=True)
    upcoming: datetime | None = None
    for pk, time, waiting in list(near.order_by("next_time", "pk").values_list("pk", "next_time", "waiting_since")):
        is_due = time is not None and time <= now
        if is_due or (waiting is not None and not _unfinished(pk)):
            _trigger_safely(pk, now)
        elif time is not None and upcoming is None and time > now:
            upcoming = time
    return upcoming


def _trigger_safely(pk: int, now: datetime) -> None:
    """Trigger a schedule. One that fails costs its time, and no other schedule."""
    try:
        _trigger(pk, now)
    except OperationalError:
        raise
    except Exception:
        log.exception("Schedule %d could not be run", pk)
        with transaction.atomic():
            schedule = _locked(pk=pk, active=True)
            if schedule is not None and _take_time(schedule, now) is not None:
                _skip(schedule, FAILED)
                schedule.save()


def _trigger(pk: int, now: datetime) -> None:
    with transaction.atomic():
        schedule = _locked(pk=pk, active=True)
        if schedule is None:
            return
        waits = schedule.waiting_since is not None
        try:
            came = _take_time(schedule, now)
            if came is None and not waits:
                return  # another server was quicker
            _start(schedule, came)
        except Refused as refused:
            schedule.waiting_since = None
            _skip(schedule, sentence_of(refused))
        schedule.save()


def _locked(**wanted: object) -> Schedule | None:
    rows = Schedule.objects.select_related("user", "task_type", "task_queue").filter(**wanted)
    return rows.select_for_update(of=("self",)).first()


def _take_time(schedule: Schedule, now: datetime) -> str | None:
    """Use up the times that have come; returns what there is to say of them, None if there are none."""
    first = schedule.next_time
    if first is None or first > now:
        return None
    try:
        later = times(schedule.cron, zone_of(schedule.timezone), first)
        passed, last = 1, first
        for time in later:
            if time > now:
                schedule.next_time = time
                break
            passed, last = passed + 1, time
            if passed == MOST_COUNTED:
                schedule.next_time = next_time(schedule.cron, zone_of(schedule.timezone), now)
                break
        else:
            schedule.next_time = None
    except (UnknownZone, BadCron) as error:  # the machine's time zones have changed
        schedule.next_time, schedule.last_time = None, first
        raise Refused({"cron": [str(error)]}) from None
    schedule.last_time = last
    if passed > 1:
        number = "More than 1000" if passed == MOST_COUNTED else str(passed)
        said = f"{number} times came while no server ran, from {first:%Y-%m-%d %H:%M} UTC on: one instance is for all."
        record(SALTANT, Action.SKIP, schedule, {"times": passed - 1, "why": said})
        return said
    return "No server ran at its last time: it came late." if now - first > LATE else ""


def _start(schedule: Schedule, came: str | None) -> None:
    """Make an instance, or have it wait, or skip it, as its overlap says.

    Raises:
        Refused: it can make none.
    """
    overlap = Overlap(schedule.overlap)
    unfinished = _unfinished(schedule.pk) if overlap is not Overlap.ALLOW else []
    waited, schedule.waiting_since = schedule.waiting_since, None
    if not unfinished:
        _make(schedule)
        schedule.message = came or ""
        if waited and came is not None and overlap is Overlap.WAIT:
            schedule.waiting_since = schedule.last_time
        return
    if overlap is Overlap.SKIP:
        _skip(schedule, f"{_named(unfinished)} had not ended: this time was skipped.")
        return
    schedule.waiting_since = waited or schedule.last_time
    if waited:
        said = f"{_named(unfinished)} had not ended, and an instance waits for that already: this time was skipped."
        _skip(schedule, said)
        return
    user = check_schedule(schedule)
    schedule.message = f"An instance waits for {_named(unfinished)} to end."
    if overlap is Overlap.REPLACE:
        terminate_many(instances=unfinished, user=user)
        if not _unfinished(schedule.pk):
            schedule.waiting_since = None
            _make(schedule)
            schedule.message = came or ""


def _make(schedule: Schedule) -> TaskInstance:
    schedule.last_instance = submit(
        user=_owner_of(schedule),
        task_queue=schedule.task_queue,
        schedule=schedule,
        **_what_it_runs(schedule),
    )
    return schedule.last_instance


def _what_it_runs(schedule: Schedule) -> dict[str, Any]:
    return {
        "task_type": as_allowed(schedule.task_type, schedule.task_queue),
        "arguments": schedule.arguments,
        "name": schedule.instance_name,
        "labels": schedule.labels,
        "limits": schedule.limits,
    }


def _unfinished(pk: int) -> list[TaskInstance]:
    """Its instances that have not ended, the oldest first."""
    found = [row[0] for row in UNFINISHED.rows(schedule=pk)]
    return list(TaskInstance.objects.filter(pk__in=found).order_by("pk")) if found else []


def _named(instances: Sequence[TaskInstance]) -> str:
    more = f" and {len(instances) - 1} more" if instances[1:] else ""
    return f"Instance {instances[0].uuid}{more}"


def _skip(schedule: Schedule, why: str) -> None:
    """Say why a time makes none. What goes on for the same reason is written down once."""
    if schedule.message != why:
        record(SALTANT, Action.SKIP, schedule, {"why": why})
    schedule.message = why


def sentence_of(refused: Refused) -> str:
    """A refusal in one line."""
    return " ".join(sentence for sentences in refused.errors.values() for sentence in sentences)

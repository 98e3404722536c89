"""Counts what ended, five minutes at a time, for pictures of days, weeks and months."""

from datetime import UTC, datetime, timedelta

from django.db.models import Count, Max

from saltant.server.tasks.models import TaskInstance
from saltant.server.tasks.tally_models import EndTally
from saltant.states import FINISHED

SLOT = 300
"""Seconds."""
KEPT = timedelta(days=40)
LATE = 30
"""Seconds after which what ended in a slot is committed."""
AN_IMPORT = timedelta(days=1)
"""What had ended by so much earlier than it changed here did not run here."""
AT_ONCE = 25
"""Slots that are counted in one go, where many are behind."""


def slot_of(moment: datetime) -> int:
    """The number of the five minutes in which a moment is."""
    return int(moment.timestamp()) // SLOT


def start_of(slot: int) -> datetime:
    """When five minutes begin."""
    return datetime.fromtimestamp(slot * SLOT, UTC)


def counted_until(now: datetime) -> int:
    """The first slot that is not counted yet, of those that are kept."""
    slot = slot_of(now)
    last: int | None = EndTally.objects.filter(slot__lt=slot).aggregate(last=Max("slot"))["last"]
    first = slot_of(now - KEPT)
    return first if last is None else max(last + 1, first)


def ends_in(slot: int) -> dict[str, int]:
    """How many instances ended in a slot, by state: an index finds them. What was imported ended long before."""
    rows = TaskInstance.objects.filter(
        datetime_changed__gte=start_of(slot),
        datetime_changed__lt=start_of(slot + 1),
        datetime_finished__gte=start_of(slot) - AN_IMPORT,
        state__in=FINISHED,
    )
    return dict(rows.order_by().values_list("state").annotate(count=Count("pk")))


def count_ends(now: datetime) -> int:
    """Count some of the slots that are over; returns how many those were."""
    begin, end = counted_until(now), slot_of(now - timedelta(seconds=LATE))
    if begin >= end:
        return 0
    changed = TaskInstance.objects.filter(datetime_changed__gte=start_of(begin)).order_by("datetime_changed", "pk")
    first = changed.values_list("datetime_changed", flat=True).first()
    # Nothing happened before: there is nothing to count.
    begin = end - 1 if first is None else min(max(begin, slot_of(first)), end - 1)
    slots = range(begin, min(end, begin + AT_ONCE))
    EndTally.objects.bulk_create([EndTally(slot=slot, **ends_in(slot)) for slot in slots], ignore_conflicts=True)
    EndTally.objects.filter(slot__lt=slot_of(now - KEPT)).delete()
    return len(slots)

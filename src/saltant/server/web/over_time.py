"""What ended over a day, a week or a month, and how long it takes: the pictures of the home page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from statistics import median

from django.db.models import F, Sum

from saltant.server.tasks.models import TaskInstance, TaskType
from saltant.server.tasks.services.tallies import SLOT, counted_until, ends_in, slot_of, start_of
from saltant.server.tasks.tally_models import EndTally
from saltant.server.web.charts import Range, Stack, range_of, stack
from saltant.states import FINISHED

HOUR, DAY = 3600 // SLOT, 86400 // SLOT
"""In slots."""
LIVE = HOUR
"""Slots that are counted anew at most; what is older the server counts by itself, within a few minutes."""


@dataclass(frozen=True)
class Span:
    """How much time a picture shows.

    Attributes:
        each: the slots of one bar.
        label: how the beginning of a bar is written.
    """

    name: str
    bars: int
    each: int
    words: str
    label: str


SPANS = (
    Span("day", 24, HOUR, "an hour", "%a %H:%M"),
    Span("week", 28, 6 * HOUR, "six hours", "%a %d %b %H:%M"),
    Span("month", 30, DAY, "a day", "%a %d %b"),
)


def span_of(name: str) -> Span:
    """The span of a name; a day if there is none."""
    return next((each for each in SPANS if each.name == name), SPANS[0])


def ends_over(span: Span, now: datetime) -> Stack:
    """How many instances ended, by state, in each part of a span: from what was counted, and the last minutes anew.

    Hours and days are those of the zone of `now`, and go back without regard to when clocks there were changed.
    """
    offset = now.utcoffset() or timedelta()
    shift = int(offset.total_seconds()) // SLOT
    last = (slot_of(now) + shift) // span.each
    first = last - span.bars + 1
    names = [state.value for state in FINISHED]
    counts = {bucket: dict.fromkeys(names, 0) for bucket in range(first, last + 1)}
    rows = (
        EndTally.objects.filter(slot__gte=first * span.each - shift, slot__lt=(last + 1) * span.each - shift)
        .order_by()
        .values_list((F("slot") + shift) / span.each)
        .annotate(*[Sum(name) for name in names])
    )
    for bucket, *sums in rows:
        for name, count in zip(names, sums, strict=True):
            counts[bucket][name] += count
    slot = slot_of(now)
    for each in range(max(counted_until(now), slot - LIVE), slot + 1):
        for name, count in ends_in(each).items():
            counts[(each + shift) // span.each][name] += count
    zone = timezone(offset)
    labels = {each: f"{start_of(each * span.each - shift).astimezone(zone):{span.label}}" for each in counts}
    return stack(names, [(labels[each], counts[each]) for each in sorted(counts)])


AMONG = 500
"""Of so many of the newest instances the types are shown."""
MOST_TYPES = 8
LATEST = 100
"""Instances of each that are looked at."""


@dataclass(frozen=True)
class Times:
    """Median and 95th percentile of some times, in seconds, and where they are drawn."""

    count: int
    median: float
    high: float
    drawn: Range


@dataclass(frozen=True)
class TypeTimes:
    """How long the latest instances of a type waited and ran. None: there are none to be seen."""

    task_type: TaskType
    waited: Times | None
    ran: Times | None


def times_of_types() -> list[TypeTimes]:
    """How long the latest instances of the types that were used last waited and ran."""
    newest = TaskInstance.objects.order_by("-pk").values_list("task_type", flat=True)[:AMONG]
    pks = list(dict.fromkeys(newest))[:MOST_TYPES]
    latest: list[int] = []
    for pk in pks:
        latest += TaskInstance.objects.filter(task_type=pk).order_by("-pk").values_list("pk", flat=True)[:LATEST]
    attempts = ("number", "datetime_claimed", "datetime_started", "datetime_finished")
    rows = (
        TaskInstance.objects.filter(pk__in=latest, attempts__number=F("attempt"))
        .order_by()
        .values_list("task_type", "datetime_created", *(f"attempts__{name}" for name in attempts))
    )
    waited: dict[int, list[float]] = {}
    ran: dict[int, list[float]] = {}
    for pk, created, number, claimed, started, finished in rows:
        if number == 1:
            waited.setdefault(pk, []).append(max((claimed - created).total_seconds(), 0))
        if started and finished:
            ran.setdefault(pk, []).append(max((finished - started).total_seconds(), 0))
    types = TaskType.objects.only("name", "task_class").in_bulk(pks)
    longest = [max((percentile(each) for each in found.values()), default=0) for found in (waited, ran)]
    return [
        TypeTimes(types[pk], _times(waited.get(pk, []), longest[0]), _times(ran.get(pk, []), longest[1]))
        for pk in pks
        if pk in types and (pk in waited or pk in ran)
    ]


def _times(found: Sequence[float], longest: float) -> Times | None:
    if not found:
        return None
    middle, high = median(found), percentile(found)
    return Times(len(found), middle, high, range_of(middle, high, longest))


def percentile(found: Sequence[float]) -> float:
    """The 95th percentile: as long as 95 of 100 take at most.

    >>> percentile([5.0, 1.0]), percentile([float(each) for each in range(1, 101)])
    (5.0, 95.0)
    """
    ordered = sorted(found)
    return ordered[-(-len(ordered) * 95 // 100) - 1]

"""What is old enough to go. Nothing does of an instance that has not ended, or that a worker still holds."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Exists, F, OuterRef, QuerySet, Sum

from saltant.server.files.keys import instance_prefix, logs_prefix, results_prefix
from saltant.server.files.models import LogFile, RefusedResult, ResultFile
from saltant.server.files.stores import store
from saltant.server.tasks.models import TaskAttempt, TaskInstance
from saltant.states import State

AT_ONCE: Final = 500
"""Instances that are looked at, and go, together: others write meanwhile."""


@dataclass
class Amount:
    """How much there is of something."""

    instances: int = 0
    files: int = 0
    size: int = 0

    def __iadd__(self, other: "Amount") -> "Amount":
        self.instances += other.instances
        self.files += other.files
        self.size += other.size
        return self


def prune_logs(before: datetime, *, really: bool) -> Amount:
    """Remove the logs of instances that ended before then; if not `really`, only say how much that would be."""
    total = Amount()
    for instances in _batches(_ended(before, has=LogFile)):
        rows = LogFile.objects.filter(attempt__instance__in=instances)
        total += Amount(len(instances), rows.count(), _sum(rows, "size"))
        if really:
            _delete(rows, logs_prefix)
    return total


def prune_results(before: datetime, *, really: bool) -> Amount:
    """Likewise their results."""
    total = Amount()
    for instances in _batches(_ended(before, has=ResultFile) | _ended(before, has=RefusedResult)):
        rows = ResultFile.objects.filter(attempt__instance__in=instances)
        total += Amount(len(instances), rows.count(), _sum(rows, "uploaded"))
        if really:
            _delete(rows, results_prefix)
            RefusedResult.objects.filter(attempt__instance__in=instances).delete()
    return total


def prune_instances(before: datetime, *, really: bool) -> Amount:
    """Likewise the instances, with all that there is of them."""
    total = Amount()
    for instances in _batches(_ended(before)):
        logs = LogFile.objects.filter(attempt__instance__in=instances)
        results = ResultFile.objects.filter(attempt__instance__in=instances)
        size = _sum(logs, "size") + _sum(results, "uploaded")
        total += Amount(len(instances), logs.count() + results.count(), size)
        if really:
            have_files = {uuid for rows in (logs, results) for uuid in _uuids(rows)}
            for uuid in have_files:
                store().delete(instance_prefix(uuid))
            TaskInstance.objects.filter(pk__in=instances).delete()
    return total


def _ended(before: datetime, *, has: type[Any] | None = None) -> QuerySet[TaskInstance]:
    """Instances that ended before then and that no worker holds; only those that have rows of the model `has`."""
    leased = TaskAttempt.objects.filter(instance=OuterRef("pk"), lease_expires__isnull=False)
    ended = TaskInstance.objects.filter(
        ~Exists(leased),
        state__in=[state.value for state in State if state.is_finished],
        datetime_finished__lt=before,
    )
    return ended if has is None else ended.filter(Exists(has.objects.filter(attempt__instance=OuterRef("pk"))))


def _batches(found: QuerySet[TaskInstance]) -> Iterator[list[int]]:
    """The ids of instances, oldest first, some at a time."""
    last = 0
    while ids := list(found.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:AT_ONCE]):
        yield ids
        last = ids[-1]


def _delete(rows: QuerySet[Any], prefix: Any) -> None:
    """Remove files: first their bytes. Cut off in between, the next time finds the rows, and goes on."""
    attempts = rows.order_by().values(uuid=F("attempt__instance__uuid"), number=F("attempt__number")).distinct()
    for row in attempts:
        store().delete(prefix(row["uuid"], row["number"]))
    rows.delete()


def _uuids(rows: QuerySet[Any]) -> Iterator[UUID]:
    yield from rows.order_by().values_list("attempt__instance__uuid", flat=True).distinct()


def _sum(rows: QuerySet[Any], column: str) -> int:
    return rows.aggregate(all=Sum(column))["all"] or 0

"""Workers as pages show them: how busy each is, and with what."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count

from saltant.server.tasks.models import TaskAttempt, TaskQueue
from saltant.server.tasks.waiting import live_workers
from saltant.server.web.words import counted

MOST_WORKERS = 12
"""Workers that the home page shows."""
MOST_SQUARES = 64
"""Slots that are drawn one by one."""
SIDE, STEP = 10, 13
IN_A_ROW = 16


@dataclass(frozen=True)
class Slots:
    """The slots of a worker, to be drawn: a square each, or a bar if they are many."""

    busy: int
    all: int

    @property
    def words(self) -> str:
        """The same in words."""
        return f"{self.busy} of {counted(self.all, 'slot', 'slots')} busy"

    @property
    def squares(self) -> list[tuple[int, int, bool]]:
        """Where each square is, and whether its slot is busy."""
        if self.all > MOST_SQUARES:
            return []
        return [(at % IN_A_ROW * STEP, at // IN_A_ROW * STEP, at < self.busy) for at in range(self.all)]

    @property
    def width(self) -> int:
        """Of the picture."""
        return min(max(self.all, 1), IN_A_ROW) * STEP

    @property
    def height(self) -> int:
        """Of the picture."""
        return (len(self.squares) + IN_A_ROW - 1) // IN_A_ROW * STEP or SIDE

    @property
    def filled(self) -> float:
        """How much of the bar is busy, of its width."""
        return round(min(self.busy / self.all, 1) * self.width, 1) if self.all else 0


def busy_slots() -> dict[str, int]:
    """By the names of workers, how many attempts each holds: an index has only those that are leased."""
    rows = TaskAttempt.objects.filter(lease_expires__isnull=False).order_by().values_list("worker")
    return dict(rows.annotate(count=Count("pk")))


def dressed(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with their slots, to be drawn, and the ids of their queues."""
    found = [row | {"drawn": Slots(len(row["running"]), row["slots"])} for row in rows]
    names = {name for row in found for name in row["queues"] or ()}
    pks = dict(TaskQueue.objects.filter(name__in=names).values_list("name", "pk"))
    for row in found:
        row["served"] = None if row["queues"] is None else [(name, pks.get(name)) for name in row["queues"]]
    return found


def slots_of_workers() -> list[tuple[str, Slots]]:
    """The workers that are there, and how busy each is: the busiest first."""
    busy = busy_slots()
    found = [(each.name, Slots(busy.get(each.name, 0), each.slots)) for each in live_workers()]
    return sorted(found, key=lambda pair: (-pair[1].busy, pair[0]))[:MOST_WORKERS]

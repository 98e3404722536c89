"""How long the latest instances of a type took: a picture, and the numbers that it is drawn from."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from saltant.server.tasks.models import TaskInstance, TaskType
from saltant.server.web.words import duration_text

MOST = 50
"""Instances that are looked at: the latest that have ended."""
AMONG = 2000
"""Among how many of the latest they are looked for."""
HEIGHT, STEP, BAR = 96, 12, 8


@dataclass(frozen=True)
class Bar:
    """An instance in the picture."""

    uuid: Any
    name: str
    state: str
    seconds: float
    x: int
    y: float
    height: float

    @property
    def words(self) -> str:
        """Its time in words."""
        return duration_text(self.seconds)


@dataclass(frozen=True)
class RunTimes:
    """The picture. Bars go from the oldest to the latest."""

    bars: Sequence[Bar]
    longest: float
    median: float

    @property
    def width(self) -> int:
        """Of the picture."""
        return max(len(self.bars), 12) * STEP

    @property
    def height(self) -> int:
        """Of the picture."""
        return HEIGHT

    @property
    def bar(self) -> int:
        """The width of a bar."""
        return BAR

    @property
    def middle(self) -> float:
        """Where the median is."""
        return _y(self.median, self.longest)


def run_times(task_type: TaskType) -> RunTimes | None:
    """The picture of a type, from its latest instances; None: none has ended that was started."""
    latest = TaskInstance.objects.filter(task_type=task_type.pk).order_by("-pk").values("pk")[:AMONG]
    columns = ("uuid", "name", "state", "attempts__datetime_started", "attempts__datetime_finished")
    rows = (
        TaskInstance.objects.filter(
            pk__in=latest,
            datetime_finished__isnull=False,
            attempts__datetime_started__isnull=False,
            attempts__datetime_finished__isnull=False,
        )
        .order_by("-pk", "-attempts__number")
        .values_list(*columns)
    )
    found: dict[Any, tuple[str, str, float]] = {}
    for uuid, name, state, begin, end in rows[: MOST * 4]:
        # The last attempt of each counts.
        found.setdefault(uuid, (name, state, max((end - begin).total_seconds(), 0)))
    if not found:
        return None
    ended = list(found.items())[:MOST][::-1]
    times = [seconds for _, (_, _, seconds) in ended]
    longest = max(*times, 0.001)
    bars = [
        Bar(uuid, name, state, seconds, at * STEP, _y(seconds, longest), round(HEIGHT - _y(seconds, longest), 1))
        for at, (uuid, (name, state, seconds)) in enumerate(ended)
    ]
    return RunTimes(bars, max(times), median(times))


def _y(seconds: float, longest: float) -> float:
    return round(HEIGHT - max(seconds / max(longest, 0.001) * (HEIGHT - 4), 2), 1)

"""Pictures, as numbers for SVG: bars of several parts one on the other, and ranges beside each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

STEP, BAR, HEIGHT = 10, 8, 100
"""What a stack is drawn in; the page stretches it."""
SMALLEST = 1.5
"""The height of a part that would be seen no more."""


@dataclass(frozen=True)
class Part:
    """A part of a bar."""

    name: str
    y: float
    height: float


@dataclass(frozen=True)
class Bar:
    """A bar: its parts, from the ground up, and what it says.

    Attributes:
        label: what it is of.
        counts: the size of each part, in the order of the picture's names.
    """

    x: int
    label: str
    counts: Sequence[int]
    parts: Sequence[Part]

    @property
    def total(self) -> int:
        """How high it is."""
        return sum(self.counts)


@dataclass(frozen=True)
class Stack:
    """Bars beside each other."""

    names: Sequence[str]
    bars: Sequence[Bar]

    @property
    def width(self) -> int:
        """Of the picture."""
        return len(self.bars) * STEP

    @property
    def height(self) -> int:
        """Of the picture."""
        return HEIGHT

    @property
    def highest(self) -> int:
        """The highest bar."""
        return max((bar.total for bar in self.bars), default=0)

    @property
    def totals(self) -> list[tuple[str, int]]:
        """Each name, and how much of it there is in all bars."""
        return [(name, sum(bar.counts[at] for bar in self.bars)) for at, name in enumerate(self.names)]


def stack(names: Sequence[str], bars: Sequence[tuple[str, Mapping[str, int]]]) -> Stack:
    """A picture of labels and counts by name.

    >>> picture = stack(["good", "bad"], [("one", {"good": 3, "bad": 1}), ("two", {"good": 1})])
    >>> [(part.name, part.y, part.height) for part in picture.bars[0].parts]
    [('good', 25.0, 75.0), ('bad', 0.0, 25.0)]
    >>> picture.highest, picture.totals
    (4, [('good', 4), ('bad', 1)])
    """
    highest = max((sum(counts.values()) for _, counts in bars), default=0) or 1
    drawn = []
    for at, (label, counts) in enumerate(bars):
        parts, top = [], float(HEIGHT)
        for name in names:
            if not counts.get(name):
                continue
            height = min(max(counts[name] / highest * HEIGHT, SMALLEST), top)
            top -= height
            parts.append(Part(name, round(top, 1), round(height, 1)))
        drawn.append(Bar(at * STEP + (STEP - BAR) // 2, label, [counts.get(name, 0) for name in names], parts))
    return Stack(names, drawn)


@dataclass(frozen=True)
class Range:
    """A median and a 95th percentile, in percent of the longest."""

    median: float
    high: float

    @property
    def width(self) -> float:
        """From one to the other."""
        return round(max(self.high - self.median, 0), 1)


def range_of(median: float, high: float, longest: float) -> Range:
    """Where a range is drawn.

    >>> range_of(1.0, 3.0, 4.0)
    Range(median=25.0, high=75.0)
    """
    longest = max(longest, 0.001)
    return Range(round(median / longest * 100, 1), round(high / longest * 100, 1))

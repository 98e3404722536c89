"""Long lists, some at a time: a statement takes so many values and no more."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

AT_ONCE = 500
"""How many are looked at, locked or changed by one statement."""

T = TypeVar("T")


def parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """The items, some at a time.

    >>> [len(some) for some in parts(range(1100))]
    [500, 500, 100]
    """
    return (items[start : start + AT_ONCE] for start in range(0, len(items), AT_ONCE))

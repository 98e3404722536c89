"""Instances of one request that start after one another: which of them cannot be."""

from collections.abc import Collection, Mapping
from heapq import heapify, heappop, heappush

Names = Mapping[int, Collection[int]]
"""For each item that is in order by itself, the indexes of those that it is to start after."""

SHOWN = 10
"""How many items of a cycle are named."""


def flaws_of_items(names: Names, count: int) -> dict[int, str]:
    """Why items cannot be that name others of the same request, `count` in all.

    >>> flaws_of_items({0: [1], 1: [0], 2: [1], 3: [4], 4: []}, 5)[0]
    'Items wait for one another in a circle: 0, 1, 0.'
    """
    found: dict[int, str] = {}
    for index, others in names.items():
        for other in others:
            if other == index:
                found[index] = f"Item {index} cannot start after itself."
            elif other >= count:
                found[index] = f"There is no item {other}: the request has {count}, the first of which is 0."
    for circle in _circles({index: others for index, others in names.items() if index not in found}):
        shown = [str(each) for each in [*circle, circle[0]]]
        if len(shown) > SHOWN:
            shown = [*shown[: SHOWN - 1], "…", shown[-1]]
        found |= dict.fromkeys(circle, f"Items wait for one another in a circle: {', '.join(shown)}.")
    return found | _hopeless(names, found)


def _hopeless(names: Names, wrong: Collection[int]) -> dict[int, str]:
    """Why items cannot be that are to start after one of those that cannot."""
    followers: dict[int, list[int]] = {}
    missing = set(wrong)
    for index, others in names.items():
        for other in others:
            followers.setdefault(other, []).append(index)
            if other not in names:
                missing.add(other)
    found: dict[int, str] = {}
    line = list(missing)
    while line:
        other = line.pop()
        for index in followers.get(other, ()):
            if index not in found and index not in wrong:
                found[index] = f"Item {other}, which it is to start after, cannot be created."
                line.append(index)
    return found


def _circles(names: Names) -> list[list[int]]:
    """Some of the circles: of each knot one at least."""
    circles = []
    seen: set[int] = set()
    free = set(in_order(names))
    for start in names:
        path: dict[int, int] = {}
        index: int | None = start
        while index is not None and index not in seen and index not in free:
            seen.add(index)
            path[index] = len(path)
            index = next((other for other in names[index] if other in names and other not in free), None)
        if index is not None and index in path:
            circles.append(list(path)[path[index] :])
    return circles


def in_order(names: Names) -> list[int]:
    """The items that wait for none of a circle: each after those that it is to start after, otherwise as they are.

    >>> in_order({0: [2], 1: [], 2: [1], 3: [3]})
    [1, 2, 0]
    """
    followers: dict[int, list[int]] = {}
    left = {}
    for index, others in names.items():
        known = {other for other in others if other in names}
        left[index] = len(known)
        for other in known:
            followers.setdefault(other, []).append(index)
    line = [index for index, count in left.items() if not count]
    heapify(line)
    found = []
    while line:
        index = heappop(line)
        found.append(index)
        for follower in followers.get(index, ()):
            left[follower] -= 1
            if not left[follower]:
                heappush(line, follower)
    return found

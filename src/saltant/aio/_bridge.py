"""Runs the SDK's own code on an event loop: where it would wait, the loop does something else meanwhile.

Each call runs in a greenlet, which is a stack of its own and no thread. So there is one SDK, and hundreds of calls that
wait cost next to nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

try:
    from greenlet import getcurrent, greenlet
except ImportError as error:
    raise ImportError("saltant.aio needs greenlet: pip install 'saltant-py[async]'") from error

T = TypeVar("T")


class Bridge(greenlet):
    """What one call runs in."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function, getcurrent())
        self.gr_context = getcurrent().gr_context


async def run(function: Callable[..., T], *args: Any, **options: Any) -> T:
    """Call a function, and wait on the loop for whatever it awaits by `wait_for`."""
    bridge = Bridge(function)
    given: Any = bridge.switch(*args, **options)
    while not bridge.dead:
        try:
            answer = await given
        except BaseException as error:  # a cancel too: it goes through the function, which clears up behind itself
            given = bridge.throw(error)
        else:
            given = bridge.switch(answer)
    result: T = given
    return result


def is_bridged() -> bool:
    """Whether this is code that `run` runs."""
    return isinstance(getcurrent(), Bridge)


def wait_for(awaitable: Awaitable[T]) -> T:
    """The answer of something that is awaited by the loop of the call that this is part of."""
    bridge = getcurrent()
    if not isinstance(bridge, Bridge) or bridge.parent is None:
        raise RuntimeError("This needs an event loop: await a method of the AsyncClient instead.")
    answer: T = bridge.parent.switch(awaitable)
    return answer

"""Waiting for a task instance, whatever the server goes through meanwhile."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from saltant._patience import Patience
from saltant.exceptions import RateLimited, ServerError, TransportError, WaitTimeout

if TYPE_CHECKING:
    from saltant.client import Client
    from saltant.models.base_task_instance import BaseTaskInstance

LONGEST_HOLD = 30.0
"""Seconds for which the server is asked to hold its answer back. Proxies commonly give up after 60."""
SHORTEST_HOLD = 1.0
"""Seconds. A client whose requests may not take longer than twice this looks again and again instead."""
FIRST_PAUSE = 0.1
EARLY = 0.9
"""An answer that comes before this part of its time was not held back."""

I = TypeVar("I", bound="BaseTaskInstance")  # noqa: E741


def hold_for(client: Client, rest: float = math.inf) -> float:
    """The seconds for which the server can be asked to hold its answer back, 0 if it cannot.

    Half of a request's time at most: what is left is for its way, and for tries after a broken connection.

    Args:
        client: The server's client.
        rest: The seconds that are left.
    """
    longest = min(LONGEST_HOLD, client._transport.timeout / 2)
    if (client.server_version or 1) < 2 or longest < SHORTEST_HOLD:
        return 0.0
    return max(min(longest, rest), 0.0)


def deadline_of(timeout: float | None) -> float:
    """When a wait is over, on the monotonic clock.

    Raises:
        ValueError: The timeout makes no sense.
    """
    if timeout is not None and not timeout >= 0:
        raise ValueError(f"timeout must be at least 0 seconds, not {timeout!r}")
    return math.inf if timeout is None else time.monotonic() + timeout


def pause_after_early(early: int, longest: float) -> float:
    """The seconds to wait after so many answers on end, 1 at least, that came early.

    One may come early because the server is being stopped; all do if it cannot hold them back.
    """
    return min(FIRST_PAUSE * 2.0 ** min(early - 1, 30), longest)


def wait(
    look: Callable[[float, float], I],
    client: Client,
    uuid: str,
    refresh_period: float,
    timeout: float | None,
    known: I | None = None,
) -> I:
    """Wait for an instance to finish: see `BaseTaskInstanceManager.wait_until_finished`.

    A server that can holds its answer back until then. One that cannot answers at once, and is asked again and again.

    Args:
        look: Gets the instance within so many seconds, from an answer that the server may hold back for so many.
        client: The server's client.
        uuid: Its UUID.
        refresh_period: The longest pause between two looks, in seconds.
        timeout: The seconds after which to give up.
        known: The instance, if it was seen before.
    """
    if not 0 < refresh_period < math.inf:
        raise ValueError(f"refresh_period must be more than 0 seconds, not {refresh_period!r}")
    deadline = deadline_of(timeout)
    instance = known
    patience = Patience(
        f"Still waiting for task instance {uuid}", seen=known is not None, longest=None if timeout is None else math.inf
    )
    early = 0
    while True:
        asked = time.monotonic()
        # The first look tells whether there is such an instance, and of what version the server is.
        hold = 0.0 if instance is None else hold_for(client, deadline - asked)
        try:
            # A look may outlast a short timeout a little, or it could never see anything.
            latest = look(max(deadline - asked, 1.0) + (1.0 if hold else 0.0), hold)
        except (TransportError, ServerError, RateLimited) as error:
            pause = max(refresh_period, patience.bear(error))
        else:
            patience.well()
            if latest.is_finished:
                return latest
            first, instance = instance is None, latest
            if not hold:
                pause = 0.0 if first and hold_for(client) else refresh_period
            elif time.monotonic() - asked >= hold * EARLY:
                early, pause = 0, 0.0
            else:
                early += 1
                pause = pause_after_early(early, refresh_period)
        now = time.monotonic()
        if now >= deadline:
            raise _too_late(uuid, instance, timeout, patience)
        client._transport.sleep(min(pause, deadline - now))


def _too_late(uuid: str, instance: I | None, timeout: float | None, patience: Patience) -> WaitTimeout:
    state = "not seen" if instance is None else instance.state
    message = f"The task instance {uuid} was still {state} after {timeout} seconds."
    if patience.trouble:
        message += f" The last look at it failed: {patience.trouble}"
    return WaitTimeout(message, instance=instance)

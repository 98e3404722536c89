"""Waiting for a task instance, whatever the server goes through meanwhile."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from saltant.exceptions import RateLimited, ServerError, TransportError, WaitTimeout

if TYPE_CHECKING:
    from saltant.models.base_task_instance import BaseTaskInstance

PATIENCE_SECONDS = 600.0
"""How long a wait without a timeout of its own bears a server that does not answer, as while it is started again."""

logger = logging.getLogger(__name__)

I = TypeVar("I", bound="BaseTaskInstance")  # noqa: E741


def wait(look: Callable[[float], I], uuid: str, refresh_period: float, timeout: float | None) -> I:
    """Look at an instance until it is finished: see `BaseTaskInstanceManager.wait_until_finished`.

    Args:
        look: Gets the instance within so many seconds.
        uuid: Its UUID.
        refresh_period: The seconds between two looks.
        timeout: The seconds after which to give up.
    """
    if not 0 < refresh_period < math.inf:
        raise ValueError(f"refresh_period must be more than 0 seconds, not {refresh_period!r}")
    if timeout is not None and not timeout >= 0:
        raise ValueError(f"timeout must be at least 0 seconds, not {timeout!r}")
    now = time.monotonic()
    deadline = math.inf if timeout is None else now + timeout
    instance: I | None = None
    trouble: TransportError | ServerError | RateLimited | None = None
    trouble_since = now
    while True:
        pause = refresh_period
        try:
            # A look may outlast a short timeout a little, or it could never see anything.
            instance = look(max(deadline - now, 1.0))
            trouble = None
        except (TransportError, ServerError, RateLimited) as error:
            if trouble is None:
                trouble_since = now
            if instance is None or (timeout is None and time.monotonic() - trouble_since > PATIENCE_SECONDS):
                raise
            if trouble is None:
                logger.warning("Still waiting for task instance %s: %s", uuid, error)
            trouble = error
            pause = max(pause, getattr(error, "retry_after", None) or 0)
        else:
            if instance.is_finished:
                return instance
        now = time.monotonic()
        if now >= deadline:
            message = f"The task instance {uuid} was still {instance.state} after {timeout} seconds."
            if trouble:
                message += f" The last look at it failed: {trouble}"
            raise WaitTimeout(message, instance=instance)
        time.sleep(min(pause, deadline - now))
        now = time.monotonic()

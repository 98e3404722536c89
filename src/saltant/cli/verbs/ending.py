"""Waiting for instances of both classes at once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from queue import Queue
from threading import Thread
from typing import TYPE_CHECKING, Any

from saltant.cli.failures import NOT_FOUND, Failure
from saltant.exceptions import NotFound, PartialFailure, WaitTimeout

if TYPE_CHECKING:
    from saltant.client import Client
    from saltant.models.base_task_instance import BaseTaskInstance


def as_completed(client: Client, uuids: Sequence[str], timeout: float | None = None) -> Iterator[BaseTaskInstance]:
    """Instances as they end, each once.

    Raises:
        Failure: Some do not exist; raised after all others came.
        WaitTimeout: Not all ended in time.
        BadHttpRequestError: A request failed.
    """
    wanted = dict.fromkeys(uuids)
    managers = (client.executable_task_instances, client.container_task_instances)
    came: Queue[Any] = Queue()
    began = time.monotonic()

    def read(manager: Any) -> None:
        # Those of the other class do not exist for it.
        try:
            for instance in manager.as_completed(wanted, timeout=timeout):
                came.put(instance)
            came.put(None)
        except BaseException as error:
            came.put(error)

    for manager in managers:
        Thread(target=read, args=[manager], daemon=True).start()
    left, missing, late = len(managers), set(wanted), False
    while left:
        found = came.get()
        if found is None or isinstance(found, PartialFailure):
            left -= 1
            others = [each for each in found.failed.values() if not isinstance(each, NotFound)] if found else []
            if others:
                raise others[0]
        elif isinstance(found, WaitTimeout):
            left, late = left - 1, True
            missing.difference_update(found.unfinished)
        elif isinstance(found, BaseException):
            raise found
        else:
            missing.discard(found.uuid)
            yield found
    if late:
        raise WaitTimeout(f"Not all had ended after {timeout or time.monotonic() - began:g} seconds.")
    if missing:
        named = ", ".join(sorted(missing)[:5]) + (", …" if len(missing) > 5 else "")
        raise Failure(f"{len(missing)} of {len(wanted)} task instances do not exist: {named}.", NOT_FOUND)

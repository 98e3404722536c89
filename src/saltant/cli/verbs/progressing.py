"""A bar on stderr for one task instance: how far its job says it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import TYPE_CHECKING

from saltant.cli.verbs.instances import share_of
from saltant.exceptions import SaltantError

if TYPE_CHECKING:
    from saltant.cli.output import Output, Progress
    from saltant.models.base_task_instance import BaseTaskInstance

PACE = 1.0
"""Seconds between two looks at it."""


@contextmanager
def showing(output: Output, text: str, instance: BaseTaskInstance) -> Iterator[Progress]:
    """A bar for it as long as something goes on; where none is drawn, nothing is asked."""
    with output.progress(text) as progress:
        if not progress.is_drawn:
            yield progress
            return
        over = Event()
        thread = Thread(target=_follow, args=[instance, progress, text, over], daemon=True)
        thread.start()
        try:
            yield progress
        finally:
            over.set()


def _follow(instance: BaseTaskInstance, progress: Progress, text: str, over: Event) -> None:
    while not over.wait(PACE):
        with suppress(SaltantError):
            latest: BaseTaskInstance = instance.manager.get(instance.uuid)
            share = share_of(latest)
            if share is not None and not over.is_set():
                done = None if share.percent is None else int(share.percent)
                progress.update(done, f"{text}: {share}", None if done is None else 100)

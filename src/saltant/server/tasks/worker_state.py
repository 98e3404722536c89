"""How a worker is, from what it said and when it last said anything: once for rows, once for queries."""

from datetime import datetime
from enum import StrEnum

from django.db.models import Q

from saltant.server.tasks.leases import live_since
from saltant.server.tasks.models import Worker


class WorkerState(StrEnum):
    """How a worker is."""

    ONLINE = "online"
    DRAINING = "draining"
    LOST = "lost"
    STOPPED = "stopped"


NEEDS = ("drain", "draining", "datetime_left", "datetime_heartbeat")
"""The columns that it is found out from."""


def state_of(
    drain: bool, draining: bool, left: datetime | None, heartbeat: datetime, *, since: datetime
) -> WorkerState:
    """The state of a worker; one that was last heard of before `since` is lost."""
    if left is not None:
        return WorkerState.STOPPED
    if heartbeat < since:
        return WorkerState.LOST
    return WorkerState.DRAINING if drain or draining else WorkerState.ONLINE


def is_live(worker: Worker) -> bool:
    """Whether a worker is there, taking jobs or finishing its last ones."""
    state = state_of(*(getattr(worker, name) for name in NEEDS), since=live_since())
    return state in (WorkerState.ONLINE, WorkerState.DRAINING)


def rows_in(state: WorkerState) -> Q:
    """What holds of the rows of workers in `state`."""
    here, heard = Q(datetime_left=None), Q(datetime_heartbeat__gte=live_since())
    leaving = Q(drain=True) | Q(draining=True)
    return {
        WorkerState.STOPPED: ~here,
        WorkerState.LOST: here & ~heard,
        WorkerState.DRAINING: here & heard & leaving,
        WorkerState.ONLINE: here & heard & ~leaving,
    }[state]

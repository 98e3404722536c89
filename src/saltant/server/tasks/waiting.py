"""Why an instance does not run yet."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS

from saltant.jobs import Kind
from saltant.server.prepared import Prepared
from saltant.server.tasks.leases import live_since
from saltant.server.tasks.models import TaskDependency, Worker
from saltant.server.tasks.parts import parts
from saltant.server.tasks.services.room import Needs, Room, serves
from saltant.server.tasks.services.submission import KIND_NAMES
from saltant.states import FINISHED, WAITING, State

FIELDS = [field.attname for field in Worker._meta.concrete_fields]

# Who looks at an instance that waits looks often.
_live = Prepared(
    lambda since: (
        Worker.objects.filter(datetime_heartbeat__gte=since, datetime_left=None).order_by("id").values_list(*FIELDS)
    ),
    Worker._meta.get_field("datetime_heartbeat"),
    datetime(1, 1, 2, tzinfo=UTC),
)


def live_workers() -> list[Worker]:
    """The workers that were heard of within a lease time, and did not leave."""
    return [Worker.from_db(DEFAULT_DB_ALIAS, FIELDS, row) for row in _live.rows(live_since())]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an instance: columns of its own, of its queue and of its user, in the order of `NEEDS`."""

    state: str
    kind: str
    queue: str
    paused: bool = False
    start_after: datetime | None = None
    held_back: bool = False
    cpus: float | None = None
    memory: int | None = None
    gpus: int | None = None
    queue_limit: int | None = None
    user_limit: int | None = None
    waits_for: int = 0


NEEDS = [
    "state",
    "kind",
    "task_queue__name",
    "task_queue__paused",
    "start_after",
    "held_back",
    "cpus",
    "memory",
    "gpus",
    "task_queue__max_running",
    "user__max_running",
    "waits_for",
]
"""The columns of `Facts`."""


def explain(instance: Facts, workers: Iterable[Worker], others: Sequence[UUID] = ()) -> str | None:
    """Why an instance does not run: a sentence, or None if it does not wait.

    Args:
        workers: the live ones.
        others: those that it starts after and that have not ended, if they are few.
    """
    if instance.state not in WAITING:
        return None
    queue = instance.queue
    if instance.waits_for:
        return _after(instance.waits_for, others)
    if instance.paused:
        return f"The queue '{queue}' is paused."
    if instance.start_after is not None:
        return f"Its next attempt starts at {instance.start_after.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}."
    if instance.state == State.CREATED:
        return "It has not been handed to the workers yet."
    serving = [worker for worker in workers if serves(worker, queue)]
    if not serving:
        return f"No worker serves the queue '{queue}' now."
    able = [worker for worker in serving if instance.kind in worker.kinds]
    if not able:
        return f"No worker of the queue '{queue}' can run {KIND_NAMES[Kind(instance.kind)]}."
    if all(worker.drain or worker.draining for worker in able):
        return f"The workers of the queue '{queue}' are draining: they take nothing new."
    if not any(Room.whole(worker).fits(Needs.of(instance)) for worker in able):
        return f"It asks for {_asked(instance)}: no worker of the queue '{queue}' has so much."
    if instance.held_back:
        return f"It waits for others to end: {_limits(instance)}."
    return "It waits for a free slot on a worker."


FEW = 5
"""How many others are named that an instance starts after."""


def awaited(counts: Mapping[int, int]) -> dict[int, list[UUID]]:
    """Of instances, by id, that wait for so many others to end: who these are, if they are few."""
    few = [pk for pk, count in counts.items() if 0 < count <= FEW]
    found: dict[int, list[UUID]] = {}
    for some in parts(few):
        rows = TaskDependency.objects.filter(instance__in=some).exclude(on__state__in=FINISHED).order_by("id")
        for pk, uuid in rows.values_list("instance", "on__uuid"):
            found.setdefault(pk, []).append(uuid)
    return found


def _after(count: int, others: Sequence[UUID]) -> str:
    # Read a moment later than the count: some may have ended since.
    count = len(others) or count
    named = f": {', '.join(map(str, others))}" if others else ""
    return f"It waits for {'another' if count == 1 else f'{count} others'} to end{named}."


def _asked(instance: Facts) -> str:
    cpus = None if instance.cpus is None else f"{instance.cpus:g} processors"
    memory = None if instance.memory is None else f"{instance.memory / 2**30:.3g} GiB of memory"
    gpus = None if instance.gpus is None else f"{instance.gpus} GPU{'s' if instance.gpus != 1 else ''}"
    *others, last = [part for part in (cpus, memory, gpus) if part]
    return f"{', '.join(others)} and {last}" if others else last


def _limits(instance: Facts) -> str:
    """The limits that apply to it; which of them it hit may change from one moment to the next."""
    found = []
    if instance.queue_limit is not None:
        found.append(f"the queue '{instance.queue}' runs {instance.queue_limit} at once")
    if instance.user_limit is not None:
        found.append(f"{instance.user_limit} of its user's run at once")
    if Needs.of(instance).is_any:
        found.append(f"it asks for {_asked(instance)}")
    return ", ".join(found) or "a limit was lifted, and it gets its turn"

"""The names of queues: under which workers are started, tickets are carried and queues are shown.

A queue that is renamed keeps its lane, under which engines carry its tickets. Workers are told the lanes of the queues
that they are started for, so those that were started before a renaming go on, and those that come later find the rest.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.db import transaction

from saltant.server.tasks.models import FormerQueueName, TaskQueue, Worker


@dataclass(frozen=True, slots=True)
class Served:
    """A queue that a worker says it serves; one that is not there, yet, has neither id nor other names.

    Attributes:
        said: what the worker calls it.
        name: what it is called now.
        lane: under which name its tickets are carried.
        pk: its id.
    """

    said: str
    name: str
    lane: str
    pk: int | None = None


def find_served(queues: Iterable[str], lanes: Collection[str] | None = None) -> list[Served]:
    """The queues that a worker serves: by the lanes that it was told, or at its start by their names.

    A name that a queue had before is as good, as long as no other queue has it.
    """
    if lanes is not None:
        known = {queue.lane: queue for queue in TaskQueue.objects.filter(lane__in=lanes)}
        return [_served(lane, known.get(lane)) for lane in lanes]
    names = list(queues)
    former = FormerQueueName.objects.filter(name__in=names).select_related("queue")
    known = {each.name: each.queue for each in former}
    known |= {queue.name: queue for queue in TaskQueue.objects.filter(name__in=names)}
    return [_served(name, known.get(name)) for name in names]


def _served(said: str, queue: TaskQueue | None) -> Served:
    return Served(said, said, said) if queue is None else Served(said, queue.name, queue.lane, queue.pk)


def rename_queue(queue: TaskQueue, name: str) -> None:
    """Give a queue another name. Its instances, its workers and their tokens stay with it."""
    with transaction.atomic():
        old = TaskQueue.objects.select_for_update().values_list("name", flat=True).get(pk=queue.pk)
        queue.name = name
        if old == name:
            return
        queue.save(update_fields=["name"])
        FormerQueueName.objects.update_or_create(name=old, defaults={"queue": queue})
        for worker in Worker.objects.select_for_update(no_key=True).filter(queues__isnull=False).order_by("id"):
            if old in worker.queues:
                worker.queues = sorted({*worker.queues, name} - {old})
                worker.save(update_fields=["queues"])

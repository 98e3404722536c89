"""New tickets for what was held back for a limit, as far as there is room now."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, QuerySet, Sum

from saltant.server.tasks import dispatch
from saltant.server.tasks.models import TaskAttempt, TaskInstance, TaskQueue, Worker
from saltant.server.tasks.services import statements
from saltant.server.tasks.services.leases import live_since
from saltant.states import WAITING, State

LOOKED_AT = 200
"""How many of a queue's held back instances are looked at: the first in line."""


def release_if_held_back() -> None:
    """Release what there is room for. Where nothing is held back, which is the rule, it costs one small query."""
    if statements.ANY_HELD_BACK.one() is not None:
        release()


def release() -> int:
    """Send new tickets to held back instances that could start now; returns how many. The claim has the last word."""
    queues = TaskQueue.objects.filter(paused=False, instances__held_back=True).distinct().order_by("id")
    leased = TaskAttempt.objects.filter(lease_expires__isnull=False)
    rooms = [Room.of(worker, leased) for worker in live_workers()]
    by_user = _count(leased.values("instance__user").annotate(running=Count("pk")), "instance__user")
    by_queue = _count(leased.values("instance__task_queue").annotate(running=Count("pk")), "instance__task_queue")
    released = 0
    for queue in queues:
        serving = [room for room in rooms if serves(room.worker, queue.name)]
        waiting = TaskInstance.objects.filter(task_queue=queue, held_back=True, state__in=WAITING)
        for instance in waiting.annotate(user_limit=F("user__max_running")).order_by("-priority", "id")[:LOOKED_AT]:
            if queue.max_running is not None and by_queue[queue.pk] >= queue.max_running:
                break
            if instance.user_limit is not None and by_user[instance.user_id] >= instance.user_limit:
                continue
            room = next((room for room in serving if room.fits(instance.cpus, instance.memory)), None)
            if room is None:
                continue
            room.take(instance.cpus, instance.memory)
            by_queue[queue.pk] += 1
            by_user[instance.user_id] += 1
            # One of several processes that look at the same time sends it.
            if TaskInstance.objects.filter(pk=instance.pk, held_back=True).update(held_back=False):
                dispatch.publish(instance, queue.name, State.PUBLISHED)
                released += 1
    return released


def serves(worker: Worker, queue: str) -> bool:
    """Whether `worker` takes jobs of the queue named so."""
    return worker.queues is None or queue in worker.queues


def live_workers() -> list[Worker]:
    """The workers that take jobs: heard of within a lease time, and not leaving."""
    found = Worker.objects.filter(datetime_heartbeat__gte=live_since(), datetime_left=None, draining=False, drain=False)
    return list(found.order_by("id"))


def _count(rows: Any, key: str) -> defaultdict[int | None, int]:
    return defaultdict(int, {row[key]: row["running"] for row in rows})


@dataclass
class Room:
    """What a worker has left for jobs that ask for processors or memory; None: it is not counted."""

    worker: Worker
    cpus: float | None
    memory: float | None

    @classmethod
    def of(cls, worker: Worker, leased: QuerySet[TaskAttempt]) -> "Room":
        """What `leased` leaves."""
        used = leased.filter(worker=worker.name).aggregate(cpus=Sum("instance__cpus"), memory=Sum("instance__memory"))
        return cls(worker, _minus(worker.cpus, used["cpus"]), _minus(worker.memory, used["memory"]))

    def fits(self, cpus: float | None, memory: float | None) -> bool:
        """Whether there is so much."""
        return _fits(cpus, self.cpus) and _fits(memory, self.memory)

    def take(self, cpus: float | None, memory: float | None) -> None:
        """Count that as used."""
        self.cpus = _minus(self.cpus, cpus)
        self.memory = _minus(self.memory, memory)


def _minus(total: float | None, used: float | None) -> float | None:
    return None if total is None else total - (used or 0)


def _fits(asked: float | None, left: float | None) -> bool:
    # Ten tenths of a processor are one.
    return asked is None or left is None or asked <= left + 1e-9

"""New tickets for what was held back for a limit, as far as there is room now."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from django.db import connection, transaction
from django.db.models import Count, F, QuerySet, Sum

from saltant.server.tasks import dispatch
from saltant.server.tasks.models import TaskAttempt, TaskInstance, TaskQueue, Worker
from saltant.server.tasks.services import statements
from saltant.server.tasks.worker_state import WorkerState, rows_in
from saltant.states import WAITING, State

NEEDS = ("uuid", "attempt", "kind", "priority", "cpus", "memory", "gpus", "user", "task_queue")
"""What of an instance decides whether there is room, and what its ticket is made from."""
LOOKED_AT = 200
"""How many of a queue's held back instances are looked at: the first in line."""


def release_if_held_back() -> None:
    """Release what there is room for. Where nothing is held back, which is the rule, it costs one small query."""
    if statements.ANY_HELD_BACK.one() is not None:
        release()


def release_when_committed() -> None:
    """The same, for a transaction that makes room."""
    # SQLite's writers come one after the other: whoever holds something back later sees that room. So it can be asked
    # here, where the query costs a third.
    if connection.vendor != "sqlite":
        transaction.on_commit(release_if_held_back)
    elif statements.ANY_HELD_BACK.one() is not None:
        transaction.on_commit(release)


def release() -> int:
    """Send new tickets to held back instances that could start now; returns how many. The claim has the last word."""
    queues = TaskQueue.objects.filter(paused=False, instances__held_back=True).distinct().order_by("id")
    leased = TaskAttempt.objects.filter(lease_expires__isnull=False)
    rooms = Room.of_all(taking_workers(), leased)
    by_user = _count(leased.values("instance__user").annotate(running=Count("pk")), "instance__user")
    by_queue = _count(leased.values("instance__task_queue").annotate(running=Count("pk")), "instance__task_queue")
    released = 0
    for queue in queues:
        if _is_full(queue, by_queue):
            continue
        serving = [room for room in rooms if serves(room.worker, queue.name)]
        waiting = TaskInstance.objects.filter(task_queue=queue, held_back=True, state__in=WAITING)
        rows = waiting.annotate(user_limit=F("user__max_running")).only(*NEEDS).order_by("-priority", "id")
        for instance in rows[:LOOKED_AT]:
            if _is_full(queue, by_queue):
                break
            if instance.user_limit is not None and by_user[instance.user_id] >= instance.user_limit:
                continue
            needs = Needs.of(instance)
            room = next((room for room in serving if instance.kind in room.worker.kinds and room.fits(needs)), None)
            if room is None:
                continue
            room.take(needs)
            by_queue[queue.pk] += 1
            by_user[instance.user_id] += 1
            # One of several processes that look at the same time sends it.
            if TaskInstance.objects.filter(pk=instance.pk, held_back=True).update(held_back=False):
                dispatch.publish(instance, queue.lane, State.PUBLISHED)
                released += 1
    return released


def serves(worker: Worker, queue: str) -> bool:
    """Whether `worker` takes jobs of the queue named so."""
    return worker.queues is None or queue in worker.queues


def _is_full(queue: TaskQueue, running: defaultdict[int | None, int]) -> bool:
    return queue.max_running is not None and running[queue.pk] >= queue.max_running


def taking_workers() -> list[Worker]:
    """The workers that take jobs: heard of within a lease time, and not leaving."""
    return list(Worker.objects.filter(rows_in(WorkerState.ONLINE)).order_by("id"))


def _count(rows: Any, key: str) -> defaultdict[int | None, int]:
    return defaultdict(int, {row[key]: row["running"] for row in rows})


class HasNeeds(Protocol):
    """An instance, or what is known of one."""

    @property
    def cpus(self) -> float | None: ...
    @property
    def memory(self) -> int | None: ...
    @property
    def gpus(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Needs:
    """What a job asks for of its worker's machine; None: nothing in particular."""

    cpus: float | None = None
    memory: float | None = None
    gpus: float | None = None

    @classmethod
    def of(cls, instance: HasNeeds) -> "Needs":
        """What an instance asks for."""
        return cls(instance.cpus, instance.memory, instance.gpus)

    @property
    def is_any(self) -> bool:
        """Whether it asks for anything."""
        return not (self.cpus is None and self.memory is None and self.gpus is None)


@dataclass
class Room:
    """What a worker has left for jobs that ask for processors, memory or GPUs; None: it is not counted."""

    worker: Worker
    cpus: float | None
    memory: float | None
    gpus: float

    @classmethod
    def whole(cls, worker: Worker) -> "Room":
        """What a worker has while nothing runs."""
        return cls(worker, worker.cpus, worker.memory, len(worker.gpus))

    @classmethod
    def of_all(cls, workers: Iterable[Worker], leased: QuerySet[TaskAttempt]) -> "list[Room]":
        """What `leased` leaves to each."""
        sums = {name: Sum(f"instance__{name}") for name in ("cpus", "memory", "gpus")}
        rows: Any = leased.values("worker").annotate(**sums)
        used = {row["worker"]: Needs(*(row[name] for name in sums)) for row in rows}
        rooms = [cls.whole(worker) for worker in workers]
        for room in rooms:
            room.take(used.get(room.worker.name, Needs()))
        return rooms

    @classmethod
    def of(cls, worker: Worker, leased: QuerySet[TaskAttempt]) -> "Room":
        """What `leased` leaves."""
        [room] = cls.of_all([worker], leased.filter(worker=worker.name))
        return room

    def fits(self, needs: Needs) -> bool:
        """Whether there is so much."""
        return _fits(needs.cpus, self.cpus) and _fits(needs.memory, self.memory) and _fits(needs.gpus, self.gpus)

    def take(self, needs: Needs) -> None:
        """Count that as used."""
        self.cpus = None if self.cpus is None else self.cpus - (needs.cpus or 0)
        self.memory = None if self.memory is None else self.memory - (needs.memory or 0)
        self.gpus -= needs.gpus or 0


def _fits(asked: float | None, left: float | None) -> bool:
    # Ten tenths of a processor are one.
    return asked is None or left is None or asked <= left + 1e-9

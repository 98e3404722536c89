"""Queues as pages show them: what runs and waits on each, and which workers serve it."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Count

from saltant.server.tasks.leases import live_since
from saltant.server.tasks.models import TaskInstance, TaskQueue, TaskWhitelist, Worker
from saltant.server.tasks.services.room import serves
from saltant.server.tasks.waiting import live_workers
from saltant.server.tasks.worker_state import NEEDS, state_of
from saltant.states import UNFINISHED, State


def state_word(row: Mapping[str, Any]) -> str:
    """How a queue is: active, paused or closed."""
    if not row["active"] or row["datetime_archived"]:
        return "closed"
    return "paused" if row["paused"] else "active"


def loads(pks: Iterable[int]) -> dict[int, dict[str, int]]:
    """By the ids of queues, how many instances run and wait: one query, in an index of what has not ended."""
    rows = (
        TaskInstance.objects.filter(state__in=UNFINISHED, task_queue__in=list(pks))
        .order_by()
        .values_list("task_queue", "state")
        .annotate(count=Count("pk"))
    )
    found: dict[int, dict[str, int]] = {}
    for pk, state, count in rows:
        load = found.setdefault(pk, {"running": 0, "waiting": 0})
        load["running" if state == State.RUNNING else "waiting"] += count
    return found


def workers_of(name: str, workers: Iterable[Worker]) -> list[Worker]:
    """Those of some workers that serve a queue."""
    return [each for each in workers if serves(each, name)]


def state_of_worker(worker: Worker) -> str:
    """How a worker is."""
    return state_of(*(getattr(worker, name) for name in NEEDS), since=live_since()).value


def dressed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with their state, their load, their workers and the names of their whitelists."""
    counted, workers = loads(row["id"] for row in rows), live_workers()
    names = dict(
        TaskWhitelist.objects.filter(pk__in={pk for row in rows for pk in row["whitelists"]}).values_list("pk", "name")
    )
    found = []
    for row in rows:
        mine = workers_of(row["name"], workers)
        load = counted.get(row["id"], {"running": 0, "waiting": 0})
        held = sorted(names[pk] for pk in row["whitelists"] if pk in names)
        more = {"state": state_word(row), "workers": len(mine), "slots": sum(each.slots for each in mine)}
        found.append(row | load | more | {"held": held})
    return found


def offered_whitelists(queue: TaskQueue | None) -> list[TaskWhitelist]:
    """The whitelists that a queue may hold: those in use, and those that it holds already."""
    rows = TaskWhitelist.objects.filter(datetime_archived=None)
    if queue is not None:
        rows |= TaskWhitelist.objects.filter(taskqueue=queue.pk)
    return list(rows.distinct().order_by("name").select_related("user"))

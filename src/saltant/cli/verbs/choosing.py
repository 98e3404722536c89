"""Which queue is meant."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from saltant.cli import resolve
from saltant.cli.failures import REFUSED, USAGE, Failure
from saltant.exceptions import UnsupportedByServer

if TYPE_CHECKING:
    from saltant.cli.common import Context
    from saltant.client import Client
    from saltant.models.base_task_type import BaseTaskType
    from saltant.models.task_queue import TaskQueue
    from saltant.models.task_whitelist import TaskWhitelist

VARIABLE = "SALTANT_QUEUE"


def usual_queue(context: Context) -> str | None:
    """The name of the queue that the environment or the profile names."""
    name = os.environ.get(VARIABLE, "").strip()
    if name:
        return name
    from saltant._config import find

    return find(context.profile).queue


def choose_queue(context: Context, task_type: BaseTaskType, named: str | None) -> TaskQueue:
    """The queue for a type: the named one, the only one that runs it, or the usual one.

    Raises:
        Failure: There is no such queue, or none runs the type, or several do.
    """
    client = context.client
    if named is not None:
        return resolve.queue(client, named)
    usable = queues_that_run(client, task_type)
    if len(usable) == 1:
        return usable[0]
    if not usable:
        kind = "container" if resolve.class_of(task_type) == "container" else "executable"
        raise Failure(
            f"No queue that you may use runs the {kind} task type {task_type.name!r}. The owner of a queue's "
            "whitelist, or an admin, can add it there: `saltant queues` names queues and whitelists.",
            REFUSED,
        )
    name = usual_queue(context)
    if name is not None:
        return resolve.queue(client, name)
    names = ", ".join(each.name for each in usable)
    raise Failure(f"Several queues run {task_type.name!r}: {names}. Choose one by --queue or {VARIABLE}.", USAGE)


def queues_that_run(client: Client, task_type: BaseTaskType) -> list[TaskQueue]:
    """The queues that the user may use and that run a type."""
    lists = client.task_whitelists.iterate()
    holding = {each.id for each in lists if not each.archived and holds(each, task_type)}
    return [
        each for each in usable_queues(client) if accepts(each, task_type) and not holding.isdisjoint(each.whitelists)
    ]


def usable_queues(client: Client) -> list[TaskQueue]:
    """The queues that the user may put instances on."""
    queues = [each for each in client.task_queues.list({"active": True}) if not each.archived]
    if not any(each.private for each in queues):
        return queues
    try:
        me = client.users.me().username
    except UnsupportedByServer:  # it will say whether the queue can be used
        return queues
    return [each for each in queues if not each.private or each.user == me]


def holds(whitelist: TaskWhitelist, task_type: BaseTaskType) -> bool:
    """Whether a type is on a whitelist."""
    if resolve.class_of(task_type) == "container":
        return task_type.id in whitelist.whitelisted_container_task_types
    return task_type.id in whitelist.whitelisted_executable_task_types


def accepts(queue: TaskQueue, task_type: BaseTaskType) -> bool:
    """Whether a queue runs such things at all."""
    return accepts_kind(queue, getattr(task_type, "container_type", None) or "executable")


def accepts_kind(queue: TaskQueue, kind: str) -> bool:
    """Whether a queue runs executables, or containers of an engine."""
    return bool(
        {
            "executable": queue.runs_executable_tasks,
            "docker": queue.runs_docker_container_tasks,
            "singularity": queue.runs_singularity_container_tasks,
        }.get(kind)
    )

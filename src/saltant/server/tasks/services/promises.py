"""What whitelists and queues promise when their parts are changed."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Q

from saltant.server.accounts.models import User
from saltant.server.audit.log import SALTANT, Actor, difference, record
from saltant.server.audit.models import Action
from saltant.server.tasks import dispatch
from saltant.server.tasks.models import TaskQueue, TaskType, TaskWhitelist

WHAT_RUNS = (
    "command_to_run",
    "environment_variables",
    "required_arguments_default_values",
    "json_file_option",
    "logs_path",
    "results_path",
    "container_image",
    "container_type",
    "pull_policy",
    "network",
    "container_user",
    "read_only_root",
)
"""Changing one of these makes a type another program than the one that was put on a whitelist."""


def update_type(task_type: TaskType, changes: Mapping[str, Any], user: User) -> list[TaskWhitelist]:
    """Save changes of a type; returns the whitelists that it was taken off.

    Who put a type on a whitelist looked at what it runs. If that changes, it leaves every whitelist that is not the
    changer's own, unless an admin does it.
    """
    with transaction.atomic():
        # What was read without the lock may be old, and so may a form's object be.
        task_type.refresh_from_db(from_queryset=TaskType.objects.select_for_update())
        other = any(name in changes and changes[name] != getattr(task_type, name) for name in WHAT_RUNS)
        done = difference(task_type, changes)
        for name, value in changes.items():
            setattr(task_type, name, value)
        task_type.save(update_fields=list(changes))
        broken = []
        if other and not user.is_admin:
            foreign = TaskWhitelist.objects.filter(~Q(user=user) | Q(user=None), task_types=task_type)
            broken = list(foreign.order_by("id"))
        for whitelist in broken:
            whitelist.task_types.remove(task_type)
        if done:
            off = {"taken_off": [whitelist.name for whitelist in broken]} if broken else {}
            record(user, Action.UPDATE, task_type, done | off)
    return broken


def set_paused(queue: TaskQueue, paused: bool, by: Actor = SALTANT) -> None:
    """Stop, or let on, starts from a queue. What waited is handed to the workers again. `by` is who does it."""
    with transaction.atomic():
        if not TaskQueue.objects.filter(pk=queue.pk).exclude(paused=paused).update(paused=paused):
            return
        queue.paused = paused
        record(by, Action.PAUSE if paused else Action.RESUME, queue)
        if not paused:
            transaction.on_commit(partial(dispatch.publish_waiting, dispatch.at_once(), task_queue=queue))

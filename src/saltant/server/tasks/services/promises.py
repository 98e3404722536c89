"""What whitelists and queues promise when their parts are changed."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from saltant.server.accounts.models import User
from saltant.server.audit.log import SALTANT, Actor, difference, record
from saltant.server.audit.models import Action
from saltant.server.tasks import dispatch
from saltant.server.tasks.models import TaskQueue, TaskType, TaskWhitelist, WhitelistPin
from saltant.server.tasks.services.revisions import is_other, next_revision, values_of

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


def at_stake(task_type: TaskType, user: User) -> "QuerySet[TaskWhitelist]":
    """The whitelists that a type is taken off if `user` changes what it runs."""
    if user.is_admin:
        return TaskWhitelist.objects.none()
    foreign = TaskWhitelist.objects.filter(~Q(user=user) | Q(user=None), task_types=task_type)
    pinned = WhitelistPin.objects.filter(task_type=task_type, to_revision__isnull=False).values("whitelist")
    return foreign.exclude(pk__in=pinned).order_by("id")


def changes_what_runs(task_type: TaskType, changes: Mapping[str, Any]) -> bool:
    """Whether changes make a type, as it is now, another program."""
    return any(name in changes and is_other(changes[name], getattr(task_type, name)) for name in WHAT_RUNS)


def update_type(
    task_type: TaskType, changes: Mapping[str, Any], user: User, *, restored: int | None = None
) -> list[TaskWhitelist]:
    """Save changes of a type, as a new revision if they are any; returns the whitelists that it was taken off.

    Who put a type on a whitelist looked at what it runs. If that changes, it leaves every whitelist that is not the
    changer's own, unless an admin does it. A whitelist that pins it holds on to it, for it allows what it did before.

    Args:
        restored: the revision that the changes go back to, if they do.
    """
    with transaction.atomic():
        # What was read without the lock may be old, and so may a form's object be.
        task_type.refresh_from_db(from_queryset=TaskType.objects.select_for_update())
        other = changes_what_runs(task_type, changes)
        done, before = difference(task_type, changes), values_of(task_type)
        for name, value in changes.items():
            setattr(task_type, name, value)
        done |= next_revision(task_type, before, user)
        task_type.save(update_fields=[*changes, "revision"])
        broken = list(at_stake(task_type, user)) if other else []
        for whitelist in broken:
            whitelist.task_types.remove(task_type)
        if done:
            off = {"taken_off": [whitelist.name for whitelist in broken]} if broken else {}
            to = {} if restored is None else {"revision": restored}
            record(user, Action.UPDATE if restored is None else Action.RESTORE, task_type, to | done | off)
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

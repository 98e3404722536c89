"""What a type is, was, and what an instance ran of it. Each change makes a revision, which stays as it is."""

import json
from collections.abc import Mapping
from copy import copy
from datetime import datetime
from typing import Any

from django.utils import timezone

from saltant.jobs import Kind
from saltant.server.accounts.models import User
from saltant.server.audit.log import SALTANT, Actor, name_of
from saltant.server.tasks.arguments import Refused
from saltant.server.tasks.models import LIMITS, TaskClass, TaskInstance, TaskType, TaskTypeRevision

SNAPSHOT = (
    "command_to_run",
    "environment_variables",
    "json_file_option",
    "logs_path",
    "results_path",
    "container_image",
    "pull_policy",
    "network",
    "container_user",
    "read_only_root",
    "shm_size",
)
"""What an instance keeps of its type: with its kind and arguments, all that decides what runs."""
CALLED = ("name", "description")
"""What a type is called, whatever it runs."""
SHARED = (
    *CALLED,
    "command_to_run",
    "environment_variables",
    "required_arguments",
    "required_arguments_default_values",
)
KEPT: Mapping[str, tuple[str, ...]] = {
    TaskClass.EXECUTABLE: (*SHARED, "json_file_option", *LIMITS),
    TaskClass.CONTAINER: (
        *SHARED,
        "logs_path",
        "results_path",
        "container_image",
        "container_type",
        "pull_policy",
        "network",
        "container_user",
        "read_only_root",
        "shm_size",
        *LIMITS,
    ),
}
"""By class, the fields that a revision keeps: all that can be changed, but for the owner."""


def values_of(task_type: TaskType) -> dict[str, Any]:
    """What a revision of a type as it is keeps."""
    return {
        name: TaskType._meta.get_field(name).to_python(getattr(task_type, name))  # type: ignore[union-attr]
        for name in KEPT[task_type.task_class]
    }


def is_other(old: Any, new: Any) -> bool:
    """Whether two values are different as JSON: to Python 1, 1.0 and True are the same."""
    return json.dumps(old, sort_keys=True) != json.dumps(new, sort_keys=True)


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The fields in which two revisions differ: field to [old, new]."""
    names = [*new, *(name for name in old if name not in new)]
    return {name: [old.get(name), new.get(name)] for name in names if is_other(old.get(name), new.get(name))}


def add_revision(task_type: TaskType, by: Actor, changes: Mapping[str, list[Any]] | None = None) -> None:
    """Write down what a type is from now on, under its current number. Call it in the transaction that saves it."""
    _write_down(task_type, by, values_of(task_type), changes or {})


def next_revision(task_type: TaskType, before: Mapping[str, Any], by: Actor) -> dict[str, list[Any]]:
    """Give a type that was `before`, and is about to be saved, a revision of its own; returns what it changes.

    If it changes nothing there is none. The caller saves `revision` too.
    """
    changes = differences(before, values_of(task_type))
    if changes:
        if not task_type.revisions.filter(number=task_type.revision).exists():
            _begin_history(task_type, before)
        task_type.revision += 1
        add_revision(task_type, by, changes)
    return changes


def at_revision(task_type: TaskType, number: int | None) -> TaskType:
    """A type as one of its revisions has it; None: as it is now. It keeps its name, and is not to be saved.

    Raises:
        Refused: it has no such revision.
    """
    if number is None or number == task_type.revision:
        return task_type
    values = TaskTypeRevision.objects.filter(task_type=task_type.pk, number=number).values_list("values", flat=True)
    found: Any = values.first()
    if found is None:
        known = f"its newest is {task_type.revision}"
        raise Refused({"revision": [f"The task type '{task_type.name}' has no revision {number}: {known}."]})
    return _with(task_type, {name: value for name, value in found.items() if name not in CALLED}, number)


def as_it_ran(instance: TaskInstance) -> TaskType:
    """The type of an instance as the instance's own snapshot has it. It is not to be saved.

    It requires no arguments: those of the instance were complete when it was made.

    Raises:
        Refused: it has none, as it was imported.
    """
    if not instance.snapshot:
        said = "It was imported, and what it ran is not known: it can only be cloned from its type as it is now."
        raise Refused({"as_was": [said]})
    kind = Kind(instance.kind)
    defaults = {name: TaskType._meta.get_field(name).get_default() for name in SNAPSHOT}  # type: ignore[union-attr]
    values = defaults | {name: instance.snapshot[name] for name in SNAPSHOT if name in instance.snapshot}
    values |= {"required_arguments": [], "required_arguments_default_values": {}}
    values |= {"container_type": "" if kind is Kind.EXECUTABLE else kind.value}
    return _with(instance.task_type, values, instance.revision)


def _with(task_type: TaskType, values: Mapping[str, Any], number: int | None) -> TaskType:
    changed = copy(task_type)
    for name, value in {**values, "revision": number}.items():
        setattr(changed, name, value)
    return changed


def _begin_history(task_type: TaskType, values: Mapping[str, Any]) -> None:
    """Write down what a type was that was made past the services."""
    _write_down(task_type, task_type.user or SALTANT, values, {}, task_type.datetime_created)


def _write_down(
    task_type: TaskType,
    by: Actor,
    values: Mapping[str, Any],
    changes: Mapping[str, Any],
    when: datetime | None = None,
) -> None:
    kept: Any = {"values": dict(values), "changes": dict(changes)}
    TaskTypeRevision.objects.create(
        task_type=task_type,
        number=task_type.revision,
        datetime_created=when or timezone.now(),
        user=by if isinstance(by, User) else None,
        changed_by=name_of(by),
        **kept,
    )

"""Putting types, queues and whitelists out of use, taking them back, and deleting what was never used."""

from django.db import IntegrityError, models, transaction
from django.utils import timezone

from saltant.server.audit.log import Actor, record
from saltant.server.audit.models import Action
from saltant.server.tasks.arguments import Refused
from saltant.server.tasks.models import TaskQueue, TaskType, TaskWhitelist

Thing = TaskType | TaskQueue | TaskWhitelist

NAMES: dict[type[Thing], tuple[str, str]] = {
    TaskType: ("task_type", "task type"),
    TaskQueue: ("task_queue", "queue"),
    TaskWhitelist: ("task_whitelist", "whitelist"),
}
"""How a request and how people name them."""


class InUse(Exception):
    """It cannot be deleted. The message says what needs it, and what to do instead."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def set_archived(thing: Thing, archived: bool, by: Actor) -> None:
    """Archive a thing, or take it back; nothing changes if it is so already. `by` is who does it."""
    with transaction.atomic():
        when = timezone.now() if archived else None
        other = type(thing)._default_manager.filter(pk=thing.pk, datetime_archived__isnull=archived)
        if other.update(datetime_archived=when):
            thing.datetime_archived = when
            record(by, Action.ARCHIVE if archived else Action.UNARCHIVE, thing)


def check_in_use(task_type: TaskType, queue: TaskQueue) -> None:
    """Refuse a type or a queue that is archived.

    Raises:
        Refused: with a sentence that says so.
    """
    for thing in (task_type, queue):
        if thing.datetime_archived is not None:
            key, _ = NAMES[type(thing)]
            raise Refused({key: [f"{_named(thing)} is archived and takes no new instances. {_HOW}"]})


def check_addable(types: "set[TaskType]") -> None:
    """Refuse types that are archived, and so cannot be put on a whitelist.

    Raises:
        Refused: with a sentence that names one of them.
    """
    for task_type in sorted(types, key=lambda each: each.pk):
        if task_type.datetime_archived is not None:
            message = f"{_named(task_type)} is archived and cannot be put on a whitelist. {_HOW}"
            raise Refused({f"{task_type.task_class}_task_types": [message]})


def archived_holder(task_type: TaskType, queue: TaskQueue) -> str | None:
    """What to say of an archived whitelist of the queue that holds the type; None if there is none."""
    held = queue.whitelists.filter(task_types=task_type, datetime_archived__isnull=False).order_by("id").first()
    if held is None:
        return None
    return f"{_named(held)}, by which {_named(queue, 'the')} runs {_named(task_type, 'the')}, is archived. {_HOW}"


def delete(thing: Thing, by: Actor) -> None:
    """Delete what was never used. `by` is who does it.

    Raises:
        InUse: something was made with it, or needs it.
    """
    try:
        with transaction.atomic():
            # Nothing of it is changed while it is looked at.
            if not type(thing)._default_manager.select_for_update().filter(pk=thing.pk).exists():
                return
            _check_unused(thing)
            record(by, Action.DELETE, thing)
            thing.delete()
    except (IntegrityError, models.ProtectedError, models.RestrictedError):
        # Something was made with it meanwhile.
        _check_unused(thing)
        raise InUse(f"{_named(thing)} cannot be deleted: it was used just now. Archive it instead.") from None


def _check_unused(thing: Thing) -> None:
    for relation in thing._meta.related_objects:
        # Whitelists lose a type that is deleted, and tokens a queue. What holds a whitelist was told that it is there.
        by_list = relation.many_to_many and isinstance(thing, TaskWhitelist)
        if not (by_list or relation.on_delete in (models.PROTECT, models.RESTRICT)):
            continue
        rows = relation.related_model._base_manager.filter(**{relation.field.name: thing})
        count = rows.count()
        if count:
            meta = relation.related_model._meta
            names = meta.verbose_name if count == 1 else meta.verbose_name_plural
            why = f"{count} {names} {'holds' if count == 1 else 'hold'} it" if by_list else f"it has {count} {names}"
            raise InUse(f"{_named(thing)} cannot be deleted: {why}. Archive it instead.")


_HOW = "Its owner, or an admin, can unarchive it."


def _named(thing: Thing, article: str = "The") -> str:
    return f"{article} {NAMES[type(thing)][1]} '{thing.name}'"

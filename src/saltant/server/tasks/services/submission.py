"""How an instance comes into being."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from saltant.jobs import Kind
from saltant.server.accounts.models import User
from saltant.server.tasks import changes, dispatch
from saltant.server.tasks.arguments import Refused, check_runnable, complete
from saltant.server.tasks.models import LIMITS, TaskInstance, TaskQueue, TaskType
from saltant.server.tasks.schedule_models import Schedule
from saltant.server.tasks.services import statements
from saltant.server.tasks.services.after import After, Links, check_after
from saltant.server.tasks.services.archive import archived_holder, check_in_use
from saltant.server.tasks.services.births import claim_at_birth
from saltant.server.tasks.services.insertion import insert
from saltant.server.tasks.services.labels import save_labels
from saltant.server.tasks.services.pins import allows, refusal
from saltant.server.tasks.services.revisions import SNAPSHOT, as_it_ran, at_revision
from saltant.states import State

NO_ARGUMENTS: dict[str, Any] = {}

KIND_NAMES = {
    Kind.EXECUTABLE: "executables",
    Kind.DOCKER: "Docker containers",
    Kind.SINGULARITY: "Singularity containers",
}


def usable_queues(user: User) -> QuerySet[TaskQueue]:
    """The queues on which `user` may put instances."""
    return TaskQueue.objects.filter(Q(private=False) | Q(user=user), active=True)


def submit(
    *,
    user: User,
    task_type: TaskType,
    task_queue: TaskQueue,
    arguments: Any = NO_ARGUMENTS,
    name: str = "",
    limits: Mapping[str, Any] | None = None,
    labels: Mapping[str, str] | None = None,
    after: Sequence[After] = (),
    revision: int | None = None,
    schedule: Schedule | None = None,
) -> TaskInstance:
    """Make an instance and hand it to the engine, once it is committed and what it waits for, `after`, has ended.

    The instance is returned as it was born, in state `created`, whatever has become of it since.

    Raises:
        Refused: the arguments, or the queue, do not allow it, or `user` may not wait for one of `after`, or the type
            has no such revision.
    """
    instance = draft(
        user=user,
        task_type=at_revision(task_type, revision),
        task_queue=task_queue,
        arguments=arguments,
        name=name,
        limits=limits,
        labels=labels,
    )
    instance.schedule = schedule
    if instance.labels or after:
        check_after(user, after)
        with transaction.atomic():
            links = Links([(instance, after)], {}) if after else None
            insert([instance])
            save_labels([instance])
            if links is not None:
                links.save()
            hand_over([instance])
    else:
        insert([instance])
        hand_over([instance])
    return instance


def clone(*, user: User, instance: TaskInstance, as_was: bool = False) -> TaskInstance:
    """Submit once more what `instance` ran, from its type as it is now, or `as_was`; the clone belongs to `user`.

    Raises:
        Refused: `user` may not use its queue, or the rules of its type or queue have changed.
    """
    check_usable(user, instance.task_queue_id)
    task_type = as_it_ran(instance) if as_was else instance.task_type
    return submit(user=user, task_type=task_type, task_queue=instance.task_queue, **what_it_ran(instance))


def draft(
    *,
    user: User,
    task_type: TaskType,
    task_queue: TaskQueue,
    arguments: Any = NO_ARGUMENTS,
    name: str = "",
    limits: Mapping[str, Any] | None = None,
    labels: Mapping[str, str] | None = None,
    check: Callable[[TaskType, TaskQueue], None] | None = None,
) -> TaskInstance:
    """An instance that obeys the rules, not saved yet. `limits` (names of `Limits`) win over those of the type.

    `check` may stand for `check_queue`, which asks the database.

    Raises:
        Refused: the arguments, or the queue, do not allow it.
    """
    arguments = complete(
        arguments,
        task_type.required_arguments,
        task_type.required_arguments_default_values,
    )
    check_runnable(arguments, as_word=not task_type.json_file_option)
    check_in_use(task_type, task_queue)
    (check or check_queue)(task_type, task_queue)
    stored, now = dispatch.birth_state(), timezone.now()
    limits = {name: getattr(task_type, name) for name in LIMITS} | dict(limits or {})
    patience = limits["queue_timeout"] or settings.SALTANT.claim_timeout
    labelled: Any = dict(labels or {})
    snapshot: Any = {name: getattr(task_type, name) for name in SNAPSHOT}
    return TaskInstance(
        task_class=task_type.task_class,
        state=stored,
        datetime_created=now,
        datetime_changed=now,
        start_before=now + timedelta(seconds=patience) if patience else None,
        user=user,
        name=name,
        labels=labelled,
        arguments=arguments,
        task_queue=task_queue,
        task_type=task_type,
        kind=task_type.kind,
        snapshot=snapshot,
        revision=task_type.revision,
        **limits,
    )


def hand_over(instances: Sequence[TaskInstance]) -> None:
    """Have instances that were just saved sent and told of, once they are committed. They are as they were born."""
    # What waits for others is sent when they have ended, what no worker may take when its queue is resumed.
    waits = dispatch.sends_again()
    ready = [each for each in instances if not (each.waits_for or (waits and each.task_queue.paused))]
    if len(ready) == 1 and claim_at_birth(ready[0], ready[0].task_queue.lane):
        ready = []
    if ready:
        transaction.on_commit(partial(dispatch.publish_many, ready, State(ready[0].state)))
    for instance in instances:
        instance.state = State.CREATED
    changes.tell(*(instance.uuid for instance in instances))


def what_it_ran(instance: TaskInstance) -> dict[str, Any]:
    """Of an instance, what its clone has of it."""
    limits = {name: getattr(instance, name) for name in LIMITS}
    return {"arguments": instance.arguments, "name": instance.name, "labels": instance.labels, "limits": limits}


def check_usable(user: User, queue: int) -> None:
    """Refuse a queue that `user` may not use.

    Raises:
        Refused: to them it is none.
    """
    if not usable_queues(user).filter(pk=queue).exists():
        raise Refused({"task_queue": [f'Invalid pk "{queue}" - object does not exist.']})


def check_queue(task_type: TaskType, queue: TaskQueue) -> None:
    """Refuse a type that a queue does not run.

    Raises:
        Refused: it is of another kind, or none of the queue's whitelists allows this revision of it.
    """
    if not queue.accepts(task_type.kind):
        raise Refused({"non_field_errors": [f"The queue '{queue.name}' does not run {KIND_NAMES[task_type.kind]}."]})
    ranges = statements.ALLOWED.rows(queue=queue.pk, task_type=task_type.pk)
    if not any(allows(task_type.revision, each) for each in ranges):
        why = (None if ranges else archived_holder(task_type, queue)) or refusal(task_type, queue, ranges)
        raise Refused({"non_field_errors": [why]})


def as_allowed(task_type: TaskType, queue: TaskQueue) -> TaskType:
    """A type as it is now; where a queue's whitelists pin only earlier revisions of it, as the newest of these has it.

    For who runs it again and again, and has nobody to say a revision. What is not allowed at all stays as it is.
    """
    ranges = statements.ALLOWED.rows(queue=queue.pk, task_type=task_type.pk)
    if any(allows(task_type.revision, each) for each in ranges):
        return task_type
    pinned = [last for _, last in ranges if last is not None]
    return at_revision(task_type, max(pinned)) if pinned else task_type

"""How an instance comes into being."""

from collections.abc import Mapping
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
from saltant.server.tasks.services import statements
from saltant.states import State

SNAPSHOT = (
    "command_to_run",
    "environment_variables",
    "json_file_option",
    "logs_path",
    "results_path",
    "container_image",
)
"""What an instance keeps of its type: with its kind and arguments, all that decides what runs."""

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
) -> TaskInstance:
    """Make an instance and hand it to the engine, once it is committed.

    `limits` (names of `Limits`) win over those of the type. The instance is returned as it was born, in state
    `created`, whatever has become of it since.

    Raises:
        Refused: the arguments, or the queue, do not allow it.
    """
    arguments = complete(
        arguments,
        task_type.required_arguments,
        task_type.required_arguments_default_values,
    )
    check_runnable(arguments, as_word=not task_type.json_file_option)
    _check_queue(task_type, task_queue)
    stored, now = dispatch.birth_state(), timezone.now()
    limits = {name: getattr(task_type, name) for name in LIMITS} | dict(limits or {})
    patience = limits["queue_timeout"] or settings.SALTANT.claim_timeout
    snapshot: Any = {name: getattr(task_type, name) for name in SNAPSHOT}
    instance = TaskInstance.objects.create(
        task_class=task_type.task_class,
        state=stored,
        datetime_created=now,
        datetime_changed=now,
        start_before=now + timedelta(seconds=patience) if patience else None,
        user=user,
        name=name,
        arguments=arguments,
        task_queue=task_queue,
        task_type=task_type,
        kind=task_type.kind,
        snapshot=snapshot,
        **limits,
    )
    instance.state = State.CREATED
    # What no worker may take is sent when its queue is resumed.
    if not (task_queue.paused and dispatch.sends_again()):
        transaction.on_commit(partial(dispatch.publish, instance, task_queue.name, stored))
    changes.tell(instance.uuid)
    return instance


def clone(*, user: User, instance: TaskInstance) -> TaskInstance:
    """Submit once more what `instance` ran, from its type as it is now; the clone belongs to `user`.

    Raises:
        Refused: `user` may not use its queue, or the rules of its type or queue have changed.
    """
    if not usable_queues(user).filter(pk=instance.task_queue_id).exists():
        raise Refused({"task_queue": [f'Invalid pk "{instance.task_queue_id}" - object does not exist.']})
    return submit(
        user=user,
        task_type=instance.task_type,
        task_queue=instance.task_queue,
        arguments=instance.arguments,
        name=instance.name,
        limits={name: getattr(instance, name) for name in LIMITS},
    )


def _check_queue(task_type: TaskType, queue: TaskQueue) -> None:
    if not queue.accepts(task_type.kind):
        raise Refused({"non_field_errors": [f"The queue '{queue.name}' does not run {KIND_NAMES[task_type.kind]}."]})
    if statements.ALLOWED.one(queue=queue.pk, task_type=task_type.pk) is None:
        raise Refused(
            {
                "non_field_errors": [
                    f"No whitelist of the queue '{queue.name}' holds the task type '{task_type.name}': "
                    "add the type to one of them, or use another queue."
                ]
            }
        )

"""How many instances come into being in one go."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from django.conf import settings

from saltant.server.accounts.models import User
from saltant.server.tasks.arguments import Refused
from saltant.server.tasks.models import TaskInstance, TaskQueue, TaskType
from saltant.server.tasks.services.labels import save_labels
from saltant.server.tasks.services.submission import check_queue, check_usable, draft, hand_over, what_it_ran


class TooLong(Exception):
    """The arguments of many instances are more, together, than one request may bring."""


class Batch:
    """Instances of one user's that are saved, committed and sent together. What the rules ask about is asked once.

    Attributes:
        instances: those that obey the rules; they are not there before `save`.
    """

    def __init__(self, user: User) -> None:
        self.instances: list[TaskInstance] = []
        self._user = user
        self._found: dict[tuple[int, ...], dict[str, list[str]] | None] = {}
        self._sizes: dict[int, int] = {}
        self._room: int = settings.SALTANT.max_body

    def add(self, *, task_type: TaskType, task_queue: TaskQueue, **values: Any) -> TaskInstance:
        """Add an instance; `values` are those of `submit`.

        Raises:
            Refused: the arguments, or the queue, do not allow it.
            TooLong: it is one too many.
        """
        if task_type.pk not in self._sizes:
            said = [task_type.required_arguments, task_type.required_arguments_default_values]
            self._sizes[task_type.pk] = len(json.dumps(said))
        self.spend(self._sizes[task_type.pk])
        instance = draft(user=self._user, task_type=task_type, task_queue=task_queue, check=self._check, **values)
        self.instances.append(instance)
        return instance

    def clone(self, instance: TaskInstance) -> TaskInstance:
        """Add a clone.

        Raises:
            Refused: the user may not use its queue, or the rules of its type or queue have changed.
            TooLong: it is one too many.
        """
        queue = instance.task_queue_id
        self._once((queue,), partial(check_usable, self._user, queue))
        return self.add(task_type=instance.task_type, task_queue=instance.task_queue, **what_it_ran(instance))

    def spend(self, size: int) -> None:
        """Count what an instance brings beside what the request says, such as the default values of its type.

        Raises:
            TooLong: it is too much for the server's memory, and for those who wait.
        """
        self._room -= size
        if self._room < 0:
            raise TooLong

    def save(self) -> None:
        """Save them, and have them sent once they are committed."""
        TaskInstance.objects.bulk_create(self.instances)
        save_labels(self.instances)
        hand_over(self.instances)

    def _check(self, task_type: TaskType, queue: TaskQueue) -> None:
        self._once((task_type.pk, queue.pk), partial(check_queue, task_type, queue))

    def _once(self, key: tuple[int, ...], check: Callable[[], None]) -> None:
        if key not in self._found:
            try:
                check()
                self._found[key] = None
            except Refused as refused:
                self._found[key] = refused.errors
        errors = self._found[key]
        if errors is not None:
            raise Refused(errors)

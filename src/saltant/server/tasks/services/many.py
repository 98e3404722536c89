"""How many instances come into being in one go."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings

from saltant.server.accounts.models import User
from saltant.server.tasks.arguments import Refused
from saltant.server.tasks.models import TaskInstance, TaskQueue, TaskType
from saltant.server.tasks.services.after import Links, Wanted, flaws
from saltant.server.tasks.services.insertion import insert
from saltant.server.tasks.services.items import flaws_of_items, in_order
from saltant.server.tasks.services.labels import save_labels
from saltant.server.tasks.services.revisions import as_it_ran, at_revision
from saltant.server.tasks.services.submission import check_queue, check_usable, draft, hand_over, what_it_ran

A_DEPENDENCY = 100
"""Bytes that one counts for."""


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
        self._sizes: dict[tuple[int, int | None], int] = {}
        self._types: dict[tuple[int, int], TaskType | Refused] = {}
        self._room: int = settings.SALTANT.max_body
        self._after: dict[UUID, Wanted] = {}
        self._items: Mapping[int, TaskInstance] = {}
        self._places: dict[UUID, int] = {}

    def add(self, *, task_type: TaskType, task_queue: TaskQueue, after: Wanted = (), **values: Any) -> TaskInstance:
        """Add an instance; `values` are those of `submit`.

        Raises:
            Refused: the arguments, or the queue, do not allow it.
            TooLong: it is one too many.
        """
        task_type = self._at(task_type, values.pop("revision", None))
        size_of = (task_type.pk, task_type.revision)
        if size_of not in self._sizes:
            said = [task_type.required_arguments, task_type.required_arguments_default_values]
            self._sizes[size_of] = len(json.dumps(said))
        self.spend(self._sizes[size_of])
        instance = draft(user=self._user, task_type=task_type, task_queue=task_queue, check=self._check, **values)
        self.instances.append(instance)
        if after:
            self.spend(A_DEPENDENCY * len(after))
            self._after[instance.uuid] = after
        return instance

    def check_after(self, items: Mapping[int, TaskInstance], count: int) -> dict[int, dict[str, list[str]]]:
        """Take out what cannot wait for what it is to wait for; returns why, by index.

        Args:
            items: the instances that were added, by their indexes among the items of the request.
            count: how many items that has.
        """
        if not self._after:
            return {}
        self._items = items
        after = {index: self._after.get(instance.uuid, ()) for index, instance in items.items()}
        unknown = flaws(
            self._user, {each.on for wanted in after.values() for each in wanted if isinstance(each.on, UUID)}
        )
        found = {}
        for index, wanted in after.items():
            wrong = [unknown[each.on] for each in wanted if isinstance(each.on, UUID) and each.on in unknown]
            if wrong:
                found[index] = wrong[:3]
        names = {
            index: [each.on for each in wanted if isinstance(each.on, int)]
            for index, wanted in after.items()
            if index not in found
        }
        found |= {index: [wrong] for index, wrong in flaws_of_items(names, count).items()}
        if any(other > index for index, others in names.items() for other in others):
            # Whoever ends several locks them in the order in which they were saved, and what waits for them after that.
            self._places = {items[index].uuid: place for place, index in enumerate(in_order(names))}
        out = {items[index].uuid for index in found}
        self.instances = [instance for instance in self.instances if instance.uuid not in out]
        return {index: {"after": wrong} for index, wrong in found.items()}

    def clone(self, instance: TaskInstance, *, as_was: bool = False) -> TaskInstance:
        """Add a clone: of the type as it is now, or as it was.

        Raises:
            Refused: the user may not use its queue, or the rules of its type or queue have changed.
            TooLong: it is one too many.
        """
        queue = instance.task_queue_id
        self._once((queue,), partial(check_usable, self._user, queue))
        task_type = as_it_ran(instance) if as_was else instance.task_type
        return self.add(task_type=task_type, task_queue=instance.task_queue, **what_it_ran(instance))

    def spend(self, size: int) -> None:
        """Count what an instance brings beside what the request says, such as the default values of its type.

        Raises:
            TooLong: it is too much for the server's memory, and for those who wait.
        """
        self._room -= size
        if self._room < 0:
            raise TooLong

    def save(self) -> None:
        """Save them, and have them sent once they are committed.

        Raises:
            Refused: what one is to wait for is gone.
        """
        wanted = [(each, self._after[each.uuid]) for each in self.instances if each.uuid in self._after]
        links = Links(wanted, self._items) if wanted else None
        insert(sorted(self.instances, key=lambda each: self._places[each.uuid]) if self._places else self.instances)
        save_labels(self.instances)
        if links is not None:
            links.save()
        hand_over(self.instances)

    def _check(self, task_type: TaskType, queue: TaskQueue) -> None:
        self._once((task_type.pk, queue.pk, task_type.revision or 0), partial(check_queue, task_type, queue))

    def _at(self, task_type: TaskType, number: int | None) -> TaskType:
        if number is None:
            return task_type
        key = (task_type.pk, number)
        if key not in self._types:
            try:
                self._types[key] = at_revision(task_type, number)
            except Refused as refused:
                self._types[key] = refused
        found = self._types[key]
        if isinstance(found, Refused):
            raise Refused(found.errors)
        return found

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

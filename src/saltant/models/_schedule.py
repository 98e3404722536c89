"""The model of a schedule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from saltant.models.resource import Model

if TYPE_CHECKING:
    from saltant.models.base_task_instance import BaseTaskInstance
    from saltant.models.schedule import ScheduleManager


class Schedule(Model):
    """A schedule: a task type with arguments that runs whenever its time comes, as its owner's.

    Attributes:
        id (int): Its ID.
        user (str | None): The name of its owner, whose its task instances are.
        name (str): Its unique name.
        description (str): What it is for.
        datetime_created (datetime): When it was created.
        task_class (str): The class of its task type: `executable` or `container`.
        task_type (int): The ID of its task type.
        task_queue (int): The ID of its task queue.
        arguments (dict): The arguments of its task instances.
        instance_name (str): The name of its task instances.
        labels (dict[str, str]): The labels of its task instances.
        limits (dict): The limits of its task instances that win over those of the type: see `saltant.models.Limits`.
        cron (str): When it runs: minute, hour, day of month, month and day of week, as for cron.
        timezone (str): The time zone of `cron`, such as `Europe/Berlin`.
        overlap (str): What happens when its time comes while a task instance of it has not finished: `skip`, `allow`,
            `replace` or `wait`.
        active (bool): Whether it runs by the clock.
        next_time (datetime | None): When it runs next; None if it is not active.
        last_time (datetime | None): The last time that came, whatever became of it.
        last_instance (str | None): The UUID of the last task instance that it made.
        waiting_since (datetime | None): The time whose task instance waits until another one has finished.
        message (str): Why its last time made no task instance, or what else there is to say of it.
        manager (ScheduleManager): The manager that made this model.
    """

    manager: ScheduleManager

    _shown = ("id", "name", "cron", "timezone")
    _datetimes = ("datetime_created", "next_time", "last_time", "waiting_since")

    def __init__(
        self,
        id: int,
        user: str | None,
        name: str,
        description: str,
        datetime_created: datetime,
        task_class: str,
        task_type: int,
        task_queue: int,
        arguments: dict[str, Any],
        instance_name: str,
        labels: dict[str, str],
        limits: dict[str, Any],
        cron: str,
        timezone: str,
        overlap: str,
        active: bool,
        next_time: datetime | None,
        last_time: datetime | None,
        last_instance: str | None,
        waiting_since: datetime | None,
        message: str,
        manager: ScheduleManager,
        **unknown: Any,
    ) -> None:
        super().__init__(manager, unknown)
        self.id = id
        self.user = user
        self.name = name
        self.description = description
        self.datetime_created = datetime_created
        self.task_class = task_class
        self.task_type = task_type
        self.task_queue = task_queue
        self.arguments = arguments
        self.instance_name = instance_name
        self.labels = labels
        self.limits = limits
        self.cron = cron
        self.timezone = timezone
        self.overlap = overlap
        self.active = active
        self.next_time = next_time
        self.last_time = last_time
        self.last_instance = last_instance
        self.waiting_since = waiting_since
        self.message = message

    def put(self) -> Self:
        """Save this schedule on the server; afterwards it is as the server has it.

        Returns:
            This very schedule.

        Raises:
            BadRequest: The server refuses it.
            BadHttpRequestError: The request failed otherwise.
        """
        return self._take(
            self.manager.put(
                self.id,
                self.name,
                self.task_type,
                self.task_queue,
                self.cron,
                self.arguments,
                timezone=self.timezone,
                overlap=self.overlap,
                description=self.description,
                instance_name=self.instance_name,
                labels=self.labels,
                limits=self.limits,
                active=self.active,
            )
        )

    def patch(self) -> Self:
        """The same as `put`."""
        return self.put()

    def pause(self) -> Self:
        """Let its times pass; what runs goes on.

        Returns:
            This very schedule.

        Raises:
            BadHttpRequestError: The request failed.
        """
        return self._take(self.manager.pause(self.id))

    def resume(self) -> Self:
        """Have it run by the clock again, from its next time on.

        Returns:
            This very schedule.

        Raises:
            BadHttpRequestError: The request failed.
        """
        return self._take(self.manager.resume(self.id))

    def run(self) -> BaseTaskInstance:
        """Make a task instance of it now, whatever the clock says and whatever of it runs.

        Raises:
            BadRequest: It can make none today: its queue is inactive, for example.
            BadHttpRequestError: The request failed otherwise.
        """
        return self.manager.run(self.id)

    def times(self, count: int = 5) -> Sequence[datetime]:
        """Its next times, in UTC: those that it would have if it is paused.

        Raises:
            BadHttpRequestError: The request failed.
        """
        return self.manager.times(self.id, count)

    def instances(self, filters: Mapping[str, Any] | None = None) -> Sequence[BaseTaskInstance]:
        """The task instances that it made, the newest first.

        Args:
            filters: More filters, as for `executable_task_instances.list`.

        Raises:
            BadHttpRequestError: The request failed.

        >>> schedule.instances({"state": "failed"})  # doctest: +SKIP
        """
        return self.manager.instances(self.id, filters)

    def delete(self) -> None:
        """Delete it from the server. The task instances that it made stay.

        Raises:
            PermissionDenied: It is not yours.
            BadHttpRequestError: The request failed otherwise.
        """
        return self.manager.delete(self.id)

"""Schedules: task types that run by the clock."""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from saltant._http import HTTP_204_NO_CONTENT
from saltant.constants import HTTP_201_CREATED
from saltant.models._encoding import parse_datetime, segment
from saltant.models._limits import Limits, require_version_2
from saltant.models._schedule import Schedule
from saltant.models.resource import PAGE_SIZE, NamedModelManager

if TYPE_CHECKING:
    from saltant.models.base_task_instance import BaseTaskInstance

__all__ = ["Schedule", "ScheduleManager"]


class ScheduleManager(NamedModelManager[Schedule]):
    """Acts on schedules. It takes a server of version 2."""

    list_url = "schedules/"
    detail_url = "schedules/{id}/"
    run_url = "schedules/{id}/run/"
    times_url = "schedules/{id}/times/"
    model = Schedule

    def get(self, id: int | None = None, name: str | None = None) -> Schedule:
        """Get one by either its id or its name.

        Raises:
            ValueError: Neither or both are given.
            UnsupportedByServer: The server, of version 1, has no schedules.
            NotFound: There is none.
            BadHttpRequestError: The request failed otherwise.
        """
        self._require()
        return super().get(id, name)

    def iterate(self, filters: Mapping[str, Any] | None = None, *, page_size: int = PAGE_SIZE) -> Iterator[Schedule]:
        """Like `list`, but one after another, each page fetched when it is needed.

        Args:
            filters: As for `list`: `active`, `task_type`, `task_queue`, `user__username` and the like.
            page_size: How many to fetch at a time.

        Raises:
            ValueError: A value cannot be told in a query. This is raised at once.
            UnsupportedByServer: The server, of version 1, has no schedules.
            BadHttpRequestError: A request failed.
        """
        self._require()
        return super().iterate(filters, page_size=page_size)

    def create(
        self,
        name: str,
        task_type_id: int,
        task_queue_id: int,
        cron: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        timezone: str = "UTC",
        overlap: str = "skip",
        description: str = "",
        instance_name: str = "",
        labels: Mapping[str, str] | None = None,
        limits: Limits | None = None,
        active: bool = True,
    ) -> Schedule:
        """Create a schedule.

        Args:
            name: A unique name.
            task_type_id: The ID of its task type, of either class.
            task_queue_id: The ID of its task queue. One of the queue's whitelists must hold the task type.
            cron: When it runs: minute, hour, day of month, month and day of week, as for cron.
            arguments: The arguments of its task instances.
            timezone: The time zone of `cron`, such as `Europe/Berlin`.
            overlap: What happens when its time comes while a task instance of it has not finished: `skip` makes none,
                `allow` makes one, `replace` terminates the one that runs first, `wait` waits until it has finished.
            description: What it is for.
            instance_name: The name of its task instances.
            labels: The labels of its task instances.
            limits: Limits of its task instances that win over those of the type.
            active: Whether it runs by the clock from now on.

        Raises:
            BadRequest: The server refuses it; `field_errors` says why.
            UnsupportedByServer: The server, of version 1, has no schedules.
            BadHttpRequestError: The request failed otherwise.

        >>> client.schedules.create("nightly", 1, 1, "30 2 * * *", timezone="Europe/Berlin")  # doctest: +SKIP
        Schedule(id=1, name='nightly', cron='30 2 * * *', timezone='Europe/Berlin')
        """
        self._require()
        return self._create(
            _fields(
                name=name,
                task_type=task_type_id,
                task_queue=task_queue_id,
                cron=cron,
                arguments={} if arguments is None else arguments,
                timezone=timezone,
                overlap=overlap,
                description=description,
                instance_name=instance_name,
                labels={} if labels is None else labels,
                limits={} if limits is None else limits,
                active=active,
            )
        )

    def put(
        self,
        id: int,
        name: str,
        task_type_id: int,
        task_queue_id: int,
        cron: str,
        arguments: Mapping[str, Any] | None,
        *,
        timezone: str,
        overlap: str,
        description: str,
        instance_name: str,
        labels: Mapping[str, str] | None,
        limits: Mapping[str, Any] | None,
        active: bool,
    ) -> Schedule:
        """Set all of a schedule; None empties `arguments`, `labels` or `limits`. See `create`.

        Raises:
            NotFound: There is no such schedule.
            BadRequest: The server refuses it.
            BadHttpRequestError: The request failed otherwise.
        """
        self._require()
        return self._save(
            "PUT",
            id,
            _fields(
                name=name,
                task_type=task_type_id,
                task_queue=task_queue_id,
                cron=cron,
                arguments={} if arguments is None else arguments,
                timezone=timezone,
                overlap=overlap,
                description=description,
                instance_name=instance_name,
                labels={} if labels is None else labels,
                limits={} if limits is None else limits,
                active=active,
            ),
        )

    def patch(
        self,
        id: int,
        name: str | None = None,
        task_type_id: int | None = None,
        task_queue_id: int | None = None,
        cron: str | None = None,
        arguments: Mapping[str, Any] | None = None,
        *,
        timezone: str | None = None,
        overlap: str | None = None,
        description: str | None = None,
        instance_name: str | None = None,
        labels: Mapping[str, str] | None = None,
        limits: Mapping[str, Any] | None = None,
        active: bool | None = None,
    ) -> Schedule:
        """Set some of a schedule: None leaves a field as it is, `{}` empties it.

        Raises:
            NotFound: There is no such schedule.
            BadRequest: The server refuses it.
            BadHttpRequestError: The request failed otherwise.
        """
        self._require()
        return self._patch(
            id,
            _fields(
                name=name,
                task_type=task_type_id,
                task_queue=task_queue_id,
                cron=cron,
                arguments=arguments,
                timezone=timezone,
                overlap=overlap,
                description=description,
                instance_name=instance_name,
                labels=labels,
                limits=limits,
                active=active,
            ),
        )

    def pause(self, id: int) -> Schedule:
        """Let a schedule's times pass; what runs goes on.

        Raises:
            BadHttpRequestError: The request failed.
        """
        return self.patch(id, active=False)

    def resume(self, id: int) -> Schedule:
        """Have a schedule run by the clock again, from its next time on.

        Raises:
            BadHttpRequestError: The request failed.
        """
        return self.patch(id, active=True)

    def run(self, id: int) -> BaseTaskInstance:
        """Make a task instance of a schedule now, whatever the clock says and whatever of it runs.

        Raises:
            NotFound: There is no such schedule.
            PermissionDenied: It is not yours.
            BadRequest: It can make none today: its queue is inactive, for example.
            BadHttpRequestError: The request failed otherwise.
        """
        self._require()
        made = self._request("POST", self.run_url.format(id=segment(id)), expected=HTTP_201_CREATED)
        if not isinstance(made, dict):
            raise self._unexpected("no task instance")
        fields = {name: value for name, value in made.items() if name != "task_class"}
        if made.get("task_class") == "container":
            return self._client.container_task_instances.response_data_to_model_instance(fields)
        return self._client.executable_task_instances.response_data_to_model_instance(fields)

    def times(self, id: int, count: int = 5) -> builtins.list[datetime]:
        """The next times of a schedule, in UTC: those that it would have if it is paused.

        Raises:
            NotFound: There is no such schedule.
            BadHttpRequestError: The request failed otherwise.
        """
        self._require()
        found = self._request("GET", self.times_url.format(id=segment(id)), params=[("count", str(count))])
        if not isinstance(found, builtins.list) or not all(isinstance(each, str) for each in found):
            raise self._unexpected("no list of times")
        try:
            return [parse_datetime(each) for each in found]
        except ValueError as error:
            raise self._unexpected("no list of times") from error

    def instances(self, id: int, filters: Mapping[str, Any] | None = None) -> builtins.list[BaseTaskInstance]:
        """The task instances that a schedule made, the newest first.

        Args:
            id: The schedule's.
            filters: More filters, as for `executable_task_instances.list`.

        Raises:
            BadHttpRequestError: A request failed.
        """
        self._require()
        wanted = {**(filters or {}), "schedule": id}
        # Of both classes: its type may have been another one.
        found: builtins.list[BaseTaskInstance] = [
            *self._client.executable_task_instances.list(wanted),
            *self._client.container_task_instances.list(wanted),
        ]
        return sorted(found, key=lambda each: each.datetime_created, reverse=True)

    def delete(self, id: int) -> None:
        """Delete a schedule. The task instances that it made stay.

        Raises:
            NotFound: There is no such schedule.
            PermissionDenied: It is not yours.
            BadHttpRequestError: The request failed otherwise.
        """
        self._require()
        self._request("DELETE", self.detail_url.format(id=segment(id)), expected=HTTP_204_NO_CONTENT)

    def _require(self) -> None:
        require_version_2(self._client, "schedules")


def _fields(**values: object) -> dict[str, Any]:
    """Fields of a request; of a mapping a plain dict, which JSON takes."""
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in values.items()}

"""Waiting for task instances, as their manager does it."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from saltant.constants import DEFAULT_TASK_INSTANCE_WAIT_REFRESH_PERIOD
from saltant.exceptions import SaltantError, TaskFailed
from saltant.models._encoding import segment
from saltant.models._instance_files import FilesOfInstances
from saltant.models._waiting import wait
from saltant.models._waiting_many import Round, in_order, texts
from saltant.models._watching import Changes
from saltant.states import State

if TYPE_CHECKING:
    from saltant.models.base_task_instance import BaseTaskInstance
    from saltant.models.dependency import One

I = TypeVar("I", bound="BaseTaskInstance")  # noqa: E741

TAIL = 20
"""The lines of a log that a `TaskFailed` shows."""


class WaitsForInstances(FilesOfInstances[I]):
    """What a manager of task instances waits for."""

    def wait_until_finished(
        self,
        uuid: str | UUID | I,
        refresh_period: float = DEFAULT_TASK_INSTANCE_WAIT_REFRESH_PERIOD,
        *,
        timeout: float | None = None,
        raise_on_failure: bool = False,
    ) -> I:
        """Wait until a task instance is finished.

        A server of version 2 tells it at once. Any other is asked again and again.

        Once it was seen, a server that does not answer is borne with, as while it is started again: until the
        timeout if there is one, else for ten minutes on end.

        Args:
            uuid: The UUID of the task instance, or the task instance itself, which spares a request.
            refresh_period: The longest pause between two looks at it, in seconds.
            timeout: The seconds after which to give up; None never does.
            raise_on_failure: Whether it is an error if it does not succeed.

        Returns:
            The task instance as it is when finished.

        Raises:
            WaitTimeout: It did not finish in time; the error holds it as it was last seen.
            TaskFailed: It did not succeed, and that was to be an error. It holds the instance and the end of its log.
            NotFound: There is none of this UUID.
            ValueError: A number of seconds makes no sense.
            BadHttpRequestError: A request failed otherwise.

        >>> client.executable_task_instances.wait_until_finished(uuid, timeout=3600)  # doctest: +SKIP
        ExecutableTaskInstance(uuid='0b0c…', name='', state='successful')
        """
        known, name = (None, str(uuid)) if isinstance(uuid, (str, UUID)) else (uuid, uuid.uuid)

        def look(limit: float, hold: float) -> I:
            return self._look(name, timeout=limit, hold=hold)

        ended = wait(look, self._client, name, refresh_period, timeout, known)
        if raise_on_failure and ended.state != State.SUCCESSFUL:
            raise self._failure(ended)
        return ended

    def wait_many(self, uuids: Iterable[One], *, timeout: float | None = None) -> builtins.list[I]:
        """Wait until task instances are finished, all of them. A server of version 2 is asked once for all.

        Args:
            uuids: They, or their UUIDs.
            timeout: The seconds after which to give up; None never does.

        Returns:
            The task instances as they are when finished, in the order of the UUIDs.

        Raises:
            WaitTimeout: Not all finished in time; the error holds those that did, and the UUIDs of the others.
            PartialFailure: Some could not be had, as they do not exist. The others were waited for; it holds them.
            ValueError: The timeout makes no sense.
            BadHttpRequestError: A request failed.

        >>> jobs = client.executable_task_instances.wait_many([job.uuid for job in jobs])  # doctest: +SKIP
        """
        wanted = texts(uuids)
        waited = Round(self, wanted, timeout, of_all=True)
        finished = [*waited]
        waited.raise_failures()
        return in_order(wanted, finished)

    def as_completed(self, uuids: Iterable[One], *, timeout: float | None = None) -> Iterator[I]:
        """Wait for task instances, and give each as it finishes.

        Args:
            uuids: They, or their UUIDs. One that is there twice comes once.
            timeout: The seconds after which to give up, from this call on; None never does.

        Returns:
            An iterator of the task instances as they are when finished, in the order of their ends. Those that had
            finished before come first.

        Raises:
            WaitTimeout: Not all finished in time; the error holds those that did, and the UUIDs of the others.
            PartialFailure: Some could not be had, as they do not exist. This is raised after all others came.
            ValueError: The timeout makes no sense.
            BadHttpRequestError: A request failed.

        >>> for job in client.executable_task_instances.as_completed(uuids):  # doctest: +SKIP
        ...     print(job.name, job.state)
        """
        return _all_of(Round(self, texts(uuids), timeout, of_all=False))

    def watch(self, filters: Mapping[str, Any] | None = None) -> Changes[I]:
        """Watch task instances: an iterator of those whose state changes, from this call on.

        Those whose jobs say how far they are come too, at most once a second each: see `progress`.

        It has no end; close it, or use it as a context manager. A connection that breaks is taken up again, and what
        happened meanwhile comes then, though of several changes of one instance maybe only the last. Nothing comes
        twice. A server that does not answer is borne with for ten minutes on end.

        Args:
            filters: As for `list`.

        Raises:
            ValueError: A value cannot be told in a query.
            UnsupportedByServer: The server, of version 1, tells of no changes.
            BadRequest: The server knows no such filter.
            BadHttpRequestError: A request failed; also later.

        >>> with client.executable_task_instances.watch({"task_queue": 1}) as changes:  # doctest: +SKIP
        ...     for job in changes:
        ...         print(job.uuid, job.state)
        """
        return Changes(self, filters)

    def _look(self, uuid: One, timeout: float | None = None, hold: float = 0.0) -> I:
        query = [("wait", f"{hold:.3f}")] if hold else []
        data = self._request("GET", self.detail_url.format(uuid=segment(uuid)), params=query, timeout=timeout)
        return self.response_data_to_model_instance(data)

    def _told(self, data: dict[str, Any]) -> I:
        """The instance of an answer that tells of both classes."""
        return self.response_data_to_model_instance({name: data[name] for name in data if name != "task_class"})

    def _is_mine(self, data: dict[str, Any]) -> bool:
        return str(data.get("task_class", self._task_class)) == self._task_class

    @property
    def _task_class(self) -> str:
        return self.list_url.removesuffix("taskinstances/")

    def _failure(self, instance: I) -> TaskFailed:
        """The error of an instance that did not succeed, with the end of its log as far as that can be had."""
        tail = ""
        for stream in ("stderr", "stdout"):
            try:
                tail = tail or self.logs(instance.uuid, stream, tail=TAIL)
            except SaltantError:
                continue
        message = (
            f"The task instance {instance.uuid} {'was terminated' if instance.state == 'terminated' else 'failed'}"
        )
        message += f": {instance.message}" if instance.message else "."
        if tail:
            message += f" The end of its log:\n{tail.rstrip()}"
        return TaskFailed(message, instance=instance, reason=instance.reason, why=instance.message or "", log_tail=tail)


def _all_of(waited: Round[I]) -> Iterator[I]:
    yield from waited
    waited.raise_failures()

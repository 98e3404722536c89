"""What container and executable task instances share, which is all but their URLs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Self, TypeVar, Unpack
from uuid import UUID

from saltant.constants import (
    DEFAULT_TASK_INSTANCE_WAIT_REFRESH_PERIOD,
    HTTP_201_CREATED,
    HTTP_202_ACCEPTED,
)
from saltant.exceptions import BadHttpRequestError, PartialFailure, WaitTimeout
from saltant.models._encoding import segment
from saltant.models._limits import Limited, Limits, check_limits, require_version_2
from saltant.models._waiting import wait
from saltant.models.attempt import TaskAttempt
from saltant.models.resource import Model, ModelManager
from saltant.states import State


class BaseTaskInstance(Limited, Model):
    """A task instance: one run of a task type.

    What the server does not tell, such as one of version 1, is None.

    Attributes:
        uuid (str): Its UUID.
        name (str): Its name, which need not be unique.
        state (str): `created`, `published`, `running`, `successful`, `failed` or `terminated`.
        user (str | None): The name of the user who started it.
        task_queue (int): The ID of its task queue.
        task_type (int): The ID of its task type.
        datetime_created (datetime): When it was created.
        datetime_finished (datetime | None): When it finished.
        arguments (dict): The arguments it runs with.
        manager (BaseTaskInstanceManager): The manager that made this model.
        reason (str | None): Why it ended, as one word of a fixed list.
        message (str | None): Why it ended, or what it waits for, for people.
        attempt (int | None): Which attempt to run it this is, from 1.
        worker (str | None): The worker that runs or ran it.
        datetime_started (datetime | None): When this attempt started.
        exit_code (int | None): What its program returned.
        signal (int | None): The signal that killed its program.
        cpu_seconds (float | None): The CPU time of its processes, in seconds.
        peak_memory (int | None): The most memory that its processes had, in bytes.
        waiting (str | None): Why it does not run yet.
        cancelled_by (str | None): Who asked for its end.

    Its limits are attributes too: `timeout`, `queue_timeout`, `max_attempts`, `retry_on`, `retry_delay`, `memory`,
    `cpus` and `priority`; see `saltant.models.Limits`.
    """

    manager: BaseTaskInstanceManager[Any]

    _identity = "uuid"
    _shown = ("uuid", "name", "state")
    _datetimes = ("datetime_created", "datetime_started", "datetime_finished")

    def __init__(
        self,
        uuid: str,
        name: str,
        state: str,
        user: str | None,
        task_queue: int,
        task_type: int,
        datetime_created: datetime,
        datetime_finished: datetime | None,
        arguments: dict[str, Any],
        manager: BaseTaskInstanceManager[Any],
        *,
        reason: str | None = None,
        message: str | None = None,
        attempt: int | None = None,
        worker: str | None = None,
        datetime_started: datetime | None = None,
        exit_code: int | None = None,
        signal: int | None = None,
        cpu_seconds: float | None = None,
        peak_memory: int | None = None,
        waiting: str | None = None,
        cancelled_by: str | None = None,
        **unknown: Any,
    ) -> None:
        super().__init__(manager, self._take_limits(unknown))
        self.uuid = uuid
        self.name = name
        self.state = state
        self.user = user
        self.task_queue = task_queue
        self.task_type = task_type
        self.datetime_created = datetime_created
        self.datetime_finished = datetime_finished
        self.arguments = arguments
        self.reason = reason
        self.message = message
        self.attempt = attempt
        self.worker = worker
        self.datetime_started = datetime_started
        self.exit_code = exit_code
        self.signal = signal
        self.cpu_seconds = cpu_seconds
        self.peak_memory = peak_memory
        self.waiting = waiting
        self.cancelled_by = cancelled_by

    @property
    def is_finished(self) -> bool:
        """Whether nothing can follow its state. Of a state that this version does not know: whether it has an end."""
        try:
            return State(self.state).is_finished
        except ValueError:
            return self.datetime_finished is not None

    def clone(self) -> Self:
        """Clone this task instance.

        Returns:
            The new task instance.

        Raises:
            BadRequest: It could not be created today: the queue is inactive, for example.
            BadHttpRequestError: The request failed otherwise.
        """
        clone: Self = self.manager.clone(self.uuid)
        return clone

    def terminate(self) -> Self:
        """Tell the server to terminate this task instance. One that has finished stays as it is.

        It is over when its state says so: while its processes are being ended it is still `running`.

        Returns:
            This very task instance, as it is after it was told.

        Raises:
            PermissionDenied: It is not yours to terminate.
            BadHttpRequestError: The request failed otherwise.
        """
        return self._take(self.manager.terminate(self.uuid))

    def attempts(self) -> list[TaskAttempt]:
        """The attempts to run this task instance, the first one first.

        Raises:
            UnsupportedByServer: The server, of version 1, keeps no attempts.
            BadHttpRequestError: The request failed.
        """
        return self.manager.attempts(self.uuid)

    def wait_until_finished(
        self, refresh_period: float = DEFAULT_TASK_INSTANCE_WAIT_REFRESH_PERIOD, *, timeout: float | None = None
    ) -> Self:
        """Wait until this task instance is finished.

        Args:
            refresh_period: The seconds between two looks at it.
            timeout: The seconds after which to give up; None never does.

        Returns:
            This very task instance, as it is when finished.

        Raises:
            WaitTimeout: It did not finish in time. This instance is as it was last seen.
            BadHttpRequestError: See `BaseTaskInstanceManager.wait_until_finished`.
        """
        try:
            return self._take(self.manager.wait_until_finished(self.uuid, refresh_period, timeout=timeout))
        except WaitTimeout as error:
            if error.instance is not None:
                error.instance = self._take(error.instance)
            raise


I = TypeVar("I", bound=BaseTaskInstance)  # noqa: E741


class BaseTaskInstanceManager(ModelManager[I]):
    """Acts on task instances of one class.

    Attributes:
        clone_url (str): The format of where one is cloned.
        terminate_url (str): The format of where one is terminated.
        attempts_url (str): The format of where its attempts are listed.
    """

    clone_url: str = ""
    terminate_url: str = ""
    attempts_url: str = ""

    def create(
        self,
        task_type_id: int,
        task_queue_id: int,
        arguments: Mapping[str, Any] | None = None,
        name: str = "",
        **limits: Unpack[Limits],
    ) -> I:
        """Create a task instance, which runs as soon as a worker of its queue is free.

        Args:
            task_type_id: The ID of its task type.
            task_queue_id: The ID of its task queue. One of the queue's whitelists must hold the task type.
            arguments: Its arguments. Those that are missing take the task type's default values.
            name: A name, which need not be unique.
            limits: How long, how often and with how much it may run, where that differs from its task type: see
                `saltant.models.Limits`.

        Raises:
            BadRequest: The server refuses it; `field_errors` says why.
            ValueError, TypeError: The arguments cannot be told in JSON.
            UnsupportedByServer: The server knows no limits.
            BadHttpRequestError: The request failed otherwise.

        >>> client.executable_task_instances.create(1, 1, {"who": "world"})  # doctest: +SKIP
        ExecutableTaskInstance(uuid='0b0c…', name='', state='published')
        """
        data = {
            "name": name,
            "task_type": task_type_id,
            "task_queue": task_queue_id,
            "arguments": {} if arguments is None else arguments,
            **check_limits(limits, self._client),
        }
        created = self._request("POST", self.list_url, body=data, expected=HTTP_201_CREATED)
        return self.response_data_to_model_instance(created)

    def get(self, uuid: str | UUID) -> I:
        """Get a task instance.

        Raises:
            NotFound: There is none of this UUID.
            BadHttpRequestError: The request failed otherwise.
        """
        return self._get(uuid)

    def clone(self, uuid: str | UUID) -> I:
        """Clone a task instance.

        Returns:
            The new task instance.

        Raises:
            NotFound: There is none of this UUID.
            BadRequest: It could not be created today: the queue is inactive, for example.
            BadHttpRequestError: The request failed otherwise.
        """
        return self._act(self.clone_url, uuid, HTTP_201_CREATED)

    def terminate(self, uuid: str | UUID) -> I:
        """Tell the server to terminate a task instance. One that has finished stays as it is.

        It is over when its state says so: while its processes are being ended it is still `running`.

        Returns:
            The task instance as it is after it was told.

        Raises:
            NotFound: There is none of this UUID.
            PermissionDenied: It is not yours to terminate.
            BadHttpRequestError: The request failed otherwise.
        """
        return self._act(self.terminate_url, uuid, HTTP_202_ACCEPTED)

    def attempts(self, uuid: str | UUID) -> list[TaskAttempt]:
        """The attempts to run a task instance, the first one first.

        Raises:
            UnsupportedByServer: The server, of version 1, keeps no attempts.
            NotFound: There is none of this UUID.
            BadHttpRequestError: The request failed otherwise.
        """
        require_version_2(self._client, "attempts")
        data = self._request("GET", self.attempts_url.format(uuid=segment(uuid)))
        try:
            return [TaskAttempt.from_data(each) for each in data]
        except (TypeError, ValueError) as error:
            raise self._unexpected(f"no list of attempts ({error})") from error

    def clone_many(self, uuids: Iterable[str | UUID]) -> list[I]:
        """Clone task instances, one after another. If one fails, the others are still cloned.

        Returns:
            The new task instances, in the same order.

        Raises:
            PartialFailure: Some could not be cloned; it holds the new ones, and each failure.
        """
        return _each(self.clone, uuids)

    def terminate_many(self, uuids: Iterable[str | UUID]) -> list[I]:
        """Terminate task instances, one after another. If one fails, the others are still terminated.

        Returns:
            The task instances as they are after they were told, in the same order.

        Raises:
            PartialFailure: Some could not be told; it holds the others, and each failure.
        """
        return _each(self.terminate, uuids)

    def wait_until_finished(
        self,
        uuid: str | UUID,
        refresh_period: float = DEFAULT_TASK_INSTANCE_WAIT_REFRESH_PERIOD,
        *,
        timeout: float | None = None,
    ) -> I:
        """Wait until a task instance is finished.

        Once it was seen, a server that does not answer is borne with, as while it is started again: until the
        timeout if there is one, else for ten minutes on end.

        Args:
            uuid: The UUID of the task instance.
            refresh_period: The seconds between two looks at it.
            timeout: The seconds after which to give up; None never does.

        Returns:
            The task instance as it is when finished.

        Raises:
            WaitTimeout: It did not finish in time; the error holds it as it was last seen.
            NotFound: There is none of this UUID.
            ValueError: A number of seconds makes no sense.
            BadHttpRequestError: A request failed otherwise.

        >>> client.executable_task_instances.wait_until_finished(uuid, timeout=3600)  # doctest: +SKIP
        ExecutableTaskInstance(uuid='0b0c…', name='', state='successful')
        """
        return wait(lambda limit: self._get(uuid, timeout=limit), str(uuid), refresh_period, timeout)

    def _get(self, uuid: str | UUID, timeout: float | None = None) -> I:
        data = self._request("GET", self.detail_url.format(uuid=segment(uuid)), timeout=timeout)
        return self.response_data_to_model_instance(data)

    def _act(self, url: str, uuid: str | UUID, expected: int) -> I:
        data = self._request("POST", url.format(uuid=segment(uuid)), expected=expected)
        return self.response_data_to_model_instance(data)


def _each(act: Callable[[str | UUID], I], uuids: Iterable[str | UUID]) -> list[I]:
    if isinstance(uuids, str):
        raise TypeError("Give a list of UUIDs, not one UUID")
    succeeded: list[I] = []
    failed: dict[str, Exception] = {}
    for uuid in uuids:
        try:
            succeeded.append(act(uuid))
        except (BadHttpRequestError, ValueError) as error:
            failed[str(uuid)] = error
    if failed:
        first = next(iter(failed.values()))
        message = f"{len(failed)} of {len(failed) + len(succeeded)} task instances failed; the first: {first}"
        raise PartialFailure(message, succeeded=succeeded, failed=failed)
    return succeeded

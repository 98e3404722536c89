"""The model of a task instance."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from saltant.constants import DEFAULT_TASK_INSTANCE_WAIT_REFRESH_PERIOD
from saltant.exceptions import TaskFailed, WaitTimeout
from saltant.models._instance_files import InstanceFiles
from saltant.models._limits import Limited
from saltant.models.attempt import TaskAttempt
from saltant.models.dependency import TaskDependency
from saltant.models.progress import Progress
from saltant.models.resource import Model
from saltant.states import State

if TYPE_CHECKING:
    from saltant.models.base_task_instance import BaseTaskInstanceManager


class BaseTaskInstance(InstanceFiles, Limited, Model):
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
        datetime_changed (datetime | None): When its state last changed.
        exit_code (int | None): What its program returned.
        signal (int | None): The signal that killed its program.
        cpu_seconds (float | None): The CPU time of its processes, in seconds.
        peak_memory (int | None): The most memory that its processes had, in bytes.
        image_digest (str | None): What identifies the image that its container was made from, as `sha256:…`.
        waiting (str | None): Why it does not run yet.
        cancelled_by (str | None): Who asked for its end.
        labels (dict[str, str] | None): Its labels.
        progress (Progress | None): How far this attempt is, if its job says so.
        schedule (int | None): The ID of the schedule that made it, if one did.
        revision (int | None): The revision of its task type that it was made from.
        command (list[str] | None): The words that its program is started with: variables stand in it by their names,
            and `arguments.json` for the file that a `json_file_option` names. None: they are too long to be told.

    Its limits are attributes too: `timeout`, `queue_timeout`, `max_attempts`, `retry_on`, `retry_delay`, `memory`,
    `cpus`, `priority` and `gpus`; see `saltant.models.Limits`.
    """

    manager: BaseTaskInstanceManager[Any]

    _identity = "uuid"
    _shown = ("uuid", "name", "state")
    _datetimes = ("datetime_created", "datetime_started", "datetime_finished", "datetime_changed")

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
        image_digest: str | None = None,
        waiting: str | None = None,
        cancelled_by: str | None = None,
        datetime_changed: datetime | None = None,
        labels: dict[str, str] | None = None,
        progress: Progress | dict[str, Any] | None = None,
        schedule: int | None = None,
        revision: int | None = None,
        command: list[str] | None = None,
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
        self.image_digest = image_digest
        self.waiting = waiting
        self.cancelled_by = cancelled_by
        self.datetime_changed = datetime_changed
        self.labels = labels
        self.progress = Progress.from_data(progress) if isinstance(progress, dict) else progress
        self.schedule = schedule
        self.revision = revision
        self.command = command

    @property
    def is_finished(self) -> bool:
        """Whether nothing can follow its state. Of a state that this version does not know: whether it has an end."""
        try:
            return State(self.state).is_finished
        except ValueError:
            return self.datetime_finished is not None

    def clone(self, *, as_was: bool = False) -> Self:
        """Clone this task instance.

        Args:
            as_was: Whether the clone runs what this one ran, of its task type as it was then, and not as it is now.

        Returns:
            The new task instance.

        Raises:
            BadRequest: It could not be created today: the queue is inactive, for example.
            UnsupportedByServer: The server, of version 1, knows a task type as it is now alone.
            BadHttpRequestError: The request failed otherwise.
        """
        clone: Self = self.manager.clone(self.uuid, as_was=as_was)
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

    def set_labels(self, labels: Mapping[str, str]) -> Self:
        """Replace all labels of this task instance.

        Returns:
            This very task instance, as it is then.

        Raises:
            PermissionDenied: It is not yours.
            UnsupportedByServer: The server, of version 1, knows no labels.
            BadHttpRequestError: The request failed otherwise; `BadRequest` says which label cannot be.

        >>> job.set_labels({**job.labels, "checked": "yes"})  # doctest: +SKIP
        """
        return self._take(self.manager.set_labels(self.uuid, labels))

    def rename(self, name: str) -> Self:
        """Give this task instance another name.

        Returns:
            This very task instance, as it is then.

        Raises:
            PermissionDenied: It is not yours.
            UnsupportedByServer: The server, of version 1, renames none.
            BadHttpRequestError: The request failed otherwise.
        """
        return self._take(self.manager.rename(self.uuid, name))

    def attempts(self) -> list[TaskAttempt]:
        """The attempts to run this task instance, the first one first.

        Raises:
            UnsupportedByServer: The server, of version 1, keeps no attempts.
            BadHttpRequestError: The request failed.
        """
        return self.manager.attempts(self.uuid)

    def after(self) -> list[TaskDependency]:
        """What this task instance starts after, in the order in which it was said; pruned ones are left out.

        Raises:
            UnsupportedByServer: The server, of version 1, starts none after others.
            BadHttpRequestError: The request failed.
        """
        return self.manager.after(self.uuid)

    def dependents(self) -> list[TaskDependency]:
        """What starts after this task instance: the oldest first, 10,000 at most.

        Raises:
            UnsupportedByServer: The server, of version 1, starts none after others.
            BadHttpRequestError: The request failed.
        """
        return self.manager.dependents(self.uuid)

    def wait_until_finished(
        self,
        refresh_period: float = DEFAULT_TASK_INSTANCE_WAIT_REFRESH_PERIOD,
        *,
        timeout: float | None = None,
        raise_on_failure: bool = False,
    ) -> Self:
        """Wait until this task instance is finished.

        Args:
            refresh_period: The longest pause between two looks at it, in seconds.
            timeout: The seconds after which to give up; None never does.
            raise_on_failure: Whether it is an error if it does not succeed.

        Returns:
            This very task instance, as it is when finished.

        Raises:
            WaitTimeout: It did not finish in time. This instance is as it was last seen.
            TaskFailed: It did not succeed, and that was to be an error.
            BadHttpRequestError: See `BaseTaskInstanceManager.wait_until_finished`.

        >>> job.wait_until_finished(timeout=3600, raise_on_failure=True)  # doctest: +SKIP
        """
        try:
            ended = self.manager.wait_until_finished(
                self, refresh_period, timeout=timeout, raise_on_failure=raise_on_failure
            )
            return self._take(ended)
        except (TaskFailed, WaitTimeout) as error:
            if error.instance is not None:
                error.instance = self._take(error.instance)
            raise

"""What container and executable task instances share, which is all but their URLs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, Unpack
from uuid import UUID

from saltant.constants import HTTP_201_CREATED, HTTP_202_ACCEPTED
from saltant.exceptions import BadHttpRequestError, PartialFailure
from saltant.models._encoding import segment
from saltant.models._instance import BaseTaskInstance
from saltant.models._instance_waits import WaitsForInstances
from saltant.models._limits import Limits, check_limits, require_version_2
from saltant.models.attempt import TaskAttempt

__all__ = ["BaseTaskInstance", "BaseTaskInstanceManager"]

I = TypeVar("I", bound=BaseTaskInstance)  # noqa: E741


class BaseTaskInstanceManager(WaitsForInstances[I]):
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
        return self._look(uuid)

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

"""What container and executable task types share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from saltant.models._limits import Limited, check_limits
from saltant.models._revisions import Revisioned, RevisionedManager


class BaseTaskType(Limited, Revisioned):
    """A task type: what to run, and which arguments it takes.

    Attributes:
        id (int): Its ID.
        name (str): Its unique name.
        description (str): What it does.
        user (str | None): The name of the user who created it.
        datetime_created (datetime): When it was created.
        command_to_run (str): The command that executes the task.
        environment_variables (list[str]): The environment variables of the worker that the command gets.
        required_arguments (list[str]): The names of the arguments.
        required_arguments_default_values (dict): The default values of arguments.
        manager (BaseTaskTypeManager): The manager that made this model.
        removed_from_whitelists (list[dict] | None): After a `put` that changed what it runs: the whitelists of others
            that it was taken off, each with `id` and `name`.
        datetime_archived (datetime | None): When it was archived; None: it is in use.
        revision (int | None): The number of its newest revision, which is what it is now.

    Its limits are attributes too: `timeout`, `queue_timeout`, `max_attempts`, `retry_on`, `retry_delay`, `memory`,
    `cpus`, `priority` and `gpus`; see `saltant.models.Limits`.
    """

    def __init__(
        self,
        id: int,
        name: str,
        description: str,
        user: str | None,
        datetime_created: datetime,
        command_to_run: str,
        environment_variables: list[str],
        required_arguments: list[str],
        required_arguments_default_values: dict[str, Any],
        manager: BaseTaskTypeManager[Any],
        *,
        removed_from_whitelists: list[dict[str, Any]] | None = None,
        **unknown: Any,
    ) -> None:
        super().__init__(manager, self._take_limits(unknown))
        self.id = id
        self.name = name
        self.description = description
        self.user = user
        self.datetime_created = datetime_created
        self.command_to_run = command_to_run
        self.environment_variables = environment_variables
        self.required_arguments = required_arguments
        self.required_arguments_default_values = required_arguments_default_values
        self.removed_from_whitelists = removed_from_whitelists


T = TypeVar("T", bound=BaseTaskType)


class BaseTaskTypeManager(RevisionedManager[T]):
    """Acts on task types of one class."""

    def _fields(
        self,
        name: str,
        description: str,
        command_to_run: str,
        environment_variables: Sequence[str] | None,
        required_arguments: Sequence[str] | None,
        required_arguments_default_values: Mapping[str, Any] | None,
        extra_data: Mapping[str, Any] | None,
        limits: Mapping[str, Any],
        **others: Any,
    ) -> dict[str, Any]:
        return {
            "name": name,
            "description": description,
            "command_to_run": command_to_run,
            "environment_variables": [*(environment_variables or ())],
            "required_arguments": [*(required_arguments or ())],
            "required_arguments_default_values": {**(required_arguments_default_values or {})},
            **others,
            **check_limits(limits, self._client),
            **(extra_data or {}),
        }

"""Executable task types: programs that a worker runs as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Self, Unpack

from saltant.models._limits import Limits
from saltant.models.base_task_type import BaseTaskType, BaseTaskTypeManager


class ExecutableTaskType(BaseTaskType):
    """An executable task type.

    Attributes:
        id (int): Its ID.
        name (str): Its unique name.
        description (str): What it does.
        user (str | None): The name of the user who created it.
        datetime_created (datetime): When it was created.
        command_to_run (str): The command that executes the task. No shell runs it.
        environment_variables (list[str]): The environment variables of the worker that the command gets.
        required_arguments (list[str]): The names of the arguments.
        required_arguments_default_values (dict): The default values of arguments.
        json_file_option (str | None): The command's option, such as `--json-file`, that takes the path of a JSON
            file with the arguments; None or "" if the command takes them as its last word.
        manager (ExecutableTaskTypeManager): The manager that made this model.
    """

    manager: ExecutableTaskTypeManager

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
        json_file_option: str | None,
        manager: ExecutableTaskTypeManager,
        **unknown: Any,
    ) -> None:
        super().__init__(
            id,
            name,
            description,
            user,
            datetime_created,
            command_to_run,
            environment_variables,
            required_arguments,
            required_arguments_default_values,
            manager,
            **unknown,
        )
        self.json_file_option = json_file_option

    def put(self) -> Self:
        """Save this task type on the server; afterwards it is as the server has it.

        Returns:
            This very task type.

        Raises:
            BadRequest: The server refuses it.
            BadHttpRequestError: The request failed otherwise.
        """
        return self._take(
            self.manager.put(
                self.id,
                self.name,
                self.description,
                self.command_to_run,
                self.environment_variables,
                self.required_arguments,
                self.required_arguments_default_values,
                self.json_file_option,
                **self._limits(self.manager._client),
            )
        )


class ExecutableTaskTypeManager(BaseTaskTypeManager[ExecutableTaskType]):
    """Acts on executable task types."""

    list_url = "executabletasktypes/"
    detail_url = "executabletasktypes/{id}/"
    model = ExecutableTaskType

    def create(
        self,
        name: str,
        command_to_run: str,
        description: str = "",
        environment_variables: Sequence[str] | None = None,
        required_arguments: Sequence[str] | None = None,
        required_arguments_default_values: Mapping[str, Any] | None = None,
        json_file_option: str | None = None,
        extra_data_to_post: Mapping[str, Any] | None = None,
        **limits: Unpack[Limits],
    ) -> ExecutableTaskType:
        """Create an executable task type.

        Args:
            name: A unique name.
            command_to_run: The command that executes the task. It is split as a shell splits words, with the
                job's environment variables filled in, but no shell runs it. The arguments follow as one word of JSON.
            description: What it does.
            environment_variables: The environment variables of the worker that the command gets.
            required_arguments: The names of the arguments.
            required_arguments_default_values: The default values of arguments.
            json_file_option: The command's option that takes the path of a JSON file with the arguments.
            extra_data_to_post: More fields for the server.
            limits: How long, how often and with how much its instances may run: see `saltant.models.Limits`.

        Raises:
            BadRequest: The server refuses it.
            UnsupportedByServer: The server knows no limits.
            BadHttpRequestError: The request failed otherwise.

        >>> client.executable_task_types.create("greet", "echo hello", required_arguments=["who"])  # doctest: +SKIP
        ExecutableTaskType(id=1, name='greet')
        """
        data = self._fields(
            name,
            description,
            command_to_run,
            environment_variables,
            required_arguments,
            required_arguments_default_values,
            extra_data_to_post,
            limits,
            json_file_option=json_file_option,
        )
        return self._create(data)

    def put(
        self,
        id: int,
        name: str,
        description: str,
        command_to_run: str,
        environment_variables: Sequence[str] | None,
        required_arguments: Sequence[str] | None,
        required_arguments_default_values: Mapping[str, Any] | None,
        json_file_option: str | None,
        extra_data_to_put: Mapping[str, Any] | None = None,
        **limits: Unpack[Limits],
    ) -> ExecutableTaskType:
        """Set all of a task type; None empties a list, a dict or `json_file_option`. See `create`.

        Raises:
            NotFound: There is no such task type.
            BadRequest: The server refuses it.
            BadHttpRequestError: The request failed otherwise.
        """
        data = self._fields(
            name,
            description,
            command_to_run,
            environment_variables,
            required_arguments,
            required_arguments_default_values,
            extra_data_to_put,
            limits,
            json_file_option=json_file_option,
        )
        return self._save("PUT", id, data)

"""Container task types: images that a worker runs with Docker or Singularity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Self, Unpack

from saltant.models._container_options import Contained, ContainerOptions, check_options, limits_of
from saltant.models.base_task_type import BaseTaskType, BaseTaskTypeManager


class ContainerTaskType(Contained, BaseTaskType):
    """A container task type.

    Attributes:
        id (int): Its ID.
        name (str): Its unique name.
        description (str): What it does.
        user (str | None): The name of the user who created it.
        datetime_created (datetime): When it was created.
        command_to_run (str): The command inside the container that executes the task.
        environment_variables (list[str]): The environment variables of the worker that the command gets.
        required_arguments (list[str]): The names of the arguments.
        required_arguments_default_values (dict): The default values of arguments.
        logs_path (str | None): Where inside the container the folder for logs is.
        results_path (str | None): Where inside the container the folder for results is.
        container_image (str): The image, such as `ubuntu:24.04` for Docker, or `docker://ubuntu:24.04` or
            `shub://vsoch/hello-world` for Singularity.
        container_type (str): `docker` or `singularity`.
        manager (ContainerTaskTypeManager): The manager that made this model.

    How its container is run are attributes too: `pull_policy`, `network`, `container_user`, `read_only_root` and
    `shm_size`; see `saltant.models.ContainerOptions`.
    """

    manager: ContainerTaskTypeManager

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
        logs_path: str | None,
        results_path: str | None,
        container_image: str,
        container_type: str,
        manager: ContainerTaskTypeManager,
        **unknown: Any,
    ) -> None:
        unknown = self._take_options(unknown)
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
        self.logs_path = logs_path
        self.results_path = results_path
        self.container_image = container_image
        self.container_type = container_type

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
                self.logs_path,
                self.results_path,
                self.container_image,
                self.container_type,
                **self._options(),
                **self._limits(self.manager._client),
            )
        )


class ContainerTaskTypeManager(BaseTaskTypeManager[ContainerTaskType]):
    """Acts on container task types."""

    list_url = "containertasktypes/"
    detail_url = "containertasktypes/{id}/"
    model = ContainerTaskType

    def create(
        self,
        name: str,
        command_to_run: str,
        container_image: str,
        container_type: str,
        description: str = "",
        logs_path: str | None = "",
        results_path: str | None = "",
        environment_variables: Sequence[str] | None = None,
        required_arguments: Sequence[str] | None = None,
        required_arguments_default_values: Mapping[str, Any] | None = None,
        extra_data_to_post: Mapping[str, Any] | None = None,
        **options: Unpack[ContainerOptions],
    ) -> ContainerTaskType:
        """Create a container task type.

        Args:
            name: A unique name.
            command_to_run: The command inside the container that executes the task. It is split as a shell splits
                words, but no shell runs it. The arguments follow as one word of JSON.
            container_image: The image, such as `ubuntu:24.04` for Docker, or `docker://ubuntu:24.04` for Singularity.
            container_type: `docker` or `singularity`.
            description: What it does.
            logs_path: Where inside the container the folder for logs is to be.
            results_path: Where inside the container the folder for results is to be.
            environment_variables: The environment variables of the worker that the command gets.
            required_arguments: The names of the arguments.
            required_arguments_default_values: The default values of arguments.
            extra_data_to_post: More fields for the server.
            options: How its containers are run, and how long, how often and with how much: see
                `saltant.models.ContainerOptions` and `saltant.models.Limits`.

        Raises:
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
            extra_data_to_post,
            limits_of(options),
            logs_path=logs_path,
            results_path=results_path,
            container_image=container_image,
            container_type=container_type,
            **check_options(options, self._client),
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
        logs_path: str | None,
        results_path: str | None,
        container_image: str,
        container_type: str,
        extra_data_to_put: Mapping[str, Any] | None = None,
        **options: Unpack[ContainerOptions],
    ) -> ContainerTaskType:
        """Set all of a task type; None empties a list, a dict or a path. See `create`.

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
            limits_of(options),
            logs_path=logs_path,
            results_path=results_path,
            container_image=container_image,
            container_type=container_type,
            **check_options(options, self._client),
        )
        return self._save("PUT", id, data)

"""Task whitelists: sets of task types. What a queue runs is on one of its whitelists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from saltant.models.resource import Model, NamedModelManager


class TaskWhitelist(Model):
    """A task whitelist.

    Attributes:
        id (int): Its ID.
        user (str | None): The name of the user who created it.
        name (str): Its unique name.
        description (str): What it is for.
        whitelisted_container_task_types (list[int]): The IDs of the container task types on it.
        whitelisted_executable_task_types (list[int]): The IDs of the executable task types on it.
        manager (TaskWhitelistManager): The manager that made this model.
    """

    manager: TaskWhitelistManager

    def __init__(
        self,
        id: int,
        user: str | None,
        name: str,
        description: str,
        whitelisted_container_task_types: list[int],
        whitelisted_executable_task_types: list[int],
        manager: TaskWhitelistManager,
        **unknown: Any,
    ) -> None:
        super().__init__(manager, unknown)
        self.id = id
        self.user = user
        self.name = name
        self.description = description
        self.whitelisted_container_task_types = whitelisted_container_task_types
        self.whitelisted_executable_task_types = whitelisted_executable_task_types

    def put(self) -> Self:
        """Save this whitelist on the server; afterwards it is as the server has it.

        Returns:
            This very whitelist.

        Raises:
            BadRequest: The server refuses it.
            BadHttpRequestError: The request failed otherwise.
        """
        return self._take(
            self.manager.put(
                self.id,
                self.name,
                self.description,
                self.whitelisted_container_task_types,
                self.whitelisted_executable_task_types,
            )
        )

    def patch(self) -> Self:
        """The same as `put`."""
        return self.put()


class TaskWhitelistManager(NamedModelManager[TaskWhitelist]):
    """Acts on task whitelists."""

    list_url = "taskwhitelists/"
    detail_url = "taskwhitelists/{id}/"
    model = TaskWhitelist

    def create(
        self,
        name: str,
        description: str = "",
        whitelisted_container_task_types: Sequence[int] | None = None,
        whitelisted_executable_task_types: Sequence[int] | None = None,
    ) -> TaskWhitelist:
        """Create a task whitelist.

        Args:
            name: A unique name.
            description: What it is for.
            whitelisted_container_task_types: The IDs of the container task types on it; None for no ones.
            whitelisted_executable_task_types: The IDs of the executable task types on it; None for no ones.

        Raises:
            BadRequest: The server refuses it.
            BadHttpRequestError: The request failed otherwise.
        """
        data = _fields(
            name, description, [*(whitelisted_container_task_types or ())], [*(whitelisted_executable_task_types or ())]
        )
        return self._create(data)

    def put(
        self,
        id: int,
        name: str,
        description: str,
        whitelisted_container_task_types: Sequence[int] | None,
        whitelisted_executable_task_types: Sequence[int] | None,
    ) -> TaskWhitelist:
        """Set all of a whitelist; None empties a list.

        Raises:
            NotFound: There is no such whitelist.
            BadRequest: The server refuses it.
            BadHttpRequestError: The request failed otherwise.
        """
        data = _fields(
            name, description, [*(whitelisted_container_task_types or ())], [*(whitelisted_executable_task_types or ())]
        )
        return self._save("PUT", id, data)

    def patch(
        self,
        id: int,
        name: str | None = None,
        description: str | None = None,
        whitelisted_container_task_types: Sequence[int] | None = None,
        whitelisted_executable_task_types: Sequence[int] | None = None,
    ) -> TaskWhitelist:
        """Set some of a whitelist: None leaves a field as it is, an empty list empties it.

        Raises:
            NotFound: There is no such whitelist.
            BadRequest: The server refuses it.
            BadHttpRequestError: The request failed otherwise.
        """
        data = _fields(
            name,
            description,
            None if whitelisted_container_task_types is None else [*whitelisted_container_task_types],
            None if whitelisted_executable_task_types is None else [*whitelisted_executable_task_types],
        )
        return self._patch(id, data)


def _fields(*values: object) -> dict[str, Any]:
    names = ("name", "description", "whitelisted_container_task_types", "whitelisted_executable_task_types")
    return dict(zip(names, values, strict=True))

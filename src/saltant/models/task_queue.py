"""Task queues."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from saltant.models._limits import require_version_2
from saltant.models.resource import Model, NamedModelManager


class TaskQueue(Model):
    """A task queue.

    Attributes:
        id (int): Its ID.
        user (str | None): The name of the user who created it.
        name (str): Its unique name.
        description (str): What it is for.
        private (bool): Whether its creator alone may use it.
        runs_executable_tasks (bool): Whether it runs executable tasks.
        runs_docker_container_tasks (bool): Whether it runs container tasks in Docker containers.
        runs_singularity_container_tasks (bool): Whether it runs container tasks in Singularity containers.
        active (bool): Whether it takes new instances.
        whitelists (list[int]): The IDs of its task whitelists, which say what it runs.
        manager (TaskQueueManager): The manager that made this model.
        paused (bool | None): Whether nothing of it is started; None if the server, of version 1, cannot pause.
    """

    manager: TaskQueueManager

    def __init__(
        self,
        id: int,
        user: str | None,
        name: str,
        description: str,
        private: bool,
        runs_executable_tasks: bool,
        runs_docker_container_tasks: bool,
        runs_singularity_container_tasks: bool,
        active: bool,
        whitelists: list[int],
        manager: TaskQueueManager,
        *,
        paused: bool | None = None,
        **unknown: Any,
    ) -> None:
        super().__init__(manager, unknown)
        self.id = id
        self.user = user
        self.name = name
        self.description = description
        self.private = private
        self.runs_executable_tasks = runs_executable_tasks
        self.runs_docker_container_tasks = runs_docker_container_tasks
        self.runs_singularity_container_tasks = runs_singularity_container_tasks
        self.active = active
        self.whitelists = whitelists
        self.paused = paused

    def put(self) -> Self:
        """Save this queue on the server; afterwards it is as the server has it.

        Returns:
            This very queue.

        Raises:
            BadRequest: The server refuses it.
            BadHttpRequestError: The request failed otherwise.
        """
        return self._take(
            self.manager.put(
                self.id,
                self.name,
                self.description,
                self.private,
                self.runs_executable_tasks,
                self.runs_docker_container_tasks,
                self.runs_singularity_container_tasks,
                self.active,
                self.whitelists,
                paused=self.paused,
            )
        )

    def patch(self) -> Self:
        """The same as `put`."""
        return self.put()

    def pause(self) -> Self:
        """Start nothing more of this queue; what runs goes on, and what is submitted waits.

        Returns:
            This very queue.

        Raises:
            UnsupportedByServer: The server cannot pause queues.
            BadHttpRequestError: The request failed.
        """
        return self._take(self.manager.pause(self.id))

    def resume(self) -> Self:
        """Let a paused queue go on.

        Returns:
            This very queue.

        Raises:
            UnsupportedByServer: The server cannot pause queues.
            BadHttpRequestError: The request failed.
        """
        return self._take(self.manager.resume(self.id))


class TaskQueueManager(NamedModelManager[TaskQueue]):
    """Acts on task queues."""

    list_url = "taskqueues/"
    detail_url = "taskqueues/{id}/"
    model = TaskQueue

    def create(
        self,
        name: str,
        description: str = "",
        private: bool = False,
        runs_executable_tasks: bool = True,
        runs_docker_container_tasks: bool = True,
        runs_singularity_container_tasks: bool = True,
        active: bool = True,
        whitelists: Sequence[int] | None = None,
        *,
        paused: bool | None = None,
    ) -> TaskQueue:
        """Create a task queue.

        Args:
            name: A unique name of letters, digits and `_@+-`.
            description: What it is for.
            private: Whether you alone may use it.
            runs_executable_tasks: Whether it runs executable tasks.
            runs_docker_container_tasks: Whether it runs container tasks in Docker containers.
            runs_singularity_container_tasks: Whether it runs container tasks in Singularity containers.
            active: Whether it takes new instances.
            whitelists: The IDs of its task whitelists; None for no ones. A queue without runs nothing.
            paused: Whether nothing of it is started yet. It takes a server of version 2.

        Raises:
            BadRequest: The server refuses it.
            BadHttpRequestError: The request failed otherwise.
        """
        data = _fields(
            name,
            description,
            private,
            runs_executable_tasks,
            runs_docker_container_tasks,
            runs_singularity_container_tasks,
            active,
            [*(whitelists or ())],
        )
        return self._create(data | self._paused(paused))

    def put(
        self,
        id: int,
        name: str,
        description: str,
        private: bool,
        runs_executable_tasks: bool,
        runs_docker_container_tasks: bool,
        runs_singularity_container_tasks: bool,
        active: bool,
        whitelists: Sequence[int] | None,
        *,
        paused: bool | None = None,
    ) -> TaskQueue:
        """Set all of a queue; None empties `whitelists`.

        Raises:
            NotFound: There is no such queue.
            BadRequest: The server refuses it.
            BadHttpRequestError: The request failed otherwise.
        """
        data = _fields(
            name,
            description,
            private,
            runs_executable_tasks,
            runs_docker_container_tasks,
            runs_singularity_container_tasks,
            active,
            [*(whitelists or ())],
        )
        return self._save("PUT", id, data | self._paused(paused))

    def patch(
        self,
        id: int,
        name: str | None = None,
        description: str | None = None,
        private: bool | None = None,
        runs_executable_tasks: bool | None = None,
        runs_docker_container_tasks: bool | None = None,
        runs_singularity_container_tasks: bool | None = None,
        active: bool | None = None,
        whitelists: Sequence[int] | None = None,
        *,
        paused: bool | None = None,
    ) -> TaskQueue:
        """Set some of a queue: None leaves a field as it is, `whitelists=[]` empties the list.

        Raises:
            NotFound: There is no such queue.
            BadRequest: The server refuses it.
            BadHttpRequestError: The request failed otherwise.
        """
        data = _fields(
            name,
            description,
            private,
            runs_executable_tasks,
            runs_docker_container_tasks,
            runs_singularity_container_tasks,
            active,
            None if whitelists is None else [*whitelists],
        )
        return self._patch(id, data | self._paused(paused))

    def pause(self, id: int) -> TaskQueue:
        """Start nothing more of a queue; what runs goes on, and what is submitted waits.

        Raises:
            UnsupportedByServer: The server cannot pause queues.
            BadHttpRequestError: The request failed.
        """
        return self.patch(id, paused=True)

    def resume(self, id: int) -> TaskQueue:
        """Let a paused queue go on.

        Raises:
            UnsupportedByServer: The server cannot pause queues.
            BadHttpRequestError: The request failed.
        """
        return self.patch(id, paused=False)

    def _paused(self, paused: bool | None) -> dict[str, Any]:
        if paused is None:
            return {}
        require_version_2(self._client, "pausing of queues")
        return {"paused": paused}


def _fields(*values: object) -> dict[str, Any]:
    names = (
        "name",
        "description",
        "private",
        "runs_executable_tasks",
        "runs_docker_container_tasks",
        "runs_singularity_container_tasks",
        "active",
        "whitelists",
    )
    return dict(zip(names, values, strict=True))

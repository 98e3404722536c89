"""Task queues."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from saltant.models._archiving import Archivable, ArchivingManager
from saltant.models._limits import KEEP, Keep, require_version_2


class TaskQueue(Archivable):
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
        max_running (int | None): How many of its instances run at once at most; None: no limit, or a server of
            version 1.
        datetime_archived (datetime | None): When it was archived; None: it is in use.
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
        max_running: int | None = None,
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
        self.max_running = max_running

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
                max_running=self._max_running(),
            )
        )

    def _max_running(self) -> int | Keep | None:
        """All that the server knows of, or has to refuse."""
        known = (self.manager._client.server_version or 1) >= 2
        return self.max_running if known or self.max_running is not None else KEEP

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


class TaskQueueManager(ArchivingManager[TaskQueue]):
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
        max_running: int | Keep | None = KEEP,
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
            max_running: How many of its instances run at once at most; None: no limit. It takes a server of version 2.

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
        return self._create(data | self._version_2(paused, max_running))

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
        max_running: int | Keep | None = KEEP,
    ) -> TaskQueue:
        """Set all of a queue; None empties `whitelists`, and takes `max_running` away.

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
        return self._save("PUT", id, data | self._version_2(paused, max_running))

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
        max_running: int | Keep | None = KEEP,
    ) -> TaskQueue:
        """Set some of a queue: None leaves a field as it is, `whitelists=[]` empties the list.

        `max_running=None` takes that limit away; it is as it was if it is not given.

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
        given = {name: value for name, value in data.items() if value is not None}
        return self._save("PATCH", id, given | self._version_2(paused, max_running))

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

    def _version_2(self, paused: bool | None, max_running: int | Keep | None) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        if paused is not None:
            require_version_2(self._client, "pausing of queues")
            fields["paused"] = paused
        if not isinstance(max_running, Keep):
            require_version_2(self._client, "limits of queues")
            fields["max_running"] = max_running
        return fields


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

"""Task whitelists: sets of task types. What a queue runs is on one of its whitelists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from saltant.exceptions import UnsupportedByServer
from saltant.models._archiving import Archivable, ArchivingManager
from saltant.models._encoding import segment
from saltant.models._limits import require_version_2


class TaskWhitelist(Archivable):
    """A task whitelist.

    Attributes:
        id (int): Its ID.
        user (str | None): The name of the user who created it.
        name (str): Its unique name.
        description (str): What it is for.
        whitelisted_container_task_types (list[int]): The IDs of the container task types on it.
        whitelisted_executable_task_types (list[int]): The IDs of the executable task types on it.
        manager (TaskWhitelistManager): The manager that made this model.
        pinned_revisions (dict[int, int] | None): The revisions to which task types are pinned, by their IDs.
        datetime_archived (datetime | None): When it was archived; None: it is in use.
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
        *,
        pinned_revisions: Mapping[str, int] | None = None,
        **unknown: Any,
    ) -> None:
        super().__init__(manager, unknown)
        self.id = id
        self.user = user
        self.name = name
        self.description = description
        self.whitelisted_container_task_types = whitelisted_container_task_types
        self.whitelisted_executable_task_types = whitelisted_executable_task_types
        self.pinned_revisions: dict[int, int] | None = (
            None if pinned_revisions is None else {int(pk): number for pk, number in pinned_revisions.items()}
        )

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

    def add(self, *, container_task_types: Sequence[int] = (), executable_task_types: Sequence[int] = ()) -> Self:
        """Put task types on this whitelist, whatever somebody else puts on it at the same time.

        Args:
            container_task_types: IDs of container task types.
            executable_task_types: IDs of executable task types.

        Returns:
            This very whitelist.

        Raises:
            BadRequest: There is no such task type.
            BadHttpRequestError: The request failed otherwise.
        """
        return self._take(
            self.manager.add(
                self.id, container_task_types=container_task_types, executable_task_types=executable_task_types
            )
        )

    def pin(self, pins: Mapping[int, int | None]) -> Self:
        """Pin task types of this whitelist to revisions: it allows no other of them.

        Args:
            pins: Numbers of revisions, by the IDs of task types; None unpins one. Others stay as they are.

        Returns:
            This very whitelist.

        Raises:
            BadRequest: A task type is not on it, or has no such revision.
            UnsupportedByServer: The server, of version 1, keeps no revisions.
            BadHttpRequestError: The request failed otherwise.

        >>> whitelist.pin({anagrams.id: anagrams.revision})  # doctest: +SKIP
        """
        return self._take(self.manager.pin(self.id, pins))

    def remove(self, *, container_task_types: Sequence[int] = (), executable_task_types: Sequence[int] = ()) -> Self:
        """Take task types off this whitelist, whatever somebody else does to it at the same time. See `add`."""
        return self._take(
            self.manager.remove(
                self.id, container_task_types=container_task_types, executable_task_types=executable_task_types
            )
        )


class TaskWhitelistManager(ArchivingManager[TaskWhitelist]):
    """Acts on task whitelists."""

    list_url = "taskwhitelists/"
    detail_url = "taskwhitelists/{id}/"
    add_url = "taskwhitelists/{id}/add/"
    remove_url = "taskwhitelists/{id}/remove/"
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

    def add(
        self, id: int, *, container_task_types: Sequence[int] = (), executable_task_types: Sequence[int] = ()
    ) -> TaskWhitelist:
        """Put task types on a whitelist. With a server of version 2 two people at once lose nothing.

        Args:
            id: The ID of the whitelist.
            container_task_types: IDs of container task types.
            executable_task_types: IDs of executable task types.

        Raises:
            NotFound: There is no such whitelist.
            BadRequest: There is no such task type.
            BadHttpRequestError: The request failed otherwise.

        >>> client.task_whitelists.add(1, executable_task_types=[3])  # doctest: +SKIP
        TaskWhitelist(id=1, name='default')
        """
        return self._change_members(self.add_url, id, container_task_types, executable_task_types)

    def remove(
        self, id: int, *, container_task_types: Sequence[int] = (), executable_task_types: Sequence[int] = ()
    ) -> TaskWhitelist:
        """Take task types off a whitelist. See `add`."""
        return self._change_members(self.remove_url, id, container_task_types, executable_task_types)

    def pin(self, id: int, pins: Mapping[int, int | None]) -> TaskWhitelist:
        """Pin task types of a whitelist to revisions: it allows no other of them.

        Args:
            id: The ID of the whitelist.
            pins: Numbers of revisions, by the IDs of task types; None unpins one. Others stay as they are.

        Raises:
            NotFound: There is no such whitelist.
            BadRequest: A task type is not on it, or has no such revision.
            UnsupportedByServer: The server, of version 1, keeps no revisions.
            BadHttpRequestError: The request failed otherwise.
        """
        require_version_2(self._client, "pinned revisions")
        return self._patch(id, {"pinned_revisions": {str(pk): number for pk, number in pins.items()}})

    def _change_members(
        self, url: str, id: int, containers: Sequence[int], executables: Sequence[int]
    ) -> TaskWhitelist:
        try:
            require_version_2(self._client, "adding to whitelists")
        except UnsupportedByServer:
            change = _with if url == self.add_url else _without
            known = self.get(id=id)
            return self.patch(
                id,
                whitelisted_container_task_types=change(known.whitelisted_container_task_types, containers),
                whitelisted_executable_task_types=change(known.whitelisted_executable_task_types, executables),
            )
        body = {"container_task_types": [*containers], "executable_task_types": [*executables]}
        changed = self._request("POST", url.format(id=segment(id)), body=body)
        return self.response_data_to_model_instance(changed)


def _with(ids: Sequence[int], others: Sequence[int]) -> list[int]:
    return [*ids, *(other for other in others if other not in ids)]


def _without(ids: Sequence[int], others: Sequence[int]) -> list[int]:
    return [each for each in ids if each not in others]


def _fields(*values: object) -> dict[str, Any]:
    names = ("name", "description", "whitelisted_container_task_types", "whitelisted_executable_task_types")
    return dict(zip(names, values, strict=True))

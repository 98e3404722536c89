"""What task types, queues and whitelists share: they can be archived, and deleted as long as they were never used."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Self, TypeVar

from saltant._http import HTTP_204_NO_CONTENT
from saltant.models._encoding import segment
from saltant.models._limits import require_version_2
from saltant.models.resource import Model, ModelManager, NamedModelManager


class Archivable(Model):
    """Something that can be put out of use. `datetime_archived` is None while it is in use, or on version 1."""

    _datetimes: ClassVar[tuple[str, ...]] = ("datetime_created", "datetime_archived")

    manager: Any

    def __init__(self, manager: ModelManager[Any], extra: dict[str, Any] | None = None) -> None:
        others = dict(extra or {})
        self.datetime_archived: datetime | None = others.pop("datetime_archived", None)
        super().__init__(manager, others)

    @property
    def archived(self) -> bool:
        """Whether it is out of use."""
        return self.datetime_archived is not None

    def archive(self) -> Self:
        """Put it out of use: nothing new is made with it. What waits and runs goes on, and nothing is lost.

        Returns:
            This very model, as the server has it now. Twice is as good as once.

        Raises:
            PermissionDenied: It is not yours.
            UnsupportedByServer: The server, of version 1, archives nothing.
            BadHttpRequestError: The request failed otherwise.
        """
        return self._take(self.manager.archive(getattr(self, self._identity)))

    def unarchive(self) -> Self:
        """Take it into use again. See `archive`."""
        return self._take(self.manager.unarchive(getattr(self, self._identity)))

    def delete(self) -> Self:
        """Delete it. Only what was never used can be deleted; archive what was.

        Returns:
            This very model, which the server has no more.

        Raises:
            Conflict: It was used: it says by how many.
            PermissionDenied: It is not yours.
            UnsupportedByServer: The server, of version 1, deletes nothing.
            BadHttpRequestError: The request failed otherwise.
        """
        self.manager.delete(getattr(self, self._identity))
        return self


A = TypeVar("A", bound=Archivable)


class ArchivingManager(NamedModelManager[A]):
    """Acts on models that can be archived."""

    def archive(self, id: int) -> A:
        """Put one out of use: nothing new is made with it. What waits and runs goes on, and nothing is lost.

        Raises:
            NotFound: There is none with this ID.
            PermissionDenied: It is not yours.
            UnsupportedByServer: The server, of version 1, archives nothing.
            BadHttpRequestError: The request failed otherwise.
        """
        return self._put_out_of_use("archive", id)

    def unarchive(self, id: int) -> A:
        """Take one into use again. See `archive`."""
        return self._put_out_of_use("unarchive", id)

    def delete(self, id: int) -> None:
        """Delete one. Only what was never used can be deleted; archive what was.

        Raises:
            Conflict: It was used: it says by how many.
            NotFound: There is none with this ID.
            PermissionDenied: It is not yours.
            UnsupportedByServer: The server, of version 1, deletes nothing.
            BadHttpRequestError: The request failed otherwise.
        """
        require_version_2(self._client, "deleting")
        self._request("DELETE", self.detail_url.format(id=segment(id)), expected=HTTP_204_NO_CONTENT)

    def _put_out_of_use(self, act: str, id: int) -> A:
        require_version_2(self._client, "archiving")
        # It can be repeated: twice is as good as once.
        url = f"{self.detail_url.format(id=segment(id))}{act}/"
        return self.response_data_to_model_instance(self._request("POST", url, repeatable=True))

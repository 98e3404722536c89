"""What task types of both classes share: each change makes a revision, and they can go back to one."""

from __future__ import annotations

from typing import Any, Self, TypeVar
from urllib.parse import parse_qsl, urlsplit

from saltant.models._archiving import Archivable, ArchivingManager
from saltant.models._encoding import Query, segment
from saltant.models._limits import require_version_2
from saltant.models.resource import PAGE_SIZE, ModelManager
from saltant.models.revision import TaskTypeRevision

WHAT = "revisions of task types"


class Revisioned(Archivable):
    """Something with a history. `revision` is the number of what it is now; None on version 1."""

    id: int

    def __init__(self, manager: ModelManager[Any], extra: dict[str, Any] | None = None) -> None:
        others = dict(extra or {})
        self.revision: int | None = others.pop("revision", None)
        super().__init__(manager, others)

    def revisions(self) -> list[TaskTypeRevision]:
        """All that this task type was, the newest first: the first of them is what it is now.

        Raises:
            UnsupportedByServer: The server, of version 1, keeps none.
            BadHttpRequestError: The request failed.

        >>> [(each.number, each.changed_by) for each in task_type.revisions()]  # doctest: +SKIP
        [(2, 'ada'), (1, 'ada')]
        """
        found: list[TaskTypeRevision] = self.manager.revisions(self.id)
        return found

    def diff(self, number: int | None = None, against: int | None = None) -> dict[str, list[Any]]:
        """What a revision of this task type has otherwise than another one.

        Args:
            number: The revision; None: the newest.
            against: The other one; None: the one before.

        Returns:
            By field, the value of the other one and that of the revision.

        Raises:
            NotFound: There is no such revision.
            UnsupportedByServer: The server, of version 1, keeps none.
            BadHttpRequestError: The request failed otherwise.
        """
        found: dict[str, list[Any]] = self.manager.diff(self.id, number, against)
        return found

    def restore(self, number: int) -> Self:
        """Go back to a revision, which makes a new one. Whitelists take that as they take any change.

        Returns:
            This very task type, as the server has it now; its `removed_from_whitelists` says what it was taken off.

        Raises:
            NotFound: There is no such revision.
            PermissionDenied: It is not yours.
            BadRequest: What it was can no more be: its name is another one's now, for example.
            UnsupportedByServer: The server, of version 1, keeps none.
            BadHttpRequestError: The request failed otherwise.
        """
        return self._take(self.manager.restore(self.id, number))


R = TypeVar("R", bound=Revisioned)


class RevisionedManager(ArchivingManager[R]):
    """Acts on models with a history."""

    def revisions(self, id: int) -> list[TaskTypeRevision]:
        """All that a task type was, the newest first: the first of them is what it is now.

        Raises:
            NotFound: There is no such task type.
            UnsupportedByServer: The server, of version 1, keeps none.
            BadHttpRequestError: The request failed otherwise.
        """
        require_version_2(self._client, WHAT)
        found, url = [], f"{self.detail_url.format(id=segment(id))}revisions/"
        query: Query = [("cursor", ""), ("page_size", str(PAGE_SIZE))]
        while query:
            page = self._request("GET", url, params=query)
            try:
                found += [TaskTypeRevision.from_data(each) for each in page["results"]]
                query = parse_qsl(urlsplit(page["next"] or "").query, keep_blank_values=True)
            except (KeyError, TypeError, ValueError) as error:
                raise self._unexpected(f"no list of revisions ({error!r})") from error
        return found

    def diff(self, id: int, number: int | None = None, against: int | None = None) -> dict[str, Any]:
        """What a revision of a task type has otherwise than another one.

        Args:
            id: The ID of the task type.
            number: The revision; None: the newest.
            against: The other one; None: the one before.

        Returns:
            By field, a list of the value of the other one and that of the revision.

        Raises:
            NotFound: There is no such task type, or no such revision.
            BadRequest: There is none to compare it with.
            UnsupportedByServer: The server, of version 1, keeps none.
            BadHttpRequestError: The request failed otherwise.
        """
        require_version_2(self._client, WHAT)
        if number is None:
            number = self.get(id=id).revision
        query = [] if against is None else [("against", str(against))]
        said = self._request("GET", f"{self._revision_url(id, number)}diff/", params=query)
        try:
            return dict(said["changes"])
        except (KeyError, TypeError, ValueError) as error:
            raise self._unexpected(f"no difference ({error!r})") from error

    def restore(self, id: int, number: int) -> R:
        """Have a task type go back to a revision, which makes a new one. Whitelists take that as they take any change.

        Raises:
            NotFound: There is no such task type, or no such revision.
            PermissionDenied: It is not yours.
            BadRequest: What it was can no more be: its name is another one's now, for example.
            UnsupportedByServer: The server, of version 1, keeps none.
            BadHttpRequestError: The request failed otherwise.
        """
        require_version_2(self._client, WHAT)
        # It can be repeated: what it is already makes no revision.
        data = self._request("POST", f"{self._revision_url(id, number)}restore/", repeatable=True)
        return self.response_data_to_model_instance(data)

    def _revision_url(self, id: int, number: int | None) -> str:
        return f"{self.detail_url.format(id=segment(id))}revisions/{segment(number)}/"

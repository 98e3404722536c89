"""Acting on all task instances that match filters: counting them, ending them."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from saltant.models._encoding import LABEL, encode_filters
from saltant.models._instance_waits import WaitsForInstances
from saltant.models._limits import require_version_2

if TYPE_CHECKING:
    from saltant.models.base_task_instance import BaseTaskInstance

I = TypeVar("I", bound="BaseTaskInstance")  # noqa: E741


class MatchesInstances(WaitsForInstances[I]):
    """What a manager of task instances does with all that match filters."""

    def counts(
        self, by: str | Iterable[str] = (), *, filters: Mapping[str, Any] | None = None
    ) -> builtins.list[dict[str, Any]]:
        """Count task instances, in groups.

        Args:
            by: What they are counted by, one or several: `state`, `task_type`, `task_queue` (their IDs), `user`, and
                `label:KEY`.
            filters: Which are counted: as for `list`.

        Returns:
            For each group what its task instances have in common, by these names, and `count`. What they have none of
            is None.

        Raises:
            BadRequest: They are not counted by that, or not filtered by that.
            UnsupportedByServer: The server, of version 1, does not count.
            BadHttpRequestError: The request failed otherwise.

        >>> client.executable_task_instances.counts(["state", "label:project"])  # doctest: +SKIP
        [{'state': 'failed', 'label:project': 'x', 'count': 2}, {'state': 'failed', 'label:project': None, 'count': 9}]
        """
        query = encode_filters(filters)
        if query is None:
            return []
        names = [by] if isinstance(by, str) else [*by]
        require_version_2(self._client, "counts")
        said = self._request("GET", f"{self.list_url}counts/", params=[*(("by", name) for name in names), *query])
        found = said.get("counts") if isinstance(said, dict) else None
        if not isinstance(found, builtins.list):
            raise self._unexpected("no counts")
        return found

    def terminate_matching(self, filters: Mapping[str, Any], *, expected: int) -> builtins.list[I]:
        """Terminate all task instances that match filters and that have not ended: all of them, or none.

        Args:
            filters: As for `list`, one at least, but no regular expression.
            expected: How many they are, 10,000 at most. If they are more, or fewer, none is terminated, so that a typo
                ends nothing.

        Returns:
            The task instances as they are after they were told, the oldest first.

        Raises:
            Conflict: They are not as many as expected; it says how many they are.
            PermissionDenied: One of them is not yours to terminate.
            ValueError: There is no filter, or a value cannot be told.
            BadRequest: A filter cannot be used.
            UnsupportedByServer: The server, of version 1, terminates one after another.
            BadHttpRequestError: The request failed otherwise.

        >>> filters = {"label": {"project": "x"}, "state": "published"}
        >>> client.executable_task_instances.terminate_matching(filters, expected=20)  # doctest: +SKIP
        """
        query = encode_filters(filters)
        if query is None and expected:
            raise ValueError(f"No task instance can match these filters, and {expected} are expected")
        if not filters:
            raise ValueError("Give at least one filter: without any, nothing is terminated")
        if query is None:
            return []
        require_version_2(self._client, "terminating by filters")
        told: dict[str, Any] = {}
        for name, text in query:
            told[name] = [*told.get(name, []), text] if name == LABEL else text
        said = self._request(
            "POST", f"{self.list_url}terminate/", body={"filters": told, "expected": expected}, repeatable=True
        )
        try:
            return [self.response_data_to_model_instance(each["instance"]) for each in said["results"]]
        except (TypeError, KeyError) as error:
            raise self._unexpected(f"no answer about many ({error!r})") from error

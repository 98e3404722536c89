"""Acting on many task instances: by one request where the server can, else one after another."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from saltant._http_errors import error_for_answer
from saltant.exceptions import BadHttpRequestError, BadRequest, ManyFailed, NotFound, UnexpectedResponse
from saltant.models._limits import require_version_2
from saltant.models.dependency import names_items

if TYPE_CHECKING:
    from saltant.models.base_task_instance import BaseTaskInstance, BaseTaskInstanceManager

MOST = 10_000
"""Items of one request."""
LARGEST = 8 * 2**20
"""Characters of one request, about: the server takes more, but whoever sends that much sees it begin sooner."""

I = TypeVar("I", bound="BaseTaskInstance")  # noqa: E741


class Many(Generic[I]):
    """One act upon many.

    Args:
        manager: What acts.
        path: Where many are acted upon at once, below the list's.
        key: What the server calls the items.
        single: Acts upon one.
        label: What a failure is filed under, of an item and its index.
        repeatable: Whether to do it twice is as good as once.
        more: What else a request for many says.
    """

    def __init__(
        self,
        manager: BaseTaskInstanceManager[I],
        path: str,
        key: str,
        single: Callable[[Any], I],
        label: Callable[[int, Any], str],
        *,
        repeatable: bool = False,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        self._manager = manager
        self._path = manager.list_url + path
        self._key = key
        self._single = single
        self._label = label
        self._repeatable = repeatable
        self._more = more or {}
        self._done: list[I | None] = []
        self._linked = False
        self._errors: dict[int, Exception] = {}

    def run(self, items: Sequence[Any], *, all_or_nothing: bool) -> list[I]:
        """Act upon all; returns the instances in the order of the items.

        Raises:
            ManyFailed: Some failed.
        """
        client = self._manager._client
        self._done = [None] * len(items)
        if all_or_nothing:
            require_version_2(client, "all_or_nothing")
            if len(items) > MOST:
                raise ValueError(f"All or nothing goes for {MOST} at most, in one request, not for {len(items)}")
        self._linked = any(isinstance(each, dict) and names_items(each) for each in items)
        if self._linked and len(items) > MOST:
            raise ValueError(f"Task instances that name others by index are {MOST} at most, not {len(items)}")
        if items and client.server_version is None:
            client.test_authentication()  # its first answer tells
        if (client.server_version or 1) < 2 or not self._send_parts(items, all_or_nothing):
            self._one_by_one(items)
        if self._errors:
            raise self._failure(items)
        return [each for each in self._done if each is not None]

    def _one_by_one(self, items: Sequence[Any]) -> None:
        for index, item in enumerate(items):
            try:
                self._done[index] = self._single(item)
            except (BadHttpRequestError, ValueError) as error:
                self._errors[index] = error

    def _send_parts(self, items: Sequence[Any], all_or_nothing: bool) -> bool:
        """Send them; False if the server, although of version 2, is too old for that."""
        start = 0
        is_one = all_or_nothing or self._linked
        for part in [items] if is_one and items else parts(items):
            body = {self._key: part, "all_or_nothing": all_or_nothing, **self._more}
            try:
                said = self._manager._request("POST", self._path, body=body, repeatable=self._repeatable)
            except (NotFound, UnexpectedResponse) as error:
                if start == 0 and error.status_code in (404, 405):
                    if is_one:
                        raise
                    return False
                self._stop(start, error, items)
                return True
            except BadHttpRequestError as error:
                failed = _told_by(error) if all_or_nothing else None
                if failed is None:
                    self._stop(start, error, items)
                else:
                    self._take(failed, [each.get("index") for each in failed])
                return True
            try:
                results = said["results"]
                if len(results) != len(part):
                    raise ValueError(f"{len(results)} results for {len(part)}")
                self._take(results, range(start, start + len(part)))
            except (TypeError, KeyError, AttributeError, ValueError) as error:
                raise self._manager._unexpected(f"no answer about many ({error!r})") from error
            start += len(part)
        return True

    def _stop(self, start: int, error: BadHttpRequestError, items: Sequence[Any]) -> None:
        """A whole request failed: nothing more is sent, and what was done before must not be forgotten."""
        if not any(self._done) and not self._errors:
            raise error
        self._errors |= dict.fromkeys(range(start, len(items)), error)

    def _take(self, results: Sequence[Any], indexes: Sequence[Any]) -> None:
        url = self._manager._client.base_api_url + self._path
        for index, result in zip(indexes, results, strict=True):
            if "instance" in result:
                self._done[index] = self._manager.response_data_to_model_instance(result["instance"])
            else:
                self._errors[index] = error_for_answer(result["status"], json.dumps(result["errors"]), url, "POST")

    def _failure(self, items: Sequence[Any]) -> ManyFailed:
        errors = dict(sorted(self._errors.items()))
        first = next(iter(errors.values()))
        return ManyFailed(
            f"{len(errors)} of {len(items)} task instances failed; the first: {first}",
            instances=self._done,
            errors=errors,
            failed={self._label(index, items[index]): error for index, error in errors.items()},
        )


def parts(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """The items, as many at a time as one request may hold."""
    part: list[Any] = []
    size = 0
    for item in items:
        length = len(json.dumps(item, allow_nan=False))
        if part and (len(part) == MOST or size + length > LARGEST):
            yield part
            part, size = [], 0
        part.append(item)
        size += length
    if part:
        yield part


def _told_by(error: BadHttpRequestError) -> list[Any] | None:
    """What the refusal of all says about each; None if it says nothing of the kind."""
    if not isinstance(error, BadRequest) or error.response is None:
        return None
    try:
        failed = json.loads(error.response.content)["failed"]
    except (ValueError, KeyError, TypeError):
        return None
    return failed if isinstance(failed, list) else None

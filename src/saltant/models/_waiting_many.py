"""Waiting for many task instances at once."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Generic, TypeVar
from uuid import UUID

from saltant._patience import Patience
from saltant.constants import DEFAULT_TASK_INSTANCE_WAIT_REFRESH_PERIOD
from saltant.exceptions import (
    BadHttpRequestError,
    NotFound,
    PartialFailure,
    RateLimited,
    ServerError,
    TransportError,
    UnexpectedResponse,
    WaitTimeout,
)
from saltant.models._encoding import uuid_text
from saltant.models._waiting import EARLY, deadline_of, hold_for, pause_after_early

if TYPE_CHECKING:
    from saltant.models._instance_waits import WaitsForInstances
    from saltant.models.base_task_instance import BaseTaskInstance
    from saltant.models.dependency import One

WAIT_URL = "wait/"
MOST_UUIDS = 10_000
"""Of so many instances one request may ask."""
TURN_SECONDS = 1.0
"""Where one request cannot ask for all, each has so long before it is another's turn."""

I = TypeVar("I", bound="BaseTaskInstance")  # noqa: E741


class Round(Generic[I]):
    """Iterates over instances as they finish, each once.

    Args:
        manager: What gets them.
        uuids: Their UUIDs.
        timeout: The seconds after which to give up, from now on.
        of_all: Whether nobody needs one before the last has finished.

    Attributes:
        finished: Those that did.
        failed: The error of each UUID that could not be had.
    """

    def __init__(
        self, manager: WaitsForInstances[I], uuids: Iterable[str], timeout: float | None, *, of_all: bool
    ) -> None:
        self.finished: list[I] = []
        self.failed: dict[str, Exception] = {}
        self._manager = manager
        self._client = manager._client
        self._timeout = timeout
        self._deadline = deadline_of(timeout)
        self._of_all = of_all
        self._pending = dict.fromkeys(canonical(uuid) or uuid for uuid in uuids)
        self._count = len(self._pending)
        self._can_ask_for_many = True

    def __iter__(self) -> Iterator[I]:
        patience = Patience("Still waiting for task instances", longest=None if self._timeout is None else float("inf"))
        early = 0
        while self._pending:
            asked = time.monotonic()
            before, could = len(self._pending), self._can_hold
            try:
                hold = self._hold(self._deadline - asked)
                for instance in self._look(self._deadline - asked, hold):
                    self.finished.append(instance)
                    yield instance
            except (TransportError, ServerError, RateLimited) as error:
                wait = self._client._transport.backoff.wait(patience.failures + 1)
                pause = max(patience.bear(error), wait)
            else:
                patience.well()
                if len(self._pending) < before or (hold and time.monotonic() - asked >= hold * EARLY):
                    early = 0
                else:
                    early += 1
                pause = self._pause(early, could)
            if not self._pending:
                return
            now = time.monotonic()
            if now >= self._deadline:
                raise self._too_late(patience)
            self._client._transport.sleep(min(pause, self._deadline - now))

    def raise_failures(self) -> None:
        """Raise an error if some could not be had.

        Raises:
            PartialFailure: They are in it, and so are the others.
        """
        if self.failed:
            first = next(iter(self.failed.values()))
            message = f"{len(self.failed)} of {self._count} task instances could not be had; the first: {first}"
            raise PartialFailure(message, succeeded=self.finished, failed=self.failed)

    @property
    def _can_hold(self) -> bool:
        return self._can_ask_for_many and (self._client.server_version or 1) >= 2

    def _pause(self, early: int, could_hold: bool) -> float:
        """The seconds before the next look, after so many on end that brought nothing before their time."""
        if not self._can_hold:
            return 0.0 if could_hold else DEFAULT_TASK_INSTANCE_WAIT_REFRESH_PERIOD
        return pause_after_early(early, DEFAULT_TASK_INSTANCE_WAIT_REFRESH_PERIOD) if early else 0.0

    def _hold(self, rest: float) -> float:
        if self._client.server_version is None:
            self._client.test_authentication()  # its answer tells
        hold = hold_for(self._client, rest) if self._can_hold else 0.0
        return min(hold, TURN_SECONDS) if len(self._pending) > MOST_UUIDS else hold

    def _look(self, rest: float, hold: float) -> Iterator[I]:
        """Those of the pending ones that have finished; they and those that cannot be had are pending no more."""
        if not self._can_hold:
            yield from self._look_at_each()
            return
        for uuid in [uuid for uuid in self._pending if canonical(uuid) is None]:
            self._fail(uuid)
        batch = [*islice(self._pending, MOST_UUIDS)]
        if not batch:
            return
        body = {"uuids": batch, "for": "all" if self._of_all else "any", "wait": round(hold, 3)}
        limit = max(rest, 1.0) + 1.0
        try:
            said = self._manager._request("POST", WAIT_URL, body=body, timeout=limit, repeatable=True)
            finished, unknown = said["finished"], said.get("unknown", [])
            for uuid in unknown:
                self._fail(str(uuid))
            for data in finished:
                if (uuid := data["uuid"]) in self._pending:
                    # One that is not of this manager's class does not exist for it.
                    if self._manager._is_mine(data):
                        instance = self._manager._told(data)
                        del self._pending[uuid]
                        yield instance
                    else:
                        self._fail(uuid)
        except (TypeError, KeyError, AttributeError) as error:
            raise self._manager._unexpected(f"no answer to a wait ({error!r})") from error
        except (NotFound, UnexpectedResponse) as error:
            if error.status_code not in (404, 405):
                raise
            self._can_ask_for_many = False  # a server of version 2 that is too old for it
        for uuid in batch:  # it is another's turn
            if uuid in self._pending:
                self._pending[uuid] = self._pending.pop(uuid)

    def _look_at_each(self) -> Iterator[I]:
        for uuid in [*self._pending]:
            rest = self._deadline - time.monotonic()
            if rest < 0 and self._timeout:
                return
            try:
                instance = self._manager._look(uuid, timeout=max(rest, 1.0))
            except (TransportError, ServerError, RateLimited):
                raise
            except (BadHttpRequestError, ValueError) as error:
                del self._pending[uuid]
                self.failed[uuid] = error
            else:
                if instance.is_finished:
                    del self._pending[uuid]
                    yield instance

    def _fail(self, uuid: str) -> None:
        if uuid in self._pending:
            del self._pending[uuid]
            url = f"{self._client.base_api_url}{self._manager.list_url}{uuid}/"
            message = f"There is no {self._manager.model.__name__} {uuid!r} on {self._client.base_api_url}."
            self.failed[uuid] = NotFound(message, status_code=404, url=url, method="GET")

    def _too_late(self, patience: Patience) -> WaitTimeout:
        message = (
            f"{len(self._pending)} of {self._count} task instances had not finished after {self._timeout} seconds."
        )
        if patience.trouble:
            message += f" The last look at them failed: {patience.trouble}"
        return WaitTimeout(message, finished=self.finished, unfinished=[*self._pending])


def canonical(uuid: str) -> str | None:
    """A UUID as the server spells it; None if it is none.

    >>> canonical("0B0C84F53D7D4A8D9F2A1F2B3C4D5E6F"), canonical("x")
    ('0b0c84f5-3d7d-4a8d-9f2a-1f2b3c4d5e6f', None)
    """
    try:
        return str(UUID(uuid))
    except ValueError:
        return None


def texts(uuids: Iterable[One]) -> list[str]:
    """UUIDs as texts, of task instances too.

    Raises:
        TypeError: It is one of them, not a list of them.
    """
    if isinstance(uuids, (str, UUID)) or hasattr(uuids, "uuid"):
        raise TypeError("Give a list of UUIDs or task instances, not one alone")
    return [uuid_text(uuid) for uuid in uuids]


def in_order(uuids: Sequence[str], instances: Iterable[I]) -> list[I]:
    """The instances of the UUIDs, in their order."""
    found = {instance.uuid: instance for instance in instances}
    return [found[canonical(uuid) or uuid] for uuid in uuids]

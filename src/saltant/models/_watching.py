"""Watching task instances: a stream of those whose state changes, or that say how far they are."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Generator, Mapping
from contextlib import suppress
from datetime import UTC
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import requests

from saltant._patience import Patience, Trouble
from saltant._streams import Event, open_events, pause, read_events
from saltant.exceptions import RateLimited, ServerError, TransportError
from saltant.models._encoding import encode_filters
from saltant.models._limits import require_version_2

if TYPE_CHECKING:
    from saltant.models._instance_waits import WaitsForInstances
    from saltant.models.base_task_instance import BaseTaskInstance

EVENTS_URL = "events/"
REMEMBERED = 10_000
"""So many changes back it is known that one comes again."""

I = TypeVar("I", bound="BaseTaskInstance")  # noqa: E741


class Changes(Generic[I]):
    """An iterator of task instances that changed: see `BaseTaskInstanceManager.watch`.

    As a context manager it closes its connection at the end.
    """

    def __init__(self, manager: WaitsForInstances[I], filters: Mapping[str, Any] | None) -> None:
        self._manager = manager
        self._transport = manager._client._transport
        self._query = encode_filters(filters)
        if self._query is not None:
            self._query.append(("task_class", manager._task_class))
        self._known: OrderedDict[tuple[object, ...], None] = OrderedDict()
        self._last_id = ""
        self._answer: requests.Response | None = None
        require_version_2(manager._client, "stream of changes")
        if self._query is not None:  # else nothing can match
            # At once, so that what changes between this call and the first look at the iterator is not missed.
            self._answer = self._open()
            self._begin(self._answer)
        self._changes = self._run()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> I:
        return next(self._changes)

    def close(self) -> None:
        """Close the connection. The iterator is then at its end."""
        self._changes.close()
        self._hang_up()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> requests.Response:
        headers = {"Last-Event-ID": self._last_id} if self._last_id else {}
        return open_events(self._transport, EVENTS_URL, self._query or [], headers)

    def _begin(self, answer: requests.Response) -> None:
        """Keep the server's time: there to go on from if the connection breaks before the first event."""
        with suppress(KeyError, TypeError, ValueError):
            began = parsedate_to_datetime(answer.headers["Date"]).astimezone(UTC)
            self._last_id = began.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def _hang_up(self) -> None:
        if self._answer is not None:
            self._answer.close()
            self._answer = None

    def _run(self) -> Generator[I, None, None]:
        patience = Patience("Still watching task instances", seen=True, quiet=1)
        while self._query is not None:
            trouble: Trouble | None = None
            try:
                self._answer = self._answer or self._open()
                for event in read_events(self._transport, self._answer, patience):
                    self._last_id = event.id or self._last_id
                    if event.kind == "change" and (changed := self._read(event)) is not None:
                        yield changed
            except (TransportError, ServerError, RateLimited) as error:
                trouble = error
            finally:
                self._hang_up()
            pause(self._transport, patience, trouble)

    def _read(self, event: Event) -> I | None:
        """The instance of an event; None if it came before, or is of another class."""
        try:
            data = json.loads(event.data)
            progress = data.get("progress") or {}
            change = (data["uuid"], data["state"], data.get("attempt"), progress.get("datetime"))
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise self._manager._unexpected(f"no change ({error!r})") from error
        if change in self._known or not self._manager._is_mine(data):
            return None
        self._known[change] = None
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return self._manager._told(data)

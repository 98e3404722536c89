"""The stream of state changes: what the hub sends, made bit by bit."""

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.views import APIView

from saltant.server.api import filters
from saltant.server.api.negotiation import JSONNegotiation
from saltant.server.api.pagination import searching
from saltant.server.api.representations import Representation
from saltant.server.api.wait_views import InstanceOfEitherSerializer
from saltant.server.hub.board import WATCH, Watch
from saltant.server.tasks.models import TaskInstance

OVERLAP = timedelta(seconds=10)
"""A change is seen when it is committed, and carries a time from before: late ones are looked for behind others."""
MOST = 500
"""How many changes one look tells."""
LOOKED_AT = 5000
"""How many changes one look looks at. Most of them were told already, while much happens."""
ID = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)

CHANGES = Representation(TaskInstance, InstanceOfEitherSerializer, "pk")

Key = tuple[int, str, int]
"""An instance, its state (or the time of its progress) and its attempt: what is told once."""


@dataclass
class Cursor:
    """Where a stream is.

    Attributes:
        newest: the time of the newest change that was told.
        told: what was told lately, and each change's time.
        after: the change after which a look that found too much goes on.
    """

    newest: datetime
    is_new: bool
    told: dict[Key, datetime] = field(default_factory=dict)
    after: tuple[datetime, int] | None = None

    def find(self, instances: "QuerySet[TaskInstance]") -> list[tuple[int, datetime]]:
        """The changes that were not told yet, the oldest first: ids of instances, and times for their events."""
        rows = instances.filter(datetime_changed__gte=self.newest - OVERLAP)
        if self.after is not None:
            time, pk = self.after
            # The first condition says nothing new, but an index finds it.
            rows = instances.filter(datetime_changed__gte=time)
            rows = rows.filter(Q(datetime_changed__gt=time) | Q(pk__gt=pk))
        columns = rows.order_by("datetime_changed", "pk").values_list("pk", "state", "attempt", "datetime_changed")
        seen = list(columns[:LOOKED_AT])
        found: list[tuple[int, datetime]] = []
        self.after = (seen[-1][3], seen[-1][0]) if len(seen) == LOOKED_AT else None
        for pk, state, attempt, time in seen:
            if (pk, state, attempt) in self.told:
                continue
            self.told[pk, state, attempt] = time
            self.newest = max(self.newest, time)
            found.append((pk, self.newest))
            if len(found) == MOST:
                self.after = (time, pk)
                break
        if self.after is None:
            found += self._find_progress(instances, {pk for pk, _ in found})
            old = self.newest - 2 * OVERLAP
            self.told = {key: time for key, time in self.told.items() if time >= old}
        return found

    def _find_progress(self, instances: "QuerySet[TaskInstance]", others: Set[int]) -> list[tuple[int, datetime]]:
        """What says how far it is, and was not told yet; `others` are told anyhow."""
        rows = instances.filter(attempts__number=F("attempt"), attempts__datetime_progress__gte=self.newest - OVERLAP)
        rows = rows.order_by("attempts__datetime_progress", "pk")
        seen: Any = rows.values_list("pk", "attempt", "attempts__datetime_progress")
        found: list[tuple[int, datetime]] = []
        for pk, attempt, time in seen[:LOOKED_AT]:
            key = (pk, time.isoformat(), attempt)
            if key in self.told or len(found) == MOST:
                continue
            self.told[key] = time
            self.newest = max(self.newest, time)
            if pk not in others:
                found.append((pk, self.newest))
        return found


class StreamNegotiation(JSONNegotiation):
    """A stream has one form, which browsers call by its name."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        if "text/event-stream" in request.META.get("HTTP_ACCEPT", ""):
            return renderers[0], "application/json; version=2"
        return super().select_renderer(request, renderers, format_suffix)


class EventsView(APIView):
    """GET of the changes since the last look: all of them together are the stream."""

    content_negotiation_class = StreamNegotiation

    def get(self, request: Request) -> HttpResponse:
        watch: Watch | None = request.META.get(WATCH)
        if watch is not None:
            watch.on_anything()
        cursor = watch.state if watch is not None and watch.state is not None else _begin(request)
        filtered = filters.EVENTS(request.query_params, TaskInstance.objects.all(), strict=True, also=frozenset())
        instances = filtered.result()
        with searching(filtered, settings.SALTANT.filter_time):
            found = cursor.find(instances)
            while cursor.is_new and cursor.after is not None:
                cursor.find(instances)
        if cursor.is_new:
            # What changed shortly before is not told, unless it changes again.
            found, cursor.is_new = [], False
        if watch is not None:
            watch.state, watch.has_more = cursor, cursor.after is not None
        return HttpResponse(_events(found), content_type="text/event-stream")


def _begin(request: Request) -> Cursor:
    """Where a stream begins: now, or where the client left off."""
    last = request.META.get("HTTP_LAST_EVENT_ID")
    if last is None:
        return Cursor(timezone.now(), is_new=True)
    try:
        if ID.fullmatch(last):
            began = max(datetime.fromisoformat(last), datetime(1, 1, 2, tzinfo=UTC))
            return Cursor(min(began, timezone.now()), is_new=False)
    except ValueError:
        pass
    raise ValidationError({"Last-Event-ID": ["This is no id of an event of this stream."]})


def _events(found: Sequence[tuple[int, datetime]]) -> bytes:
    times = dict(found)
    rows = list(CHANGES.rows(TaskInstance.objects.filter(pk__in=list(times)))) if times else []
    bodies = {row[-1]: body for row, body in zip(rows, CHANGES.encode(rows), strict=True)}
    return "".join(
        f"event: change\nid: {time.isoformat(timespec='microseconds')[:26]}Z\ndata: {bodies[pk]}\n\n"
        for pk, time in found
        if pk in bodies
    ).encode()

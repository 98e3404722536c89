"""Instances of both classes, as pages show them: the API's own rows, with the names of what they refer to."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from django.core.exceptions import ValidationError as Wrong
from django.db.models import F, Q, QuerySet, TextField
from django.db.models.expressions import ExpressionWrapper
from django.http import QueryDict
from rest_framework.exceptions import ValidationError

from saltant.server.api import filters
from saltant.server.api.filter_fields import UUIDBeginningField
from saltant.server.api.resources import INSTANCES, Resource
from saltant.server.api.wait_views import InstanceOfEitherSerializer
from saltant.server.tasks.arguments import text_flaw
from saltant.server.tasks.models import TaskClass, TaskInstance, TaskLabel, TaskQueue, TaskType

EITHER = Resource(
    TaskInstance,
    {"1": InstanceOfEitherSerializer},
    filters.EVENTS,
    lookup="uuid",
    order="-id",
    orders=INSTANCES[TaskClass.EXECUTABLE].orders,
    page_size=50,
)
"""Those of both classes."""
NEWEST = 5_000
"""Among how many, the newest of what the filters let through, a text is looked for in names and labels."""
MOST_FOUND = 1000
"""How many a search finds at most, in each place where it looks."""
LONGEST_SEARCH = 200


def dressed(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with their types and queues: two queries for all of them."""
    types = TaskType.objects.only("name", "task_class").in_bulk({row["task_type"] for row in rows})
    queues = TaskQueue.objects.only("name").in_bulk({row["task_queue"] for row in rows})
    return [row | {"type": types.get(row["task_type"]), "queue": queues.get(row["task_queue"])} for row in rows]


def one(name: str) -> dict[str, Any]:
    """The instance that a path names.

    Raises:
        NotFound: there is none.
    """
    return dressed([json.loads(EITHER.body("2", name))])[0]


def search(rows: "QuerySet[TaskInstance]", query: QueryDict) -> "QuerySet[TaskInstance]":
    """Those of `rows` that the query's text `q` is found in: in a UUID's beginning, a type's name, a label, a name.

    Each place is looked at by an index, or among the newest alone: a text that is nowhere costs no more than others.
    """
    wanted = " ".join(query.get("q", "").split())
    if not wanted:
        return rows
    if len(wanted) > LONGEST_SEARCH or text_flaw(wanted):
        raise ValidationError({"q": [f"Search for a text of {LONGEST_SEARCH} characters at most."]})
    found: set[int] = set()
    for part in _places(rows, wanted):
        found.update(part[:MOST_FOUND])
    return rows.filter(pk__in=sorted(found, reverse=True)[:MOST_FOUND])


def _places(rows: "QuerySet[TaskInstance]", wanted: str) -> "Iterable[QuerySet[Any, int]]":
    newest_first = rows.order_by("-pk").values_list("pk", flat=True)
    try:
        beginning = UUIDBeginningField().clean(wanted)
    except Wrong:  # it is no beginning of one
        beginning = None
    if beginning is not None:
        yield newest_first.filter(pk__in=TaskInstance.objects.filter(uuid__range=beginning).order_by().values("pk"))
    types = list(TaskType.objects.filter(name__icontains=wanted).values_list("pk", flat=True)[:100])
    for pk in types:
        yield newest_first.filter(task_type=pk)
    key, equals, value = wanted.partition("=")
    if equals:
        labelled = TaskLabel.objects.filter(key=key.strip(), value=value.strip()).order_by().values("instance")
        yield newest_first.filter(pk__in=labelled)
    newest = TaskInstance.objects.filter(pk__in=list(newest_first[:NEWEST])) if rows.query.where else None
    among = newest if newest is not None else _newest_of_all()
    said = ExpressionWrapper(F("labels"), output_field=TextField())
    matching = Q(name__icontains=wanted) | Q(said__icontains=json.dumps(wanted)[1:-1])
    yield among.alias(said=said).filter(matching).order_by("-pk").values_list("pk", flat=True)


def _newest_of_all() -> "QuerySet[TaskInstance]":
    last = TaskInstance.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    return TaskInstance.objects.filter(pk__gt=last - NEWEST)

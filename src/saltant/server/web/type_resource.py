"""Types of both classes, as pages list and show them."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.http import QueryDict
from rest_framework.exceptions import ValidationError

from saltant.server.api import filters
from saltant.server.api.resources import TYPES, Resource
from saltant.server.api.serializers_v2 import ContainerTypeSerializerV2
from saltant.server.tasks.arguments import text_flaw
from saltant.server.tasks.models import TaskClass, TaskQueue, TaskType, TaskWhitelist, WhitelistPin

LONGEST_SEARCH = 200


class TypeOfEitherSerializer(ContainerTypeSerializerV2):
    """A type of either class, to be shown: with all that one of them has."""

    class Meta(ContainerTypeSerializerV2.Meta):
        fields = ["task_class", *ContainerTypeSerializerV2.Meta.fields, "json_file_option"]
        extra_kwargs: ClassVar[dict[str, Any]] = {"task_class": {"read_only": True}}


EITHER = Resource(
    TaskType,
    {"1": TypeOfEitherSerializer},
    filters.TYPES_OF_EITHER,
    order="-id",
    orders=("id", "name", "datetime_created"),
    page_size=50,
)
"""Those of both classes."""


def own(task_type: TaskType) -> Resource:
    """The resource of a type's own class."""
    return TYPES[TaskClass(task_type.task_class)]


def one(pk: str) -> dict[str, Any]:
    """The type that a path names.

    Raises:
        NotFound: there is none.
    """
    body: dict[str, Any] = json.loads(EITHER.body("2", pk))
    return body


def kind_of(row: Mapping[str, Any]) -> str:
    """What runs a type: executable, docker or singularity."""
    return str(row["container_type"] or TaskClass.EXECUTABLE.value)


def in_use(rows: "QuerySet[Any]", query: QueryDict) -> "QuerySet[Any]":
    """Those that are not archived, unless the query asks for others; and those in which its text `q` is found."""
    show = query.get("show")
    if show != "all" and "archived" not in query:
        rows = rows.filter(datetime_archived__isnull=show != "archived")
    return search(rows, query.get("q", ""))


def search(rows: "QuerySet[Any]", text: str) -> "QuerySet[Any]":
    """Those whose name or description holds a text.

    Raises:
        ValidationError: nothing holds such a text.
    """
    wanted = " ".join(text.split())
    if len(wanted) > LONGEST_SEARCH or text_flaw(wanted):
        raise ValidationError({"q": [f"Search for a text of {LONGEST_SEARCH} characters at most."]})
    return rows.filter(Q(name__icontains=wanted) | Q(description__icontains=wanted)) if wanted else rows


def runners(rows: Iterable[Mapping[str, Any]]) -> dict[int, list[str]]:
    """By the ids of types, the names of queues whose whitelists hold them: one query for all of them."""
    pairs = (
        TaskQueue.objects.filter(
            whitelists__task_types__in=[row["id"] for row in rows],
            datetime_archived__isnull=True,
            whitelists__datetime_archived__isnull=True,
        )
        .order_by("name")
        .values_list("whitelists__task_types", "name")
        .distinct()
    )
    found: dict[int, list[str]] = {}
    for pk, name in pairs:
        found.setdefault(pk, []).append(name)
    return found


def pinned_on(task_type: TaskType) -> dict[int, list[int]]:
    """By the ids of queues whose whitelists all pin a type: the revisions that they run, which are no others."""
    pins = dict(WhitelistPin.objects.filter(task_type=task_type.pk).values_list("whitelist", "to_revision"))
    held = TaskQueue.objects.filter(
        whitelists__task_types=task_type.pk, whitelists__datetime_archived__isnull=True
    ).values_list("pk", "whitelists")
    found: dict[int, list[int | None]] = {}
    for queue, whitelist in held:
        found.setdefault(queue, []).append(pins.get(whitelist))
    pinned = {pk: [each for each in numbers if each is not None] for pk, numbers in found.items()}
    return {pk: sorted(set(numbers)) for pk, numbers in pinned.items() if len(numbers) == len(found[pk])}


def whitelists_of(task_type: TaskType) -> "QuerySet[TaskWhitelist]":
    """The whitelists that hold a type."""
    return task_type.taskwhitelist_set.select_related("user").order_by("name")

"""The query parameters of lists, as the OpenAPI document describes them."""

from typing import Any

import django_filters  # type: ignore[import-untyped]

from saltant.server.api import filter_fields
from saltant.server.api.cursors import LONGEST as LONGEST_CURSOR
from saltant.server.api.cursors import MOST
from saltant.server.api.filter_kinds import LabelFilter
from saltant.server.api.filters import EVENTS
from saltant.server.api.matching_views import BY, LABEL, MOST_BY
from saltant.server.api.openapi.words import LOOKUPS
from saltant.server.api.regexes import MAX_LENGTH
from saltant.server.api.resources import Resource
from saltant.server.api.revision_fields import LARGEST
from saltant.server.api.revision_views import revisions_of
from saltant.server.api.schedule_views import MOST_TIMES
from saltant.server.api.wait_views import LONGEST
from saltant.server.tasks import labels
from saltant.states import State

MOMENT = {"type": "string", "format": "date-time"}
ID = {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}
EVENT_ID = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$"
SCHEMAS: dict[type[Any], dict[str, Any]] = {
    filter_fields.TextField: {"type": "string", "maxLength": filter_fields.MAX_TEXT},
    filter_fields.UUIDBeginningField: {"type": "string", "pattern": "^[0-9A-Fa-f]{1,8}(-[0-9A-Fa-f]{1,4})?$"},
    filter_fields.RegexField: {"type": "string", "format": "regex", "maxLength": MAX_LENGTH},
    filter_fields.YearField: {"type": "integer", "minimum": 1, "maximum": 9999},
    filter_fields.MomentField: MOMENT,
    filter_fields.TextListField: {"type": "array", "items": {"type": "string"}, "maxItems": filter_fields.MAX_VALUES},
    filter_fields.StateListField: {
        "type": "array",
        "items": {"type": "string", "enum": [each.value for each in State]},
        "maxItems": filter_fields.MAX_VALUES,
    },
    filter_fields.IdListField: {"type": "array", "items": ID, "maxItems": filter_fields.MAX_VALUES},
    filter_fields.MomentRangeField: {"type": "array", "items": MOMENT, "minItems": 2, "maxItems": 2},
}


def for_list(resource: Resource, version: str) -> list[dict[str, Any]]:
    """The parameters of a list of `resource`."""
    columns = [f"{sign}{column}" for column in resource.orders for sign in ("", "-")]
    only_in_2 = [
        _parameter("ordering", {"type": "string", "enum": columns}, "By what it is ordered; with `-`, downwards."),
        _parameter(
            "cursor",
            {"type": "string", "maxLength": LONGEST_CURSOR},
            f"Instead of `page`: where the page begins, as a link of another page says it; empty: the first page. It "
            f"has {MOST} things at most, and is not counted.",
        ),
        _parameter("count", {"type": "boolean"}, "With `cursor`: count what is on all pages together."),
    ]
    return [
        _parameter(
            "page",
            {"anyOf": [{"type": "integer", "minimum": 1}, {"const": "last"}], "default": 1},
            "The number of the page, from 1, or `last`.",
        ),
        _parameter(
            "page_size",
            {"type": "integer", "default": resource.page_size} | ({"minimum": 1} if version == "2" else {}),
            "How many there are on a page. Any number will do: a very long page is sent bit by bit.",
        ),
        *(only_in_2 if version == "2" else ()),
        *for_filters(resource),
    ]


def for_filters(resource: Resource) -> list[dict[str, Any]]:
    """The filters of lists of `resource`."""
    return [_filter(name, each) for name, each in resource.filters.base_filters.items()]


def for_counts(resource: Resource) -> list[dict[str, Any]]:
    """The parameters of counts."""
    names = {"type": "string", "pattern": f"^({'|'.join(BY)}|{LABEL}.+)$"}
    by = {
        "name": "by",
        "in": "query",
        "description": f"What they are counted by: {', '.join(BY)}, or {LABEL}KEY. It may come several times.",
        "schema": {"type": "array", "items": names, "maxItems": MOST_BY},
        "style": "form",
        "explode": True,
    }
    return [by, *for_filters(resource)]


def for_events() -> list[dict[str, Any]]:
    """The parameters of the stream of changes."""
    last = "The id of the last event that was seen: those after it, and some from just before, come first."
    schema = {"type": "string", "format": "date-time", "pattern": EVENT_ID}
    return [
        *(_filter(name, each) for name, each in EVENTS.base_filters.items()),
        {"name": "Last-Event-ID", "in": "header", "description": last, "schema": schema},
    ]


def idempotency_key() -> dict[str, Any]:
    """The header that makes a request one that may come again."""
    said = (
        "Chosen by the client. For 24 hours the same request with the same key makes nothing, and has the same answer."
    )
    schema = {"type": "string", "pattern": "^[!-~]{1,200}$"}
    return {"name": "Idempotency-Key", "in": "header", "description": said, "schema": schema}


def wait() -> dict[str, Any]:
    """The parameter of an instance that is waited for."""
    return _parameter(
        "wait",
        {"type": "number", "minimum": 0, "maximum": LONGEST},
        "Seconds: answer when the instance has ended, or when they are over, whichever comes first.",
    )


def times() -> dict[str, Any]:
    """The parameter of the next times of a schedule."""
    schema = {"type": "integer", "minimum": 1, "maximum": MOST_TIMES, "default": 5}
    return _parameter("count", schema, "How many times.")


def for_revisions(version: str) -> list[dict[str, Any]]:
    """The parameters of the list of a type's revisions."""
    return [in_path("id"), *for_list(revisions_of(0), version)]


def against() -> dict[str, Any]:
    """The parameter of what makes two revisions differ."""
    return _parameter("against", {"type": "integer", "minimum": 1, "maximum": LARGEST}, "Not the one before, but this.")


def in_path(lookup: str) -> dict[str, Any]:
    """The parameter that names one thing."""
    schemas: dict[str, dict[str, Any]] = {
        "id": {"type": "integer", "minimum": 1, "maximum": 2**63 - 1},
        "uuid": {"type": "string", "format": "uuid"},
        "username": {"type": "string", "pattern": "^[^/]+$"},
        "name": {"type": "string", "pattern": "^[^/]+$"},
        "number": {"type": "integer", "minimum": 1, "maximum": LARGEST},
    }
    return {"name": lookup, "in": "path", "required": True, "schema": schemas[lookup]}


def _filter(name: str, given: django_filters.Filter) -> dict[str, Any]:
    if isinstance(given, LabelFilter):
        return {
            "name": name,
            "in": "query",
            "description": "Only those that have this label: `key=value`, or `key` with any value. Repeated: all hold.",
            "schema": {"type": "array", "items": {"type": "string"}, "maxItems": labels.MOST},
            "style": "form",
            "explode": True,
        }
    if given.lookup_expr == "isnull":
        return _parameter(name, _schema(given), f"Only those that are {name}; `false`: only the others.")
    column = name.removesuffix(f"__{given.lookup_expr}").replace("user__username", "the owner's username")
    return _parameter(name, _schema(given), f"Only those with {column} {LOOKUPS[given.lookup_expr]}.")


def _schema(given: django_filters.Filter) -> dict[str, Any]:
    if isinstance(given, django_filters.BooleanFilter):
        return {"type": "boolean"}
    if isinstance(given, django_filters.ModelChoiceFilter):
        return ID
    if isinstance(given, django_filters.ChoiceFilter):
        return {"type": "string", "enum": [value for value, _ in given.extra["choices"]]}
    return dict(SCHEMAS[given.field_class])


def _parameter(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    made: dict[str, Any] = {"name": name, "in": "query", "description": description, "schema": schema}
    # One parameter with commas, not one for each value.
    return made | {"style": "form", "explode": False} if schema.get("type") == "array" else made

"""Pages of lists: the API's own filters, order and cursors, over its own rows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict
from rest_framework.exceptions import ValidationError

from saltant.server.api.cursors import Cursor
from saltant.server.api.pagination import searching
from saltant.server.api.resources import Resource
from saltant.server.web import zones
from saltant.server.web.views.base import messages_of

OURS = frozenset({"cursor", "ordering"})
"""Parameters of every list, beside filters."""


@dataclass(frozen=True)
class Listing:
    """One page of a list.

    Attributes:
        rows: as version 2 of the API shows them.
        next, previous: the queries of the pages beside it; empty: there is none.
        ordering: how it is ordered; empty: as it is if nobody says.
        filters: what was filtered by: a parameter, and each of its values.
        errors: what is wrong with the query, as sentences. There are no rows then.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    next: str = ""
    previous: str = ""
    ordering: str = ""
    filters: list[tuple[str, str]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def said(request: HttpRequest) -> QueryDict:
    """The query without what is empty: a form sends all of its fields."""
    query = QueryDict(mutable=True)
    for name, values in request.GET.lists():
        if kept := [each for each in values if each.strip()]:
            query.setlist(name, kept)
    return query


def listing(
    request: HttpRequest,
    resource: Resource,
    *,
    size: int = 50,
    narrow: Any = None,
    also: frozenset[str] = frozenset(),
    order: str = "",
) -> Listing:
    """The page of a list that a request asks for.

    Args:
        narrow: changes the rows that the filters let through: it is given them and the query.
        also: parameters that are the page's own.
        order: how it is ordered if nobody says; empty: as the API does it.
    """
    query = said(request)
    filtered_by = [(name, each) for name, values in query.lists() if name not in OURS | also for each in values]
    try:
        return _listing(request, resource, query, size, narrow, OURS | also, filtered_by, order)
    except ValidationError as error:
        return Listing(filters=filtered_by, errors=messages_of(error.detail))


def _listing(
    request: HttpRequest,
    resource: Resource,
    query: QueryDict,
    size: int,
    narrow: Any,
    also: frozenset[str],
    filtered_by: list[tuple[str, str]],
    usual: str,
) -> Listing:
    # What the page itself understands is not for the filters.
    asked = query.copy()
    for name in also:
        asked.pop(name, None)
    for name, values in list(asked.lists()):
        if name.startswith("datetime_"):
            asked.setlist(name, [zones.in_zone(each) for each in values])
    filters = resource.filters(asked, resource.all(), strict=True, also=frozenset())
    order = resource.ordered(query.get("ordering", "") or usual)
    cursor = Cursor.read(query.get("cursor", ""), order)
    representation = resource.representation("2")
    with searching(filters, settings.SALTANT.filter_time):
        rows: QuerySet[Any] = filters.result()
        if narrow is not None:
            rows = narrow(rows, query)
        if cursor.key is not None:
            rows = rows.filter(order.beyond(cursor.key, backwards=cursor.backwards))
        found = list(representation.rows(rows, order, backwards=cursor.backwards)[: size + 1])
    more, found = len(found) > size, found[:size]
    if cursor.backwards:
        found.reverse()
    keys = [row[-len(order.columns) :] for row in found]
    here: Any = request
    after, before = cursor.links(here, order, keys, more=more)
    return Listing(
        rows=[json.loads(each) for each in representation.encode(found)],
        next=query_of(after),
        previous=query_of(before),
        ordering=query.get("ordering", ""),
        filters=filtered_by,
    )


def fields(known: Mapping[str, tuple[str, str]], chosen: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """The fields of filters: name, label, kind and value. Labels of times say in which zone these are."""
    return [
        (name, f"{label} ({zones.name()})" if kind == "datetime-local" else label, kind, chosen.get(name, ""))
        for name, (label, kind) in known.items()
    ]


def query_of(link: str | None) -> str:
    """The query of a link; empty: there is none."""
    return f"?{urlsplit(link).query}" if link else ""

"""The views about all instances that filters let through: how many there are, and ending them."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from django.conf import settings
from django.db.models import Count, F, FilteredRelation, Q, QuerySet
from django.http import HttpResponse, QueryDict
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from saltant.server.api.filters import LeanFilterSet
from saltant.server.api.pagination import searching
from saltant.server.api.permissions import check_may_end
from saltant.server.api.resources import Resource
from saltant.server.api.views import ResourceView, json_response
from saltant.server.tasks import labels, services
from saltant.server.tasks.models import TaskInstance

BY: Mapping[str, str] = {
    "state": "state",
    "task_type": "task_type_id",
    "task_queue": "task_queue_id",
    "user": "user__username",
}
"""What instances are counted by, beside labels, and where it stands."""
LABEL = "label:"
MOST_BY = 5
MOST_GROUPS = 10_000


class CountsView(ResourceView):
    """GET of how many instances there are, in groups."""

    def get(self, request: Request) -> HttpResponse:
        said = request.query_params
        filters = self.resource.filters(said, self.resource.all(), strict=True, also=frozenset({"by"}))
        by = list(dict.fromkeys(said.getlist("by")))
        columns, rows = columns_of(filters.result(), by)
        with searching(filters, settings.SALTANT.filter_time):
            found = grouped(rows, columns) if by else [(rows.count(),)]
        if len(found) > MOST_GROUPS:
            message = f"There are more than {MOST_GROUPS} groups: filter, or count by less."
            raise ValidationError({"by": [message]})
        counts = [dict(zip([*by, "count"], row, strict=True)) for row in found]
        return json_response(json.dumps({"counts": counts}, ensure_ascii=False, separators=(",", ":")))


def columns_of(instances: "QuerySet[TaskInstance]", by: Sequence[str]) -> "tuple[list[str], QuerySet[TaskInstance]]":
    """The columns that instances are counted by, and the instances with these columns.

    Raises:
        ValidationError: they are not counted by that.
    """
    if len(by) > MOST_BY:
        raise ValidationError({"by": [f"Count by {MOST_BY} at most."]})
    columns = []
    for number, name in enumerate(by):
        key = name.removeprefix(LABEL)
        if key != name and labels.KEY.match(key):
            # Those that lack the label are a group too.
            joined = f"label_{number}"
            instances = instances.alias(**{joined: FilteredRelation("label_rows", condition=Q(label_rows__key=key))})
            columns.append(f"{joined}__value")
        elif name in BY:
            columns.append(BY[name])
        else:
            raise ValidationError({"by": [f"Count by {', '.join(BY)} or {LABEL}KEY, not by {name!a:.80}."]})
    return columns, instances


def grouped(instances: "QuerySet[TaskInstance]", columns: Sequence[str]) -> list[Any]:
    """How many instances there are in each group, the groups in order; one group too many is enough."""
    counted = instances.order_by().values(*columns).annotate(how_many=Count("pk"))
    in_order = counted.order_by(*(F(each).asc(nulls_last=True) for each in columns))
    return list(in_order.values_list(*columns, "how_many")[: MOST_GROUPS + 1])


def matching(request: Request, resource: Resource, filters: Mapping[str, Any]) -> "QuerySet[TaskInstance]":
    """The instances that filters of a body let through.

    Raises:
        ValidationError: one is no filter, says nothing, or cannot be used to end instances.
    """
    query = QueryDict(mutable=True)
    for name, value in filters.items():
        texts = [text_of(each) for each in (value if isinstance(value, list) else [value])]
        if not texts or not all(texts) or (len(texts) > 1 and name != "label"):
            raise ValidationError({name: ["Say the filter's value, as text; several are for labels alone."]})
        query.setlist(name, texts)
    filtered: LeanFilterSet = resource.filters(query, resource.all(), strict=True, also=frozenset())
    if filtered.searches:
        # They may take their time, while what they look at is locked.
        raise ValidationError(
            {name: ["Regular expressions end nothing: use another filter."] for name in filtered.searches}
        )
    return filtered.result()


def text_of(value: Any) -> str:
    """A filter's value as a query says it; empty if it is none."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else ""


def end_matching(request: Request, resource: Resource, filters: Mapping[str, Any], expected: int) -> list[TaskInstance]:
    """Have all instances ended that filters let through and that have not ended.

    Raises:
        ValidationError: a filter is none.
        PermissionDenied: whoever asks may not end one of them.
        services.Miscounted: they are not as many as expected.
    """
    user: Any = request.user
    return services.terminate_matching(
        instances=matching(request, resource, filters),
        expected=expected,
        user=user,
        check=partial(check_may_end, request),
    )

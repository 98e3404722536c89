"""The list of instances, of both classes."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse

from saltant.server.tasks.models import TaskClass, TaskQueue, TaskType
from saltant.server.web.copies import TEACH
from saltant.server.web.instances import EITHER, dressed, search
from saltant.server.web.listing import fields, listing
from saltant.server.web.views.base import Page
from saltant.states import State

ALSO = frozenset({"q"})
SHOWN = ("q", "state", "task_type", "task_queue")
"""Filters that have fields of their own, always."""
MORE = {
    "user__username": ("User", "text"),
    "label": ("Label", "text"),
    "name__contains": ("Name contains", "text"),
    "name__regex": ("Name matches", "text"),
    "task_class": ("Class", "class"),
    "uuid__startswith": ("UUID begins with", "text"),
    "schedule": ("Number of its schedule", "number"),
    "datetime_created__gte": ("Created from", "datetime-local"),
    "datetime_created__lt": ("Created before", "datetime-local"),
    "datetime_finished__gte": ("Ended from", "datetime-local"),
    "datetime_finished__lt": ("Ended before", "datetime-local"),
}
"""Filters whose fields are folded away."""
ORDERS = (("", "newest first"), ("-datetime_changed", "changed last first"))
"""Orders that an index is in. The address takes the others, too."""
MOST_CHOICES = 500
NOT_LIVE = ("state", "datetime_", "name__regex")
"""Beginnings of filters that are not the stream's: an instance that leaves the list has to be told of, too."""


class InstancesView(Page):
    """All instances, the newest first; what the address says narrows them."""

    template_name = "web/instances/list.html"
    part_name = "web/instances/list_part.html"
    place = "instances"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        page = listing(self.request, EITHER, narrow=search, also=ALSO)
        given = dict(page.filters)
        chosen = dict(self.request.GET.items())
        others = [(name, value) for name, value in page.filters if name not in SHOWN]
        return super().get_context_data(
            page=page,
            rows=dressed(page.rows),
            errors=page.errors,
            states=list(State),
            orders=ORDERS,
            classes=TaskClass.values,
            teach=TEACH,
            chosen=chosen,
            # A parameter with no field of its own stays in the address while others change.
            kept=[pair for pair in others if pair[0] not in MORE or (pair[0] == "label" and pair[1] != given["label"])],
            chips=[(name, value, without(self.request, name, value)) for name, value in others],
            more=fields(MORE, chosen),
            more_open=any(name in MORE for name, _ in others),
            types=TaskType.objects.filter(datetime_archived=None)
            .order_by("name", "task_class")
            .only("name", "task_class")[:MOST_CHOICES],
            queues=TaskQueue.objects.filter(datetime_archived=None).order_by("name").only("name")[:MOST_CHOICES],
            live=urlencode([pair for pair in page.filters if not pair[0].startswith(NOT_LIVE)]),
            is_filtered=bool(page.filters or chosen.get("q")),
            **kwargs,
        )

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        status = 400 if context["errors"] and not self.request.headers.get("HX-Request") else 200
        return super().render_to_response(context, status=status, **kwargs)


def without(request: HttpRequest, name: str, value: str) -> str:
    """The query of this page without one filter."""
    query = request.GET.copy()
    query.pop("cursor", None)
    query.setlist(name, [each for each in query.getlist(name) if each != value])
    return f"?{query.urlencode()}"

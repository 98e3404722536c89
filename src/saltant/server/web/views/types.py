"""The list of task types, of both classes."""

from typing import Any

from django.http import HttpResponse

from saltant.server.tasks.models import TaskClass
from saltant.server.web.copies import TEACH_TYPE
from saltant.server.web.listing import fields, listing
from saltant.server.web.type_resource import EITHER, in_use, kind_of, runners
from saltant.server.web.views.base import Page

ALSO = frozenset({"q", "show"})
OWN = ("task_class", "user__username")
"""Filters that have fields of their own, always."""
MORE = {
    "command_to_run__contains": ("Command contains", "text"),
    "container_image__contains": ("Image contains", "text"),
    "name__regex": ("Name matches", "text"),
    "description__contains": ("Description contains", "text"),
    "datetime_created__gte": ("Created from", "datetime-local"),
    "datetime_created__lt": ("Created before", "datetime-local"),
}
"""Filters whose fields are folded away."""
ORDERS = (("", "newest first"), ("name", "by name"))


class TypesView(Page):
    """All task types that are in use, or those that the address asks for."""

    template_name = "web/types/list.html"
    place = "types"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        page = listing(self.request, EITHER, narrow=in_use, also=ALSO)
        chosen = dict(self.request.GET.items())
        run_by = runners(page.rows)
        others = [(name, value) for name, value in page.filters if name not in OWN]
        return super().get_context_data(
            page=page,
            rows=[row | {"kind": kind_of(row), "queues": run_by.get(row["id"], [])} for row in page.rows],
            errors=page.errors,
            chosen=chosen,
            kept=[pair for pair in others if pair[0] not in MORE],
            more=fields(MORE, chosen),
            more_open=any(name in MORE for name, _ in others),
            classes=TaskClass.values,
            orders=ORDERS,
            teach=TEACH_TYPE,
            is_filtered=bool(page.filters or chosen.get("q") or chosen.get("show")),
            **kwargs,
        )

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        return super().render_to_response(context, status=400 if context["errors"] else 200, **kwargs)

"""Whitelists: the list, and making and changing one."""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from rest_framework.exceptions import ValidationError

from saltant.server.api import views as api
from saltant.server.api.permissions import check_owner
from saltant.server.api.resources import WHITELISTS
from saltant.server.tasks.models import TaskQueue, TaskWhitelist
from saltant.server.web import forms
from saltant.server.web.copies import TEACH_WHITELIST
from saltant.server.web.listing import listing
from saltant.server.web.type_resource import in_use
from saltant.server.web.views.base import Page

ALSO = frozenset({"q", "show"})
OWN = ("user__username",)
ORDERS = (("", "by name"), ("-id", "newest first"))
ENTRIES = (
    forms.Entry("name", "Name", required=True, example="genetics", help="Unique; at most 50 characters."),
    forms.Entry("description", "Description", "area", "What its types have in common, and who looked at them."),
)


class WhitelistsView(Page):
    """All whitelists that are in use, or those that the address asks for."""

    template_name = "web/whitelists/list.html"
    place = "whitelists"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        page = listing(self.request, WHITELISTS, narrow=in_use, also=ALSO, order="name")
        chosen = dict(self.request.GET.items())
        return super().get_context_data(
            page=page,
            rows=dressed(page.rows),
            errors=page.errors,
            chosen=chosen,
            kept=[pair for pair in page.filters if pair[0] not in OWN],
            orders=ORDERS,
            teach=TEACH_WHITELIST,
            is_filtered=bool(page.filters or chosen.get("q") or chosen.get("show")),
            **kwargs,
        )

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        return super().render_to_response(context, status=400 if context["errors"] else 200, **kwargs)


def dressed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with how many types they hold, and the queues that hold them."""
    ids = [row["id"] for row in rows]
    counted = TaskWhitelist.objects.filter(pk__in=ids).order_by().annotate(count=Count("task_types"))
    counts = dict(counted.values_list("pk", "count"))
    held: dict[int, list[str]] = {}
    pairs = TaskQueue.objects.filter(whitelists__in=ids).order_by("name").values_list("whitelists", "name")
    for pk, name in pairs:
        held.setdefault(pk, []).append(name)
    return [row | {"count": counts.get(row["id"], 0), "queues": held.get(row["id"], [])} for row in rows]


class NewWhitelistView(Page):
    """GET of an empty form; POST makes a whitelist."""

    template_name = "web/whitelists/form.html"
    place = "whitelists"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The form."""
        return self.form(None, dict.fromkeys(("name", "description"), ""))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Make it, or say what is wrong."""
        return self.saved(None)

    def saved(self, name: str | None) -> HttpResponseBase:
        """Save what was sent."""
        call: Any = self.request
        values = forms.sent(ENTRIES, self.request.POST)
        thing: TaskWhitelist | None = None
        try:
            with transaction.atomic():
                if name is not None:
                    thing = WHITELISTS.get(name, lock=True)
                    check_owner(call, thing)
                serializer = WHITELISTS.serializer("2")(
                    thing, data={}, context={"user": self.user}, partial=thing is not None
                )
                serializer.initial_data = forms.read(ENTRIES, values, serializer)
                saved: TaskWhitelist = (api.ListCreateView() if thing is None else api.ChangeView()).save(
                    call, serializer
                )
        except ValidationError as error:
            return self.form(None if name is None else WHITELISTS.get(name), values, error.detail)
        said = f"The whitelist {saved.name} is there. Add types to it." if thing is None else "Saved."
        messages.success(self.request, said)
        return HttpResponseRedirect(reverse("whitelist", args=[saved.pk]))

    def form(self, thing: TaskWhitelist | None, values: dict[str, str], detail: Any = None) -> HttpResponse:
        """The form, with what is wrong."""
        of_fields, errors = forms.sorted_out(detail or {}, values)
        fields = forms.filled(ENTRIES, values, of_fields)
        context = self.get_context_data(thing=thing, fields=fields, errors=errors)
        return self.render_to_response(context, status=400 if detail else 200)


class EditWhitelistView(NewWhitelistView):
    """GET of the form of a whitelist; POST changes it."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        thing: TaskWhitelist = WHITELISTS.get(kwargs["name"])
        call: Any = request
        check_owner(call, thing)
        return self.form(thing, {"name": thing.name, "description": thing.description})

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Change it, or say what is wrong."""
        return self.saved(kwargs["name"])

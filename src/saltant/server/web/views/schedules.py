"""Schedules: the list, making and changing one, and when it would run."""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, QueryDict
from django.urls import reverse
from rest_framework.exceptions import ValidationError

from saltant.server.api.permissions import check_owner
from saltant.server.api.resources import SCHEDULES
from saltant.server.tasks.schedule_models import Schedule
from saltant.server.web import forms
from saltant.server.web.copies import TEACH_SCHEDULE
from saltant.server.web.listing import listing
from saltant.server.web.schedules import (
    ABOUT,
    ARGUMENTS,
    EMPTY,
    EVERY,
    MORE,
    OVERLAP,
    QUEUE,
    TIMES,
    TYPE,
    dressed,
    save_schedule,
    upcoming,
    values_of,
    with_choices,
)
from saltant.server.web.type_resource import search
from saltant.server.web.views.base import Page

ALSO = frozenset({"q"})
OWN = ("user__username", "active")
ORDERS = (("", "by name"), ("next_time", "next first"), ("-id", "newest first"))
SECTIONS = {"about": ABOUT, "what": (TYPE, QUEUE, ARGUMENTS), "times": TIMES, "overlap": (OVERLAP,), "more": MORE}


class SchedulesView(Page):
    """All schedules, or those that the address asks for."""

    template_name = "web/schedules/list.html"
    part_name = "web/schedules/list_part.html"
    place = "schedules"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        page = listing(self.request, SCHEDULES, narrow=found_in, also=ALSO, order="name")
        chosen = dict(self.request.GET.items())
        return super().get_context_data(
            page=page,
            rows=dressed(page.rows),
            errors=page.errors,
            chosen=chosen,
            kept=[pair for pair in page.filters if pair[0] not in OWN],
            orders=ORDERS,
            teach=TEACH_SCHEDULE,
            is_filtered=bool(page.filters or chosen.get("q")),
            **kwargs,
        )

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        status = 400 if context["errors"] and not self.request.headers.get("HX-Request") else 200
        return super().render_to_response(context, status=status, **kwargs)


def found_in(rows: "QuerySet[Any]", query: QueryDict) -> "QuerySet[Any]":
    """Those in which the text of a query is found."""
    return search(rows, query.get("q", ""))


class TimesView(Page):
    """GET of the next times that an expression has in a time zone: a part of the form."""

    template_name = "web/schedules/times.html"
    place = "schedules"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        query = self.request.GET
        return super().get_context_data(upcoming=upcoming(query.get("cron", ""), query.get("timezone", "")), **kwargs)


class NewScheduleView(Page):
    """GET of an empty form, with `?type=ID` for that type; POST makes a schedule, or shows when it would run."""

    template_name = "web/schedules/form.html"
    place = "schedules"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The form."""
        return self.form(None, EMPTY | {"task_type": request.GET.get("type", "")})

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Make it, or say what is wrong."""
        return self.saved(None)

    def saved(self, name: str | None) -> HttpResponseBase:
        """Save what was sent."""
        call: Any = self.request
        values = forms.sent(EVERY, self.request.POST)
        schedule: Schedule | None = None
        if "look" in self.request.POST:
            found = SCHEDULES.get(name) if name is not None else None
            if found is not None:
                check_owner(call, found)
            return self.form(found, values)
        try:
            with transaction.atomic():
                if name is not None:
                    schedule = SCHEDULES.get(name, lock=True)
                    check_owner(call, schedule)  # type: ignore[arg-type]
                said = save_schedule(call, schedule, values)
        except ValidationError as error:
            return self.form(None if name is None else SCHEDULES.get(name), values, error.detail)
        messages.success(self.request, f"The schedule {said.name} is there." if schedule is None else "Saved.")
        return HttpResponseRedirect(reverse("schedule", args=[said.pk]))

    def form(self, schedule: Schedule | None, values: dict[str, str], detail: Any = None) -> HttpResponse:
        """The form, with what is wrong."""
        of_fields, errors = forms.sorted_out(detail or {}, values)
        of_fields |= {name: ["Choose one."] for name in ("task_type", "task_queue") if detail and not values[name]}
        sections = {
            name: forms.filled(
                with_choices(entries, self.user, values) if name == "what" else entries, values, of_fields
            )
            for name, entries in SECTIONS.items()
        }
        context = self.get_context_data(
            schedule=schedule,
            sections=sections,
            upcoming=upcoming(values["cron"], values["timezone"]),
            more_open=any(values[each.name] for each in MORE),
            errors=errors,
        )
        return self.render_to_response(context, status=400 if detail else 200)


class EditScheduleView(NewScheduleView):
    """GET of the form of a schedule; POST changes it."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        schedule: Any = SCHEDULES.get(kwargs["name"])
        check_owner(request, schedule)  # type: ignore[arg-type]
        return self.form(schedule, values_of(schedule))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Change it, or say what is wrong."""
        return self.saved(kwargs["name"])

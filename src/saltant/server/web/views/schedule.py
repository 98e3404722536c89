"""One schedule: its times, its instances, and what is done with it."""

import json
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from rest_framework.exceptions import NotFound, ValidationError

from saltant.schedules import Overlap
from saltant.server.api import views as api
from saltant.server.api.permissions import check_owner
from saltant.server.api.resources import SCHEDULES
from saltant.server.api.schedule_views import ScheduleView as ScheduleOfTheAPI
from saltant.server.tasks import services
from saltant.server.tasks.schedule_models import Schedule
from saltant.server.web.copies import use_schedule
from saltant.server.web.instances import EITHER
from saltant.server.web.instances import dressed as dressed_instances
from saltant.server.web.schedules import OVERLAPS, dressed, upcoming
from saltant.server.web.views.base import Page, messages_of
from saltant.server.web.views.instance import allowed

FEW = 10
"""Instances that are shown."""


class ScheduleView(Page):
    """All about one schedule. POST runs, pauses, resumes or deletes it; a delete is asked about first."""

    template_name = "web/schedules/one.html"
    part_name = "web/schedules/one_part.html"
    place = "schedules"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Ask, or do."""
        deed, name, call = request.POST.get("do", ""), kwargs["name"], request
        schedule: Any = SCHEDULES.get(name)
        check_owner(call, schedule)  # type: ignore[arg-type]
        try:
            if deed == "run":
                made = services.run_schedule(schedule=schedule, by=self.user)
                messages.success(request, f"{schedule.name} was handed to the queue {made.task_queue.name}.")
                return HttpResponseRedirect(reverse("instance", args=[made.uuid]))
            if deed in ("pause", "resume"):
                self.set_active(name, deed == "resume")
                messages.success(request, "It runs by the clock again." if deed == "resume" else "It is paused.")
                return HttpResponseRedirect(reverse("schedule", args=[schedule.pk]))
        except services.Refused as refused:
            return self.wrong(name, refused.errors)
        except ValidationError as error:
            return self.wrong(name, error.detail)
        if deed != "delete":
            raise NotFound
        if not request.POST.get("confirmed"):
            self.template_name = "web/schedules/delete.html"
            return self.render_to_response(super().get_context_data(schedule=schedule, **kwargs))
        view: Any = ScheduleOfTheAPI(resource=SCHEDULES)
        view.remove(request, name)
        messages.success(request, f"The schedule {schedule.name} is deleted. The instances that it made stay.")
        return HttpResponseRedirect(reverse("schedules"))

    def set_active(self, name: str, active: bool) -> None:
        """Have it run by the clock, or not."""
        call: Any = self.request
        with transaction.atomic():
            schedule: Schedule = SCHEDULES.get(name, lock=True)
            check_owner(call, schedule)  # type: ignore[arg-type]
            data = {"active": active}
            serializer = SCHEDULES.serializer("2")(schedule, data=data, context={"user": self.user}, partial=True)
            api.ChangeView().save(call, serializer)

    def wrong(self, name: str, detail: Any) -> HttpResponseBase:
        """The page, with what went wrong."""
        said = {"non_field_errors": [each for texts in detail.values() for each in texts]}
        context = self.get_context_data(name=name, errors=messages_of(said))
        return self.render_to_response(context, status=400)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(SCHEDULES.body("2", kwargs["name"]))
        schedule: Any = SCHEDULES.get(kwargs["name"])
        representation = EITHER.representation("2")
        made = EITHER.all().filter(schedule=schedule.pk)
        rows = representation.encode(representation.rows(made, EITHER.ordered(""))[:FEW])
        return super().get_context_data(
            body=dressed([body])[0],
            overlap=OVERLAPS[Overlap(body["overlap"])],
            upcoming=upcoming(body["cron"], body["timezone"], schedule),
            instances=dressed_instances([json.loads(each) for each in rows]),
            may_change=allowed(check_owner, self.request, schedule),
            copies=use_schedule(body["name"]),
            errors=kwargs.pop("errors", ()),
            **kwargs,
        )

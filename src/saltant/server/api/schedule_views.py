"""The views of schedules."""

import json
from typing import Any

from django.db import transaction
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from saltant.server.api import filters
from saltant.server.api.idempotency import answered_once
from saltant.server.api.instance_views import BirthView
from saltant.server.api.permissions import check_owner
from saltant.server.api.resources import SCHEDULES, Resource
from saltant.server.api.views import ChangeView, ResourceView, json_response
from saltant.server.api.wait_views import InstanceOfEitherSerializer
from saltant.server.audit.log import record
from saltant.server.audit.models import Action
from saltant.server.tasks import services
from saltant.server.tasks.models import TaskInstance

INSTANCES = Resource(
    TaskInstance, {"1": InstanceOfEitherSerializer}, filters.EVENTS, lookup="uuid", order="-id", orders=("name",)
)
"""Those of both classes, as version 2 shows them."""
MOST_TIMES = 100


class ScheduleView(ChangeView):
    """One schedule, which its owner changes or deletes."""

    def delete(self, request: Request, name: str) -> HttpResponse:
        self.remove(request, name)
        return HttpResponse(status=204)

    def remove(self, request: Request, name: str) -> None:
        """Delete a schedule. The instances that it made stay."""
        user: Any = request.user
        with transaction.atomic():
            schedule = self.resource.get(name, lock=True)
            check_owner(request, schedule)
            record(user, Action.DELETE, schedule)
            schedule.delete()


class RunView(BirthView):
    """POST makes an instance of a schedule now; the view's resource is what it makes."""

    @answered_once
    def post(self, request: Request, name: str) -> HttpResponse:
        schedule = SCHEDULES.get(name)
        check_owner(request, schedule)
        user: Any = request.user
        return self.born(request, lambda: services.run_schedule(schedule=schedule, by=user))


class CountField(serializers.IntegerField):
    """How many times are asked for."""

    def __init__(self) -> None:
        super().__init__(min_value=1, max_value=MOST_TIMES, default=5)


class TimesView(ResourceView):
    """GET of the next times of a schedule."""

    def get(self, request: Request, name: str) -> HttpResponse:
        schedule = self.resource.get(name)
        try:
            count = CountField().run_validation(request.query_params.get("count", 5))
        except ValidationError as error:
            raise ValidationError({"count": error.detail}) from None
        try:
            moments = services.upcoming_times(schedule, count)
        except ValueError as error:  # the machine's time zones have changed
            raise ValidationError({"timezone": [str(error)]}) from None
        return json_response(json.dumps([f"{each:%Y-%m-%dT%H:%M:%S.%fZ}" for each in moments], separators=(",", ":")))

"""The views of task instances. What changes one is done by `tasks.services`."""

import json
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.http import HttpResponse
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.views import APIView

from saltant.server.api.errors import json_error
from saltant.server.api.forms import plain
from saltant.server.api.idempotency import answered_once
from saltant.server.api.permissions import IsSignedIn, check_may_end, check_may_report
from saltant.server.api.representations import Representation
from saltant.server.api.resources import parse_uuid
from saltant.server.api.revision_serializers import CloneSerializer
from saltant.server.api.serializers import StateSerializer
from saltant.server.api.serializers_v2 import AttemptSerializer
from saltant.server.api.views import ListView, ResourceView, json_response
from saltant.server.tasks import services
from saltant.server.tasks.models import TaskAttempt, TaskInstance
from saltant.states import State

ATTEMPTS = Representation(TaskAttempt, AttemptSerializer, "number")


class BirthView(ResourceView):
    """Answers with an instance that was just made, in the state in which it was born."""

    def born(self, request: Request, make: Callable[[], TaskInstance]) -> HttpResponse:
        """Make an instance, and answer with it as it was saved: by now it may have ended."""
        try:
            with services.claimed_at_once(), transaction.atomic():
                instance = make()
                representation = self.resource.representation(request.version)
                [body] = representation.encode([representation.row_of(instance)])
                self.keep(body, 201)
        except services.Refused as refused:
            raise ValidationError(refused.errors) from None
        return json_response(body, 201)


class InstanceListView(ListView, BirthView):
    """All instances of a class; POST makes one."""

    @answered_once
    def post(self, request: Request) -> HttpResponse:
        values = self.resource.reader(request.version).read(request)
        user: Any = request.user
        return self.born(request, lambda: services.submit(user=user, **values))


class CloneView(BirthView):
    """POST submits an instance once more."""

    @answered_once
    def post(self, request: Request, name: str) -> HttpResponse:
        as_was = request.version == "2" and self.as_was(request)
        instance = self.resource.get(name)
        user: Any = request.user
        return self.born(request, lambda: services.clone(user=user, instance=instance, as_was=as_was))

    def as_was(self, request: Request) -> bool:
        """Whether it runs what it ran, and not its type as it is now."""
        serializer = CloneSerializer(data={})
        serializer.initial_data = plain(request, serializer.fields)
        serializer.is_valid(raise_exception=True)
        return bool(serializer.validated_data["as_was"])


class AttemptsView(ResourceView):
    """GET of how often an instance was started, and how each time ended."""

    def get(self, request: Request, name: str) -> HttpResponse:
        instance = self.resource.get(name)
        rows = ATTEMPTS.rows(TaskAttempt.objects.filter(instance=instance.pk))
        return json_response(f"[{','.join(ATTEMPTS.encode(rows))}]")


class TerminateView(ResourceView):
    """POST has an instance ended."""

    def post(self, request: Request, name: str) -> HttpResponse:
        instance = self.resource.get(name)
        check_may_end(request, instance)
        user: Any = request.user
        services.terminate(instance=instance, user=user)
        return self.answer(request, name, status=202)


class StateView(APIView):
    """PATCH reports the state of an instance of either class."""

    permission_classes = [IsSignedIn]

    def patch(self, request: Request, name: str) -> HttpResponse:
        uuid = parse_uuid(name)
        instance = TaskInstance.objects.select_related("task_queue").filter(uuid=uuid).first()
        if instance is None:
            return json_response(json.dumps(f"There is no task instance with the UUID {uuid}."), 400)
        serializer = StateSerializer(data={})
        serializer.initial_data = plain(request, serializer.fields)
        serializer.is_valid(raise_exception=True)
        state = State(serializer.validated_data["state"])
        check_may_report(request, instance, ends=state is State.TERMINATED)
        user: Any = request.user
        try:
            current = services.report(instance=instance, state=state, user=user)
        except services.Conflict as conflict:
            return json_error(409, conflict.message, state=conflict.current)
        return json_response(json.dumps({"uuid": str(uuid), "state": current}, separators=(",", ":")))

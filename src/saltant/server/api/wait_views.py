"""The views of those who wait for ends. Served through the hub, they keep their client; by themselves they answer."""

import json
from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.views import APIView

from saltant.server.api.fields import JSONValue
from saltant.server.api.forms import plain
from saltant.server.api.limits import Amount
from saltant.server.api.permissions import check_owner
from saltant.server.api.representations import Representation
from saltant.server.api.resources import Resource, parse_uuid
from saltant.server.api.serializers_v2 import ChangeInstanceSerializer, InstanceSerializerV2
from saltant.server.api.views import DetailView, json_response
from saltant.server.hub.board import WATCH, Watch
from saltant.server.prepared import Prepared
from saltant.server.tasks import services
from saltant.server.tasks.models import TaskClass, TaskInstance
from saltant.server.tasks.parts import parts
from saltant.states import FINISHED, State

LONGEST = 300.0
"""Seconds that a request may wait."""
MOST_UUIDS = 10_000
MOST_FINISHED = 1000
"""How many ends one answer tells."""


class WaitField(Amount):
    """How many seconds a request waits."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=0.0, max_value=LONGEST, **kwargs)


class UUIDsField(JSONValue):
    """A list of UUIDs; in a form it is text of JSON."""

    default_error_messages = {
        "not_a_list": f"Give a list of 1 to {MOST_UUIDS} UUIDs.",
        "not_a_uuid": "{value} is no UUID.",
    }

    def to_internal_value(self, data: Any) -> list[UUID]:
        if not isinstance(data, list) or not 0 < len(data) <= MOST_UUIDS:
            self.fail("not_a_list")
        found: dict[UUID, None] = {}
        for each in data:
            try:
                found[UUID(each)] = None
            except (ValueError, AttributeError, TypeError):
                self.fail("not_a_uuid", value=f"{each!r:.50}")
        return list(found)


class WaitSerializer(serializers.Serializer[Any]):
    """The body of a request that waits for many."""

    uuids = UUIDsField(help_text=f"The instances, of either class: {MOST_UUIDS} at most.")
    wait = WaitField(default=0.0, help_text=f"How many seconds to wait at most, up to {LONGEST:g}.")

    def get_fields(self) -> dict[str, Any]:
        words = "Whether to answer when one of them has ended, or when all have."
        # `for` is a word of Python's.
        return {**super().get_fields(), "for": serializers.ChoiceField(["any", "all"], default="any", help_text=words)}


class InstanceOfEitherSerializer(InstanceSerializerV2):
    """An instance among those of both classes."""

    task_class = serializers.ChoiceField(
        TaskClass.values, read_only=True, help_text="Whether it is an executable or a container task instance."
    )

    class Meta(InstanceSerializerV2.Meta):
        fields = ["task_class", *InstanceSerializerV2.Meta.fields]


ENDS = Representation(TaskInstance, InstanceOfEitherSerializer, "pk")


class InstanceView(DetailView):
    """GET of one instance; in version 2 `wait` keeps the client until it has ended, or the time is over.

    PATCH, in version 2, changes its name and its labels.
    """

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Find out the version first: it says which methods there are."""
        super().initial(request, *args, **kwargs)
        if request.version != "2":
            self.http_method_names = [name for name in self.http_method_names if name != "patch"]

    def patch(self, request: Request, name: str) -> HttpResponse:
        request.data  # noqa: B018 - parse the body before the transaction
        user: Any = request.user
        with transaction.atomic():
            instance = self.resource.get(name, lock=True)
            check_owner(request, instance)
            serializer = ChangeInstanceSerializer(data={})
            serializer.initial_data = plain(request, serializer.fields)
            serializer.is_valid(raise_exception=True)
            services.relabel(instance=instance, user=user, changes=serializer.validated_data)
        return self.answer(request, name)

    def get(self, request: Request, name: str) -> HttpResponse:
        if request.version != "2" or "wait" not in request.query_params:
            return super().get(request, name)
        seconds = _seconds(request.query_params["wait"])
        watch: Watch | None = request.META.get(WATCH)
        if watch is not None:
            uuid = parse_uuid(name)
            watch.on_end([uuid.hex])
            if seconds > 0 and not watch.is_last and not _has_ended(_state_of(uuid, self.resource)):
                watch.seconds = seconds
                watch.answer = partial(_ended, self.resource, request.version, name)
                watch.show = self.resource.show(request.version)
                return json_response("{}")  # nobody gets it
        return super().get(request, name)


_states = Prepared(
    lambda uuid, task_class: (
        TaskInstance.objects.filter(uuid=uuid, task_class=task_class).order_by().values_list("state")
    ),
    TaskInstance._meta.get_field("uuid"),
    UUID(int=2**127),
    (TaskInstance._meta.get_field("task_class"), "sample"),
)


def _state_of(uuid: UUID, resource: Resource) -> str:
    """The state of an instance: whoever waits needs no more of it until it has ended.

    Raises:
        NotFound: there is none.
    """
    rows = _states.rows(uuid, resource.scope["task_class"])
    if not rows:
        raise NotFound
    state: str = rows[0][0]
    return state


def _ended(resource: Resource, version: str, name: str) -> str | None:
    """The body of an instance; None if it has not ended."""
    body = resource.body(version, name)
    return body if _has_ended(json.loads(body)["state"]) else None


def _has_ended(state: str) -> bool:
    return State(state).is_finished


class WaitView(APIView):
    """POST waits for many instances of both classes at once."""

    def post(self, request: Request) -> HttpResponse:
        serializer = WaitSerializer(data={})
        serializer.initial_data = plain(request, serializer.fields)
        serializer.is_valid(raise_exception=True)
        said = serializer.validated_data
        uuids, of_all = said["uuids"], said["for"] == "all"
        watch: Watch | None = request.META.get(WATCH)
        if watch is not None:
            watch.on_end([uuid.hex for uuid in uuids], of_all=of_all)
        finished, unfinished = _look(uuids)
        waits = unfinished and (of_all or not finished) and len(finished) < MOST_FINISHED
        if watch is not None and said["wait"] > 0 and not watch.is_last and waits:
            watch.seconds = said["wait"]
            if of_all:
                watch.still_pending(uuid.hex for uuid in unfinished)
                return json_response("{}")
        known = {*finished, *unfinished}
        ended = finished[:MOST_FINISHED]
        rows = ENDS.by_uuid(TaskInstance.objects.all(), ended)
        told = ENDS.encode(rows[uuid] for uuid in ended if uuid in rows)
        rest = {
            "unfinished": len(unfinished),
            "more": max(0, len(finished) - MOST_FINISHED),
            "unknown": [str(uuid) for uuid in uuids if uuid not in known],
        }
        return json_response(f'{{"finished":[{",".join(told)}],{json.dumps(rest, separators=(",", ":"))[1:]}')


def _look(uuids: Sequence[UUID]) -> tuple[list[UUID], list[UUID]]:
    """Those that have ended, the first one first, and those that have not."""
    finished: list[tuple[Any, int, UUID]] = []
    unfinished: list[UUID] = []
    for some in parts(uuids):
        rows = TaskInstance.objects.filter(uuid__in=some).order_by()
        for pk, uuid, state, ended in rows.values_list("pk", "uuid", "state", "datetime_finished"):
            if state in FINISHED:
                finished.append((ended, pk, uuid))
            else:
                unfinished.append(uuid)
    # An instance from before ends had times is first.
    finished.sort(key=lambda end: (end[0] is not None, *end))
    return [uuid for _, _, uuid in finished], unfinished


def _seconds(text: str) -> float:
    try:
        seconds: float = WaitField().run_validation(text)
        return seconds
    except ValidationError:
        raise ValidationError({"wait": [f"Must be a number of seconds from 0 to {LONGEST:g}."]}) from None

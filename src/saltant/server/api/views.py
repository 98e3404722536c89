"""The views that all resources share: lists, single things, making and changing them."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.http import HttpResponse, HttpResponseBase
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.serializers import ModelSerializer
from rest_framework.views import APIView

from saltant.server.api import pagination
from saltant.server.api.fields import IdListField
from saltant.server.api.forms import plain
from saltant.server.api.idempotency import answered_once
from saltant.server.api.permissions import check_owner
from saltant.server.api.resources import USERS, Resource
from saltant.server.api.serializers_v2 import MembersSerializer, PinnedMembersSerializer, pin_types
from saltant.server.audit.log import difference, record
from saltant.server.audit.models import Action
from saltant.server.tasks import services
from saltant.server.tasks.models import TaskType, TaskWhitelist

TOLD_BY_SERVICES = frozenset({"paused", "pinned_revisions"})
"""What services write down themselves when it is changed."""


class ResourceView(APIView):
    """A view of a resource; `as_view(resource=…)` says which."""

    resource: Resource = USERS
    keep: Callable[..., None] = staticmethod(lambda *answer: None)
    """Called with the answer to a POST, within its transaction; see `idempotency`."""

    def serializer_for(self, request: Request, instance: Any = None, **kwargs: Any) -> ModelSerializer[Any]:
        """A serializer that holds the body of `request`, as plain data."""
        context = {"user": request.user}
        serializer = self.resource.serializer(request.version)(instance, data={}, context=context, **kwargs)
        serializer.initial_data = plain(request, serializer.fields)
        return serializer

    def save(self, request: Request, serializer: ModelSerializer[Any]) -> Any:
        """Save what `serializer` holds, if it is right."""
        serializer.is_valid(raise_exception=True)
        try:
            with transaction.atomic():
                return self.write(request, serializer)
        except IntegrityError:
            # Somebody took the name since it was checked, or what was named is gone.
            serializer = type(serializer)(serializer.instance, data=serializer.initial_data, partial=serializer.partial)
            serializer.is_valid(raise_exception=True)
            message = "Somebody else changed this at the same time."
            raise ValidationError({"non_field_errors": [message]}) from None

    def write(self, request: Request, serializer: ModelSerializer[Any]) -> Any:
        """Make or change the thing that `serializer` holds, and write down who did."""
        user: Any = request.user
        if serializer.instance is None:
            thing = serializer.save(user=user)
            record(user, Action.CREATE, thing)
            return thing
        changes = changes_of(serializer)
        thing = serializer.save()
        if changes:
            record(user, Action.UPDATE, thing, changes)
        return thing

    def made_anew(self, version: str | None, name: str, essence: str) -> str:
        """The answer to a POST that came again, where the first one was too long to be kept."""
        return self.resource.body(version, name)

    def answer(self, request: Request, name: str, status: int = 200) -> HttpResponse:
        """The thing that a path names."""
        return json_response(self.resource.body(request.version, name), status)


class ListView(ResourceView):
    """GET of a list."""

    def get(self, request: Request) -> HttpResponseBase:
        filters = self.resource.filters(
            request.query_params, self.resource.all(), strict=request.version == "2", also=pagination.PARAMETERS
        )
        return pagination.respond(request, self.resource, filters)


class ListCreateView(ListView):
    """A list to which things are added."""

    @answered_once
    def post(self, request: Request) -> HttpResponse:
        serializer = self.serializer_for(request)
        with transaction.atomic():
            thing = self.save(request, serializer)
            body = self.resource.body(request.version, str(thing.pk))
            self.keep(body, 201)
        return json_response(body, 201)


class DetailView(ResourceView):
    """GET of one thing."""

    def get(self, request: Request, name: str) -> HttpResponse:
        return self.answer(request, name)


class ReplaceView(DetailView):
    """One thing that its owner replaces."""

    def put(self, request: Request, name: str) -> HttpResponse:
        return self.change(request, name, partial=False)

    def change(self, request: Request, name: str, *, partial: bool) -> HttpResponse:
        """Change the thing as the body says."""
        request.data  # noqa: B018 - parse the body before the transaction: a large one must not hold up others
        with transaction.atomic():
            thing = self.resource.get(name, lock=True)
            check_owner(request, thing)
            self.save(request, self.serializer_for(request, thing, partial=partial))
        return self.answer(request, name)


class TypeListView(ListCreateView):
    """All types of a class; POST makes one, whose history begins with that."""

    def write(self, request: Request, serializer: ModelSerializer[Any]) -> Any:
        task_type = super().write(request, serializer)
        user: Any = request.user
        services.add_revision(task_type, user)
        return task_type


class TypeView(ReplaceView):
    """A task type. Whoever changes what it runs takes it off the whitelists of others: version 2 names them."""

    def write(self, request: Request, serializer: ModelSerializer[Any]) -> Any:
        task_type: Any = serializer.instance
        user: Any = request.user
        self.removed_from = services.update_type(task_type, serializer.validated_data, user)
        return task_type

    def put(self, request: Request, name: str) -> HttpResponse:
        return name_removed(request, super().put(request, name), self.removed_from)


class ChangeView(ReplaceView):
    """One thing that its owner replaces or changes in part."""

    def patch(self, request: Request, name: str) -> HttpResponse:
        return self.change(request, name, partial=True)


class MembersView(ResourceView):
    """POST adds types to a whitelist, or takes them off it, and leaves the others alone.

    So two people who do this at once lose nothing, as they would by writing whole lists.
    """

    adds = True

    def post(self, request: Request, name: str) -> HttpResponse:
        request.data  # noqa: B018 - as in `change`
        with transaction.atomic():
            whitelist = self.resource.get(name, lock=True)
            check_owner(request, whitelist)
            serializer = (PinnedMembersSerializer if self.adds else MembersSerializer)(data={})
            serializer.initial_data = plain(request, serializer.fields)
            serializer.is_valid(raise_exception=True)
            said = dict(serializer.validated_data)
            pins = said.pop("pinned_revisions", {})
            self.change(request, whitelist, {each for types in said.values() for each in types})
            pin_types(whitelist, pins, by=request.user)
        return self.answer(request, name)

    def change(self, request: Request, whitelist: TaskWhitelist, types: set[TaskType]) -> None:
        """Add or remove those of `types` that are not, or are, on it."""
        held = set(whitelist.task_types.filter(pk__in=[each.pk for each in types]))
        changed = types - held if self.adds else held
        if not changed:
            return
        if self.adds:
            try:
                services.check_addable(changed)
            except services.Refused as refused:
                raise ValidationError(refused.errors) from None
        (whitelist.task_types.add if self.adds else whitelist.task_types.remove)(*changed)
        user: Any = request.user
        record(
            user, Action.UPDATE, whitelist, {"added" if self.adds else "removed": sorted(str(each) for each in changed)}
        )


def name_removed(request: Request, response: HttpResponse, removed_from: Sequence[TaskWhitelist]) -> HttpResponse:
    """Add to an answer of version 2 the whitelists that its type was taken off."""
    if request.version == "2":
        removed = [{"id": each.pk, "name": each.name} for each in removed_from]
        added = json.dumps(removed, ensure_ascii=False, separators=(",", ":"))
        response.content = response.content[:-1] + f',"removed_from_whitelists":{added}}}'.encode()
    return response


def changes_of(serializer: ModelSerializer[Any]) -> dict[str, list[Any]]:
    """What saving `serializer` will change, but for what services write down themselves: field to [old, new]."""
    thing: Any = serializer.instance
    said = {name: value for name, value in serializer.validated_data.items() if name not in TOLD_BY_SERVICES}
    lists = {name: field for name, field in serializer.fields.items() if isinstance(field, IdListField)}
    found = difference(thing, {name: value for name, value in said.items() if name not in lists})
    for name, field in lists.items():
        if name in said:
            held = getattr(thing, field.relation).filter(**field.only)
            old, new = sorted(map(str, held)), sorted({str(each) for each in said[name]})
            if old != new:
                found[name] = [old, new]
    return found


def json_response(body: str, status: int = 200) -> HttpResponse:
    """An answer whose body is JSON already."""
    return HttpResponse(body.encode(), content_type="application/json", status=status)

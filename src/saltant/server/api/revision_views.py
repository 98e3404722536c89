"""The views of what types were: their revisions, how these differ, and going back to one."""

import json
from typing import Any

from django.db import transaction
from django.http import HttpResponse, HttpResponseBase
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.serializers import ModelSerializer

from saltant.server.api import filters, pagination
from saltant.server.api.permissions import check_owner
from saltant.server.api.resources import Resource
from saltant.server.api.revision_fields import LARGEST
from saltant.server.api.revision_serializers import RevisionSerializer
from saltant.server.api.views import ResourceView, json_response, name_removed
from saltant.server.tasks import services
from saltant.server.tasks.models import TaskTypeRevision

UNKNOWN = "The type has no such revision."


def revisions_of(task_type: int) -> Resource:
    """The revisions of a type, as a resource."""
    return Resource(
        TaskTypeRevision,
        {"1": RevisionSerializer},
        filters.REVISIONS,
        lookup="number",
        scope={"task_type": task_type},
        order="-number",
        orders=("number",),
    )


class RevisionView(ResourceView):
    """What the views of a type's revisions share; their resource is the type."""

    def type_named(self, name: str) -> int:
        """The id of the type that a path names."""
        pk: int = self.resource.get(name).pk
        return pk

    def revision(self, task_type: int, number: str) -> TaskTypeRevision:
        """The revision that a path or a query names.

        Raises:
            NotFound: there is none.
        """
        is_number = number.isascii() and number.isdigit() and len(number) < 20 and int(number) <= LARGEST
        rows = TaskTypeRevision.objects.filter(task_type=task_type)
        found = rows.filter(number=int(number)).first() if is_number else None
        if found is None:
            raise NotFound(UNKNOWN)
        return found


class RevisionsView(RevisionView):
    """GET of a type's revisions, the newest first."""

    def get(self, request: Request, name: str) -> HttpResponseBase:
        resource = revisions_of(self.type_named(name))
        strict = request.version == "2"
        filtered = resource.filters(request.query_params, resource.all(), strict=strict, also=pagination.PARAMETERS)
        return pagination.respond(request, resource, filtered)


class OneRevisionView(RevisionView):
    """GET of one revision."""

    def get(self, request: Request, name: str, number: str) -> HttpResponse:
        revision = self.revision(self.type_named(name), number)
        representation = revisions_of(revision.task_type_id).representation(request.version)
        return json_response(representation.encode([representation.row_of(revision)])[0])


class DiffView(RevisionView):
    """GET of what makes a revision another than the one before, or than any."""

    def get(self, request: Request, name: str, number: str) -> HttpResponse:
        task_type = self.type_named(name)
        revision = self.revision(task_type, number)
        against = request.query_params.get("against")
        changes, other = revision.changes, revision.number - 1 or None
        if against is not None:
            old = self.against(task_type, against)
            changes, other = services.differences(old.values, revision.values), old.number
        said = {"number": revision.number, "against": other, "changes": changes}
        return json_response(json.dumps(said, ensure_ascii=False, separators=(",", ":")))

    def against(self, task_type: int, number: str) -> TaskTypeRevision:
        """The revision that a query compares with."""
        try:
            return self.revision(task_type, number)
        except NotFound:
            raise ValidationError({"against": [UNKNOWN]}) from None


class RestoreView(RevisionView):
    """POST has a type go back to a revision, which makes a new one."""

    def post(self, request: Request, name: str, number: str) -> HttpResponse:
        with transaction.atomic():
            task_type = self.resource.get(name, lock=True)
            check_owner(request, task_type)
            revision = self.revision(task_type.pk, number)
            self.restored = revision.number
            context = {"user": request.user}
            values = revision.values
            self.save(request, self.resource.serializer("2")(task_type, data=values, context=context, partial=True))
        return name_removed(request, self.answer(request, name), self.removed_from)

    def write(self, request: Request, serializer: ModelSerializer[Any]) -> Any:
        user: Any = request.user
        task_type: Any = serializer.instance
        self.removed_from = services.update_type(task_type, serializer.validated_data, user, restored=self.restored)
        return task_type

"""The views of what an instance starts after, and of what starts after it."""

from django.http import HttpResponse
from rest_framework.request import Request

from saltant.server.api.after import AfterSerializer, DependentSerializer
from saltant.server.api.representations import Representation
from saltant.server.api.views import ResourceView, json_response
from saltant.server.tasks.models import TaskDependency

MOST = 10_000
"""How many dependents are told of."""
AFTER = Representation(TaskDependency, AfterSerializer)
DEPENDENTS = Representation(TaskDependency, DependentSerializer)


class AfterView(ResourceView):
    """GET of what an instance starts after, in the order in which it was said. Pruned ones are left out."""

    def get(self, request: Request, name: str) -> HttpResponse:
        instance = self.resource.get(name)
        rows = AFTER.rows(TaskDependency.objects.filter(instance=instance.pk))
        return json_response(f"[{','.join(AFTER.encode(rows))}]")


class DependentsView(ResourceView):
    """GET of what starts after an instance, the oldest first."""

    def get(self, request: Request, name: str) -> HttpResponse:
        instance = self.resource.get(name)
        rows = DEPENDENTS.rows(TaskDependency.objects.filter(on=instance.pk))[:MOST]
        return json_response(f"[{','.join(DEPENDENTS.encode(rows))}]")

"""What people do to workers."""

from typing import Any

from django.db import transaction
from django.http import HttpResponse
from rest_framework.request import Request

from saltant.server.api.permissions import check_owner
from saltant.server.api.views import ResourceView
from saltant.server.audit.log import record
from saltant.server.audit.models import Action
from saltant.server.tasks.models import Worker


class DrainView(ResourceView):
    """POST has a worker take nothing new. It hears of that with its next heartbeat."""

    def post(self, request: Request, name: str) -> HttpResponse:
        self.drain(request, name)
        return self.answer(request, name, status=202)

    def drain(self, request: Request, name: str) -> Worker:
        """Ask a worker to take nothing new."""
        with transaction.atomic():
            worker: Worker = self.resource.get(name, lock=True)
            check_owner(request, worker)
            if worker.datetime_left is None and not worker.drain:
                Worker.objects.filter(pk=worker.pk).update(drain=True)
                user: Any = request.user
                record(user, Action.DRAIN, worker)
        return worker

"""The views that put types, queues and whitelists out of use, take them back, and delete what was never used."""

from typing import Any

from django.db import transaction
from django.http import HttpResponse
from rest_framework.request import Request

from saltant.server.api.errors import json_error
from saltant.server.api.permissions import check_owner
from saltant.server.api.views import ChangeView, ResourceView, TypeView
from saltant.server.tasks import services


class UseView(ResourceView):
    """POST archives a thing (`archives`), or takes it back. Twice is as good as once."""

    archives = True

    def post(self, request: Request, name: str) -> HttpResponse:
        user: Any = request.user
        with transaction.atomic():
            thing = self.resource.get(name, lock=True)
            check_owner(request, thing)
            services.set_archived(thing, self.archives, by=user)
        return self.answer(request, name)


class Deletable(ResourceView):
    """One thing that its owner deletes, as long as it was never used. Version 1 deletes nothing."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Find out the version first: it says which methods there are."""
        super().initial(request, *args, **kwargs)
        if request.version == "1":
            self.http_method_names = [name for name in self.http_method_names if name != "delete"]

    def delete(self, request: Request, name: str) -> HttpResponse:
        thing = self.resource.get(name)
        check_owner(request, thing)
        user: Any = request.user
        try:
            services.delete(thing, by=user)
        except services.InUse as error:
            return json_error(409, error.message)
        return HttpResponse(status=204)


class KeptTypeView(Deletable, TypeView):
    """One task type."""


class KeptView(Deletable, ChangeView):
    """One queue or whitelist."""

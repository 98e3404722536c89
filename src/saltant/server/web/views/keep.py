"""Archiving types, queues and whitelists, taking them back, and deleting what was never used."""

from typing import Any, ClassVar

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from rest_framework.exceptions import NotFound

from saltant.server.api.permissions import check_owner
from saltant.server.api.resources import QUEUES, WHITELISTS, Resource
from saltant.server.tasks import services
from saltant.server.web.type_resource import EITHER
from saltant.server.web.views.base import Page


class KeepView(Page):
    """POST of what is to be done: `do` is archive, unarchive or delete. A delete is asked about first.

    Attributes:
        noun: what it is.
        one: the name of the path of one thing; `place` is that of the list.
    """

    template_name = "web/parts/keep.html"
    http_method_names = ["post"]
    resource: ClassVar[Resource]
    noun: ClassVar[str]
    one: ClassVar[str]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Ask, or do."""
        deed, call, name = request.POST.get("do", ""), request, kwargs["name"]
        thing = self.resource.get(name)
        check_owner(call, thing)  # type: ignore[arg-type]
        if deed in ("archive", "unarchive"):
            with transaction.atomic():
                thing = self.resource.get(name, lock=True)
                check_owner(call, thing)  # type: ignore[arg-type]
                services.set_archived(thing, deed == "archive", by=self.user)
            said = "is archived: nothing new is made with it." if deed == "archive" else "is in use again."
            messages.success(request, f"The {self.noun} {thing.name} {said}")
            return HttpResponseRedirect(reverse(self.one, args=[thing.pk]))
        if deed != "delete":
            raise NotFound
        error = ""
        if request.POST.get("confirmed"):
            try:
                services.delete(thing, by=self.user)
            except services.InUse as in_use:
                error = in_use.message
            else:
                messages.success(request, f"The {self.noun} {thing.name} is deleted.")
                return HttpResponseRedirect(reverse(self.place))
        context = self.get_context_data(
            thing=thing, noun=self.noun, error=error, back=reverse(self.one, args=[thing.pk]), list=reverse(self.place)
        )
        return self.render_to_response(context, status=400 if error else 200)


class KeepTypeView(KeepView):
    """Of a task type."""

    resource = EITHER
    noun = "task type"
    place = "types"
    one = "type"


class KeepQueueView(KeepView):
    """Of a queue."""

    resource = QUEUES
    noun = "queue"
    place = "queues"
    one = "queue"


class KeepWhitelistView(KeepView):
    """Of a whitelist."""

    resource = WHITELISTS
    noun = "whitelist"
    place = "whitelists"
    one = "whitelist"

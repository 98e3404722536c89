"""Putting a task type on a whitelist, from the type's page."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from rest_framework.exceptions import ValidationError

from saltant.server.tasks.models import TaskType
from saltant.server.web.members import change_members
from saltant.server.web.type_resource import EITHER
from saltant.server.web.views.base import Page, messages_of


class AddTypeView(Page):
    """POST of the whitelist."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Do it, and go back."""
        task_type: TaskType = EITHER.get(kwargs["name"])
        try:
            whitelist = change_members(request, request.POST.get("whitelist", ""), [task_type.pk], adds=True)
        except ValidationError as error:
            for sentence in messages_of(error.detail):
                messages.error(request, sentence)
        else:
            messages.success(request, f"It is on the whitelist {whitelist.name} now.")
        return HttpResponseRedirect(reverse("type", args=[task_type.pk]))

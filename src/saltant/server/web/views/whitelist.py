"""One whitelist: what it holds, which revisions of that it allows, and who holds it."""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from rest_framework.exceptions import NotFound, ValidationError

from saltant.server.api.permissions import check_owner
from saltant.server.api.resources import WHITELISTS
from saltant.server.api.revision_fields import PinsField
from saltant.server.api.serializers_v2 import pin_types
from saltant.server.tasks.models import TaskQueue, TaskType, TaskWhitelist, WhitelistPin
from saltant.server.web.copies import add_to_whitelist
from saltant.server.web.members import change_members, ids
from saltant.server.web.type_resource import search
from saltant.server.web.views.base import Page, messages_of
from saltant.server.web.views.instance import allowed
from saltant.server.web.words import counted

MOST = 1000
"""Types that are shown of a whitelist."""
MOST_FOUND = 50
"""Types that are offered at once to be added."""


class WhitelistView(Page):
    """All about one whitelist.

    POST changes what it holds: `do` is add or remove, with the ids of types, or pin or unpin, with one.
    """

    template_name = "web/whitelists/one.html"
    place = "whitelists"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Do it, or say what is wrong."""
        name = kwargs["name"]
        deed, _, which = request.POST.get("do", "").partition("-")
        try:
            if deed in ("add", "remove"):
                said = self.change(name, deed)
            elif deed in ("pin", "unpin"):
                said = self.pin(name, which, request.POST.get(f"revision-{which}", "") if deed == "pin" else None)
            else:
                raise NotFound
        except ValidationError as error:
            context = self.get_context_data(name=name, errors=messages_of(flat(error.detail)))
            return self.render_to_response(context, status=400)
        messages.success(request, said)
        return HttpResponseRedirect(reverse("whitelist", args=[name]))

    def change(self, name: str, deed: str) -> str:
        """Add the types that were picked, or take them off."""
        picked = ids(self.request.POST.getlist("type"))
        if not picked:
            raise ValidationError({"non_field_errors": ["Pick at least one type."]})
        change_members(self.request, name, picked, adds=deed == "add")
        many = counted(len(picked), "type is", "types are")
        return f"{many} on it now." if deed == "add" else f"{many} off it now."

    def pin(self, name: str, which: str, number: str | None) -> str:
        """Pin a type to a revision, or unpin it."""
        call: Any = self.request
        is_number = number is not None and number.isascii() and number.isdigit() and len(number) < 11
        if number is not None and not is_number:
            raise ValidationError({"non_field_errors": ["Say the number of the revision to which it is pinned."]})
        wanted = PinsField("").run_validation({which: None if number is None else int(number)})
        with transaction.atomic():
            whitelist: TaskWhitelist = WHITELISTS.get(name, lock=True)
            check_owner(call, whitelist)
            pin_types(whitelist, wanted, by=self.user)
        task_type = TaskType.objects.get(pk=int(which))
        if number is None:
            return f"{task_type.name} is pinned no more: what it is from revision {task_type.revision} on is allowed."
        return f"{task_type.name} is pinned to revision {int(number)}: no other is allowed."

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        whitelist: TaskWhitelist = WHITELISTS.get(kwargs["name"])
        errors: list[str] = list(kwargs.pop("errors", ()))
        pins = {each.task_type_id: each for each in WhitelistPin.objects.filter(whitelist=whitelist.pk)}
        types = list(whitelist.task_types.select_related("user").order_by("name", "task_class")[: MOST + 1])
        found = self.request.GET.get("find", "")
        offered: list[TaskType] = []
        may_change = allowed(check_owner, self.request, whitelist)  # type: ignore[arg-type]
        if may_change:
            rest = TaskType.objects.filter(datetime_archived__isnull=True).exclude(taskwhitelist=whitelist.pk)
            rest = rest.select_related("user")
            try:
                offered = list(search(rest, found).order_by("name", "task_class")[: MOST_FOUND + 1])
            except ValidationError as error:
                errors += messages_of(error.detail)
        return super().get_context_data(
            whitelist=whitelist,
            types=[(each, pins.get(each.pk)) for each in types[:MOST]],
            cut=MOST if len(types) > MOST else 0,
            queues=TaskQueue.objects.filter(whitelists=whitelist.pk).order_by("name"),
            offered=offered[:MOST_FOUND],
            more=len(offered) > MOST_FOUND,
            find=found,
            errors=errors,
            may_change=may_change,
            copies=add_to_whitelist(whitelist, f"{self.request.scheme}://{self.request.get_host()}"),
            **kwargs,
        )


def flat(detail: Any) -> Any:
    """An error without the API's names of what it is about: the page has one place for errors."""
    return [each for said in detail.values() for each in said] if isinstance(detail, dict) else detail

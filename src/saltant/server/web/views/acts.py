"""What is done with instances, one or many: first the page that asks whether it is meant, then the deed."""

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from rest_framework.exceptions import NotFound, PermissionDenied

from saltant.server.api.permissions import check_may_end, check_owner
from saltant.server.api.resources import parse_uuid
from saltant.server.tasks import labels, services
from saltant.server.tasks.models import TaskInstance
from saltant.server.web.views.base import Page
from saltant.server.web.views.instance import allowed
from saltant.server.web.words import counted
from saltant.states import State

MOST = 1000
"""Instances of one form."""


class ActView(Page):
    """POST of the UUIDs of instances and what is to be done with them; with `confirmed` it is done."""

    template_name = "web/instances/act.html"
    place = "instances"
    http_method_names = ["post"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Ask, or do."""
        deed = request.POST.get("do", "")
        if deed not in DEEDS:
            raise NotFound
        found = instances_of(request.POST.getlist("uuid"))
        permitted = [each for each in found if self.may(deed, each)]
        if found and not permitted:
            raise PermissionDenied
        # It may have ended while somebody was asked.
        may = [each for each in permitted if deed != "terminate" or not State(each.state).is_finished]
        if permitted and not may:
            messages.info(request, f"{counted(len(permitted), 'instance has', 'instances have')} ended already.")
            return HttpResponseRedirect(self.back())
        error = ""
        if request.POST.get("confirmed") and may:
            try:
                with transaction.atomic():
                    said = DEEDS[deed](request, may)
            except Wrong as wrong:
                error = str(wrong)
            else:
                messages.success(request, said)
                return HttpResponseRedirect(self.back())
        context = self.get_context_data(
            deed=deed,
            instances=may,
            left_out=len(found) - len(may),
            error=error,
            given=request.POST.get("label", ""),
            back=self.back(),
        )
        return self.render_to_response(context, status=400 if error else 200)

    def may(self, deed: str, instance: TaskInstance) -> bool:
        """Whether whoever asks may do this with an instance."""
        if deed == "terminate":
            return allowed(check_may_end, self.request, instance)
        return deed == "clone" or allowed(check_owner, self.request, instance)

    def back(self) -> str:
        """Where one came from."""
        there = self.request.POST.get("next", "")
        return there if url_has_allowed_host_and_scheme(there, None) else reverse("instances")


class Wrong(Exception):
    """What was asked for cannot be done. The message says why."""


def instances_of(names: list[str]) -> list[TaskInstance]:
    """The instances that a form names, as far as they exist, in its order."""
    wanted = []
    for name in names[:MOST]:
        try:
            wanted.append(parse_uuid(name))
        except NotFound:
            continue
    rows = TaskInstance.objects.filter(uuid__in=wanted).select_related("task_type", "task_queue", "user")
    found = {each.uuid: each for each in rows}
    return [found[each] for each in dict.fromkeys(wanted) if each in found]


def terminate(request: HttpRequest, found: list[TaskInstance]) -> str:
    """Have them ended."""
    user: Any = request.user
    services.terminate_many(instances=sorted(found, key=lambda each: each.pk), user=user)
    return f"{counted(len(found), 'instance is', 'instances are')} being terminated."


def clone(request: HttpRequest, found: list[TaskInstance]) -> str:
    """Submit them once more, all or none."""
    user: Any = request.user
    batch = services.Batch(user)
    for each in found:
        try:
            batch.clone(each, as_was=bool(request.POST.get("as_was")))
        except services.Refused as refused:
            sentences = [text for texts in refused.errors.values() for text in texts]
            raise Wrong(f"Nothing was cloned: {str(each.uuid)[:8]} cannot be. {' '.join(sentences)}") from None
        except services.TooLong:
            raise Wrong("Nothing was cloned: together their arguments are too long. Pick fewer.") from None
    batch.save()
    made = [str(each.uuid)[:8] for each in batch.instances]
    return (
        f"{counted(len(made), 'clone was', 'clones were')} made: {', '.join(made[:5])}{' …' if len(made) > 5 else ''}"
    )


def label(request: HttpRequest, found: list[TaskInstance]) -> str:
    """Give them a label, or take one away: `key=value`, or `-key`."""
    user: Any = request.user
    text = request.POST.get("label", "").strip()
    key, equals, value = text.removeprefix("-").partition("=")
    key, value = key.strip(), value.strip()
    takes = text.startswith("-") and not equals
    if not key or (wrong := labels.flaw({key: value})):
        raise Wrong(wrong if key and wrong else "Write key=value, a key alone, or -key to take a label away.")
    locked = TaskInstance.objects.select_for_update().filter(pk__in=[each.pk for each in found]).order_by("pk")
    for each in locked:
        held: Mapping[str, str] = each.labels
        new = {name: said for name, said in held.items() if name != key}
        new |= {} if takes else {key: value}
        if too_many := labels.flaw(new):
            raise Wrong(f"{str(each.uuid)[:8]}: {too_many}")
        services.relabel(instance=each, user=user, changes={"labels": new})
    return f"{counted(len(found), 'instance has', 'instances have')} {'lost' if takes else 'got'} the label {text}."


DEEDS: Mapping[str, Callable[[HttpRequest, list[TaskInstance]], str]] = {
    "terminate": terminate,
    "clone": clone,
    "label": label,
}

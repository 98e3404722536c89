"""What a task type was: its revisions, how two differ, and going back to one."""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from rest_framework.exceptions import NotFound, ValidationError

from saltant.server.api import revision_views as api
from saltant.server.api.permissions import check_owner
from saltant.server.tasks import services
from saltant.server.tasks.models import TaskType, TaskTypeRevision, TaskWhitelist
from saltant.server.web.diffs import changes_of
from saltant.server.web.listing import listing
from saltant.server.web.type_entries import title_of
from saltant.server.web.type_resource import EITHER, own
from saltant.server.web.views.base import Page, messages_of
from saltant.server.web.views.instance import allowed

MOST_CHOICES = 200


def latest_revisions(task_type: TaskType, count: int) -> list[TaskTypeRevision]:
    """The newest revisions of a type, with the titles of what they changed in `titles`."""
    found = list(TaskTypeRevision.objects.filter(task_type=task_type.pk).order_by("-number")[:count])
    for each in found:
        changed: Any = each.changes
        each.titles = [title_of(name) for name in changed]  # type: ignore[attr-defined]
    return found


class HistoryView(Page):
    """All revisions of a type, the newest first."""

    template_name = "web/types/history.html"
    place = "types"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        task_type: TaskType = EITHER.get(kwargs["name"])
        page = listing(self.request, api.revisions_of(task_type.pk))
        rows = [row | {"titles": [title_of(name) for name in row["changes"]]} for row in page.rows]
        return super().get_context_data(task_type=task_type, page=page, rows=rows, errors=page.errors, **kwargs)


class RevisionView(Page):
    """One revision, and what makes it another than the one before, or than the one that `against` says.

    POST has the type go back to it: first the page that asks, then, with `confirmed`, the deed.
    """

    template_name = "web/types/revision.html"
    place = "types"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The revision."""
        task_type: TaskType = EITHER.get(kwargs["name"])
        revision = find(task_type, kwargs["number"])
        against = request.GET.get("against", "").strip()
        other = find(task_type, against) if against else None
        differences: Any = revision.changes
        if other is not None:
            old: Any = other.values
            new: Any = revision.values
            differences = services.differences(old, new)
        numbers = task_type.revisions.order_by("-number").values_list("number", flat=True)[:MOST_CHOICES]
        values: Any = revision.values
        context = self.get_context_data(
            task_type=task_type,
            revision=revision,
            against=other.number if other else revision.number - 1,
            others=[number for number in numbers if number != revision.number],
            changes=changes_of(differences),
            values=[(title_of(name), value) for name, value in values.items() if value not in (None, "", [], {})],
            may_change=allowed(check_owner, request, task_type),  # type: ignore[arg-type]
        )
        return self.render_to_response(context)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Ask, or go back."""
        call: Any = request
        errors: list[str] = []
        if request.POST.get("confirmed"):
            try:
                with transaction.atomic():
                    task_type: TaskType = EITHER.get(kwargs["name"], lock=True)
                    check_owner(call, task_type)
                    before = task_type.revision
                    removed = self.restore(task_type, find(task_type, kwargs["number"]))
            except ValidationError as error:
                errors = messages_of(error.detail)
            else:
                messages.success(request, said_of(task_type, before, int(kwargs["number"]), removed))
                return HttpResponseRedirect(reverse("type", args=[task_type.pk]))
        task_type = EITHER.get(kwargs["name"])
        check_owner(call, task_type)
        revision = find(task_type, kwargs["number"])
        values: Any = revision.values
        lost = services.at_stake(task_type, self.user) if services.changes_what_runs(task_type, values) else []
        now: Any = services.values_of(task_type)
        context = self.get_context_data(
            task_type=task_type,
            revision=revision,
            asks=True,
            errors=errors,
            changes=changes_of(services.differences(now, values)),
            taken_off=lost,
        )
        return self.render_to_response(context, status=400 if errors else 200)

    def restore(self, task_type: TaskType, revision: TaskTypeRevision) -> list[TaskWhitelist]:
        """Go back to a revision; returns the whitelists that the type was taken off."""
        view, request = api.RestoreView(), self.request
        view.restored = revision.number
        values: Any = revision.values
        serializer = own(task_type).serializer("2")
        view.save(request, serializer(task_type, data=values, context={"user": self.user}, partial=True))  # type: ignore[arg-type]
        removed: list[TaskWhitelist] = view.removed_from
        return removed


def find(task_type: TaskType, number: str) -> TaskTypeRevision:
    """The revision that a path or a query names.

    Raises:
        NotFound: there is none.
    """
    found: TaskTypeRevision = api.RevisionView().revision(task_type.pk, number)
    if found is None:
        raise NotFound
    return found


def said_of(task_type: TaskType, before: int, number: int, removed: list[TaskWhitelist]) -> str:
    """What has happened."""
    if task_type.revision == before:
        return f"Nothing was changed: it is as it was at revision {number}."
    said = f"It is as it was at revision {number} again, as revision {task_type.revision}."
    return f"{said} It was taken off {', '.join(each.name for each in removed)}." if removed else said

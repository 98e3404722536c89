"""Making and changing a task type."""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from rest_framework.exceptions import ValidationError
from rest_framework.serializers import ModelSerializer

from saltant.jobs import Kind
from saltant.server.api import views as api
from saltant.server.api.permissions import check_owner
from saltant.server.api.resources import TYPES
from saltant.server.tasks import services
from saltant.server.tasks.models import TaskType, TaskWhitelist
from saltant.server.web import forms
from saltant.server.web.type_entries import KINDS, SECTIONS, class_of, entries_of, fresh, without
from saltant.server.web.type_resource import EITHER, own
from saltant.server.web.views.base import Page


class Confirm(Exception):
    """It would take a type off whitelists of others, which the form did not say it knew."""

    def __init__(self, whitelists: list[TaskWhitelist]) -> None:
        super().__init__()
        self.whitelists = whitelists


class NewTypeView(Page):
    """GET of an empty form, or one filled in from `?like=ID`; POST makes a type."""

    template_name = "web/types/form.html"
    place = "types"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The form."""
        like = request.GET.get("like")
        source: TaskType = EITHER.get(like) if like else fresh()
        kind = source.kind if like else request.GET.get("kind", "")
        kind = kind if kind in dict(KINDS) else Kind.EXECUTABLE.value
        # Of the kinds that it is not, too: the kind can still be changed.
        values = {each.name: forms.shown(each, getattr(source, each.name)) for each in every()}
        values |= {"name": f"{source.name}-copy"[:200]} if like else {}
        return self.form(kind, values)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Make it, or say what is wrong."""
        kind = request.POST.get("kind", "")
        kind = kind if kind in dict(KINDS) else Kind.EXECUTABLE.value
        values = forms.sent(every(), request.POST)
        entries = entries_of(kind)
        serializer: ModelSerializer[Any] = TYPES[class_of(kind)].serializer("2")(context={"user": self.user})
        data = forms.read(entries, values, serializer) | without(kind)
        if kind != Kind.EXECUTABLE:
            data["container_type"] = kind
        serializer.initial_data = data
        call: Any = request
        try:
            with transaction.atomic():
                made: TaskType = api.TypeListView().save(call, serializer)
        except ValidationError as error:
            return self.form(kind, values, error.detail)
        messages.success(request, f"The task type {made.name} is there. Put it on a whitelist, and a queue runs it.")
        return HttpResponseRedirect(reverse("type", args=[made.pk]))

    def form(self, kind: str, values: dict[str, str], detail: Any = None, **more: Any) -> HttpResponse:
        """The form, with what is wrong."""
        of_fields, others = forms.sorted_out(detail or {}, values)
        sections = [
            {
                "section": each,
                "fields": forms.filled(each.entries, values, of_fields),
                "open": not each.folded or any(entry.name in of_fields for entry in each.entries),
            }
            for each in SECTIONS
        ]
        context = self.get_context_data(
            sections=sections, kind=kind, kinds=KINDS, errors=others, has_errors=bool(detail), **more
        )
        return self.render_to_response(context, status=400 if detail else 200)


class EditTypeView(NewTypeView):
    """GET of the form of a type; POST changes it, which makes a revision."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        task_type: TaskType = EITHER.get(kwargs["name"])
        self.check(task_type)
        values = {each.name: forms.shown(each, getattr(task_type, each.name)) for each in entries_of(task_type.kind)}
        return self.edited(task_type, values)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Change it, or say what is wrong."""
        task_type: TaskType = EITHER.get(kwargs["name"])
        kind = self.kind_of(task_type)
        values = forms.sent(entries_of(kind), request.POST)
        try:
            with transaction.atomic():
                task_type = EITHER.get(kwargs["name"], lock=True)
                self.check(task_type)
                before = task_type.revision
                removed = self.save(task_type, kind, values)
        except ValidationError as error:
            return self.edited(EITHER.get(kwargs["name"]), values, error.detail)
        except Confirm as confirm:
            return self.edited(EITHER.get(kwargs["name"]), values, taken_off=confirm.whitelists)
        said = "Nothing was changed."
        if task_type.revision != before:
            said = f"Saved as revision {task_type.revision}."
        if removed:
            said += f" It was taken off {', '.join(each.name for each in removed)}."
        messages.success(request, said)
        return HttpResponseRedirect(reverse("type", args=[task_type.pk]))

    def check(self, task_type: TaskType) -> None:
        """Let the owner and admins through."""
        request: Any = self.request
        check_owner(request, task_type)

    def kind_of(self, task_type: TaskType) -> str:
        """The kind that the form says, as far as a type can change it."""
        asked = self.request.POST.get("kind", "")
        is_container = bool(task_type.container_type)
        return asked if is_container and asked in (Kind.DOCKER, Kind.SINGULARITY) else task_type.kind.value

    def save(self, task_type: TaskType, kind: str, values: dict[str, str]) -> list[TaskWhitelist]:
        """Save what the form says.

        Raises:
            ValidationError: it cannot be.
            Confirm: what it takes the type off was not agreed to.
        """
        form, request = self.request.POST, self.request
        if form.get("revision") != str(task_type.revision):
            sentence = (
                f"It was changed meanwhile, and is at revision {task_type.revision} now. Look at its history; "
                "what you save now replaces that."
            )
            raise ValidationError({"non_field_errors": [sentence]})
        serializer = own(task_type).serializer("2")(task_type, data={}, context={"user": self.user}, partial=True)
        data = forms.read(entries_of(kind), values, serializer) | without(kind)
        if task_type.container_type:
            data["container_type"] = kind
        serializer.initial_data = data
        serializer.is_valid(raise_exception=True)
        stake = services.changes_what_runs(task_type, serializer.validated_data)
        lost = list(services.at_stake(task_type, self.user)) if stake else []
        if lost and {str(each.pk) for each in lost} - set(form.getlist("taken_off")):
            raise Confirm(lost)
        view, call = api.TypeView(), request
        view.save(call, serializer)  # type: ignore[arg-type]
        removed: list[TaskWhitelist] = view.removed_from
        return removed

    def edited(
        self, task_type: TaskType, values: dict[str, str], detail: Any = None, taken_off: Any = ()
    ) -> HttpResponse:
        """The form of a type."""
        kind = self.kind_of(task_type)
        kinds = [each for each in KINDS if class_of(each[0]) == task_type.task_class]
        full = {each.name: values.get(each.name, "") for each in every() if has_entry(each.name, task_type)}
        at_stake = [] if taken_off else list(services.at_stake(task_type, self.user))
        return self.form(kind, full, detail, task_type=task_type, taken_off=taken_off, at_stake=at_stake, only=kinds)


def every() -> list[forms.Entry]:
    """All entries of all kinds."""
    return [entry for section in SECTIONS for entry in section.entries]


def has_entry(name: str, task_type: TaskType) -> bool:
    """Whether types of this class have an entry, of whichever kind they are."""
    kinds = [kind for kind, _ in KINDS if class_of(kind) == task_type.task_class]
    return any(entry.name == name for kind in kinds for entry in entries_of(kind))

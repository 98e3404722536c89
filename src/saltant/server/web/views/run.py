"""Running something: a form made from a task type, or from an instance that was run before."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from rest_framework.exceptions import NotFound, ValidationError

from saltant.server.api import json_input
from saltant.server.api.fields import Unparsed
from saltant.server.api.resources import INSTANCES, TYPES
from saltant.server.tasks import services
from saltant.server.tasks.models import LIMITS, TaskClass, TaskInstance, TaskQueue, TaskType
from saltant.server.web.argument_fields import KINDS, fields_of, others_of, read, sent_fields
from saltant.server.web.instances import EITHER
from saltant.server.web.templatetags.saltant import pretty
from saltant.server.web.type_resource import pinned_on
from saltant.server.web.views.base import Page, messages_of

LIMIT_HELP = {
    "timeout": ("Timeout", "seconds that an attempt may take"),
    "queue_timeout": ("Waits at most", "seconds until a worker claims it"),
    "max_attempts": ("Attempts at most", "1 to 100"),
    "retry_on": ("Tried again after", "lost or failed"),
    "retry_delay": ("Delay before that", "seconds, doubled each time"),
    "memory": ("Memory", "bytes"),
    "cpus": ("Processors", ""),
    "priority": ("Priority", "0 last, 9 first"),
    "gpus": ("GPUs", ""),
}
SAID = ("name", "task_queue", "arguments", "labels", "after", "revision", *LIMITS)
"""What the form says beside the required arguments."""
MOST_REVISIONS = 200
LIFTABLE = [name for name in LIMITS if TaskType._meta.get_field(name).null]


@dataclass(frozen=True)
class Field:
    """A field of the form."""

    name: str
    label: str
    help: str
    value: str
    errors: list[str]


class RunView(Page):
    """GET of the form, filled in from `?type=ID` or `?from=UUID`; POST runs it."""

    template_name = "web/instances/run.html"
    place = "instances"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The form."""
        before = self.before()
        task_type = before.task_type if before else self.task_type(request.GET.get("type", ""))
        values = filled(task_type, before) if task_type else {}
        given: Any = before.arguments if before else {}
        fields = fields_of(task_type, given) if task_type else []
        context = self.get_context_data(task_type=task_type, before=before, values=values, fields=fields)
        return self.render_to_response(context)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Run it, or say what is wrong."""
        task_type = self.task_type(request.POST.get("task_type", ""))
        if task_type is None:
            raise NotFound
        values = {name: request.POST.get(name, "") for name in SAID}
        arguments, fields = read(sent_fields(task_type, request.POST), parsed(values["arguments"], {}))
        try:
            if any(each.error for each in fields):
                raise ValidationError({})
            instance = self.submit(task_type, values, arguments)
        except ValidationError as error:
            errors: Any = error.detail
        except services.Refused as refused:
            errors = refused.errors
        else:
            messages.success(request, f"{task_type.name} was handed to the queue {instance.task_queue.name}.")
            return HttpResponseRedirect(reverse("instance", args=[instance.uuid]))
        fields = fields or fields_of(task_type, {})
        context = self.get_context_data(task_type=task_type, before=None, values=values, fields=fields, errors=errors)
        return self.render_to_response(context, status=400)

    def submit(self, task_type: TaskType, values: Mapping[str, str], arguments: Any) -> TaskInstance:
        """Make the instance that the form describes, as the API does.

        Raises:
            ValidationError: a field cannot be.
            services.Refused: the rules do not allow it.
        """
        reader = INSTANCES[TaskClass(task_type.task_class)].reader("2")
        request: Any = self.request
        data: dict[str, Any] = {name: value for name, value in values.items() if value.strip() or name == "task_queue"}
        # What is left empty is as on the type; where that has a limit which can be none, it is lifted.
        data |= {name: None for name in LIFTABLE if name not in data and name in self.request.POST}
        data |= {"task_type": task_type.pk, "arguments": arguments}
        data |= {"after": after_in(values["after"])} if values["after"].strip() else {}
        data["labels"] = labels_in(values["labels"])
        with transaction.atomic():
            return services.submit(user=self.user, **reader.values_of(data, reader.finder(request)))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        task_type: TaskType | None = kwargs["task_type"]
        values: Mapping[str, str] = kwargs["values"]
        errors: dict[str, Any] = dict(kwargs.pop("errors", {}))
        of_fields = {name: messages_of(errors.pop(name)) for name in [*values] if name in errors}
        queues = queues_for(self.user, task_type) if task_type else []
        pinned = pinned_on(task_type) if task_type else {}
        return super().get_context_data(
            errors=messages_of(errors),
            of_fields=of_fields,
            limits=[
                Field(name, *LIMIT_HELP[name], values.get(name, ""), of_fields.get(name, []))
                for name in LIMITS
                if task_type
            ],
            limits_open=any(name in of_fields for name in LIMITS),
            # Where a queue runs another revision than the newest one has to say so.
            more_open=any(name in of_fields or values.get(name) for name in ("after", "revision"))
            or any(task_type.revision not in pinned.get(each.pk, [task_type.revision]) for each in queues if task_type),
            pinned=pinned,
            others_open=bool(values.get("arguments") or "arguments" in of_fields),
            kinds=KINDS,
            revisions=revisions_of(task_type) if task_type else [],
            queues=queues,
            types=[]
            if task_type
            else TaskType.objects.filter(datetime_archived=None).order_by("name", "task_class")[:500],
            **kwargs,
        )

    def before(self) -> TaskInstance | None:
        """The instance that is to be edited and run again."""
        name = self.request.GET.get("from")
        return EITHER.get(name) if name else None

    def task_type(self, pk: str) -> TaskType | None:
        """The type that is asked for."""
        if not pk:
            return None
        for resource in TYPES.values():
            try:
                found: TaskType = resource.get(pk)
            except NotFound:
                continue
            return found
        raise NotFound


def filled(task_type: TaskType, before: TaskInstance | None) -> dict[str, str]:
    """What the form says at first."""
    source: Any = before or task_type
    limits = {name: getattr(source, name) for name in LIMITS}
    values = {
        name: "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
        for name, value in limits.items()
    }
    if before is not None:
        given: Any = others_of(task_type, before.arguments)
        labels: Any = before.labels
        said = {"name": before.name, "task_queue": str(before.task_queue_id)}
    else:
        given, labels, said = {}, {}, {"name": "", "task_queue": ""}
    lines = [f"{key}={value}" for key, value in labels.items()]
    empty = {"after": "", "revision": ""}
    return {**values, **said, **empty, "arguments": pretty(given) if given else "", "labels": "\n".join(lines)}


def queues_for(user: Any, task_type: TaskType) -> list[TaskQueue]:
    """The queues on which a user may run a type."""
    rows = (
        services.usable_queues(user)
        .filter(whitelists__task_types=task_type.pk, datetime_archived=None)
        .distinct()
        .order_by("name")
    )
    return [queue for queue in rows if queue.accepts(task_type.kind)]


def parsed(text: str, empty: Any) -> Any:
    """A text's JSON; what is none, the field refuses."""
    if not text.strip():
        return empty
    try:
        return json_input.loads(text)
    except json_input.InvalidJSON:
        return Unparsed()


def labels_in(text: str) -> dict[str, str]:
    """Labels, one a line."""
    pairs = (line.partition("=") for line in text.splitlines() if line.strip())
    return {key.strip(): value.strip() for key, _, value in pairs}


def after_in(text: str) -> list[Any]:
    """What it starts after, one a line: a UUID, and `any` behind it if that one may end as it likes."""
    found: list[Any] = []
    for line in text.splitlines():
        uuid, *condition = line.split() or [""]
        if uuid:
            found.append({"uuid": uuid, "condition": " ".join(condition)} if condition else uuid)
    return found


def revisions_of(task_type: TaskType) -> list[int]:
    """Former revisions of a type, the newest first."""
    rows = task_type.revisions.exclude(number=task_type.revision).order_by("-number")
    return list(rows.values_list("number", flat=True)[:MOST_REVISIONS])

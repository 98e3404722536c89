"""What lists can be filtered by: django-filter's names, made from one table per resource."""

from collections.abc import Callable, Mapping
from typing import Any

import django_filters  # type: ignore[import-untyped]
from django.db.models import Model, QuerySet
from django.http import QueryDict
from django_filters.utils import translate_validation  # type: ignore[import-untyped]
from rest_framework.exceptions import ValidationError

from saltant.server.accounts.models import User
from saltant.server.api import filter_fields as form
from saltant.server.api.filter_kinds import (
    Filters,
    LabelFilter,
    archived,
    beginning,
    boolean,
    label,
    moment,
    reference,
    serves,
    state,
    task_class,
    text,
    worker_state,
)
from saltant.server.tasks.models import (
    TaskClass,
    TaskInstance,
    TaskQueue,
    TaskType,
    TaskTypeRevision,
    TaskWhitelist,
    Worker,
)
from saltant.server.tasks.schedule_models import Schedule
from saltant.states import State

BOOLEANS = {"true": "True", "1": "True", "false": "False", "0": "False"}


def check_states(name: str, value: str) -> None:
    """Check several states.

    Raises:
        ValidationError: one is none.
    """
    known = [each.value for each in State]
    for word in value.split(","):
        if word and word not in known:
            message = f"Select a valid choice. {word:.80} is not one of the available choices: {', '.join(known)}."
            raise ValidationError({name: [message]})


class LeanFilterSet(django_filters.FilterSet):  # type: ignore[misc]
    """Filters by what a request names: to set up the other filters would cost more than the query.

    Args:
        strict: refuse what version 1 ignores: a parameter that is unknown (and not of `also`), a Boolean that is none,
            one of several states that is none.
    """

    base_filters: Filters
    queryset: QuerySet[Any]

    def __init__(self, data: QueryDict, queryset: QuerySet[Any], *, strict: bool, also: frozenset[str]) -> None:
        every: Filters = type(self).base_filters
        given: dict[str, Any] = {name: str(data[name]) for name in data if name in every}
        given |= {name: data.getlist(name) for name in given if isinstance(every[name], LabelFilter)}
        if strict:
            unknown = [name for name in data if name not in given and name not in also]
            if unknown:
                raise ValidationError({name: ["There is no such filter."] for name in unknown})
        for name, value in list(given.items()):
            if isinstance(every[name], django_filters.BooleanFilter):
                if value.lower() in BOOLEANS:
                    given[name] = BOOLEANS[value.lower()]
                elif strict:
                    raise ValidationError({name: ["Must be a valid boolean."]})
                else:
                    del given[name]
            elif strict and issubclass(every[name].field_class, form.StateListField):
                check_states(name, value)
        self.base_filters = {name: every[name] for name in given}
        super().__init__(given, queryset)

    def result(self) -> QuerySet[Any]:
        """The rows that the filters let through, in no order.

        Raises:
            ValidationError: a value cannot be used.
        """
        if not self.base_filters:
            return self.queryset
        if not self.is_valid():
            raise translate_validation(self.errors)
        filtered: QuerySet[Any] = self.qs
        return filtered

    @property
    def searches(self) -> list[str]:
        """The parameters that are regular expressions."""
        return [name for name, each in self.base_filters.items() if issubclass(each.field_class, form.RegexField)]

    def parameters_of(self, value: str | None) -> list[str]:
        """The parameters that were given `value`."""
        return [name for name, given in self.data.items() if given == value]


def declare(model: type[Model], **kinds: Callable[[str], Filters]) -> type[LeanFilterSet]:
    """The filters of `model`: the kind of each column that can be filtered by."""
    filters: dict[str, Any] = {}
    for name, kind in kinds.items():
        filters |= kind(name)
    meta = type("Meta", (), {"model": model, "fields": []})
    return type(f"{model.__name__}Filters", (LeanFilterSet,), {**filters, "Meta": meta})


def _types(**more: Callable[[str], Filters]) -> type[LeanFilterSet]:
    return declare(
        TaskType,
        name=text,
        description=text,
        user__username=text,
        command_to_run=text,
        datetime_created=moment,
        archived=archived,
        **more,
    )


def _instances(types: "QuerySet[TaskType]", **more: Callable[[str], Filters]) -> type[LeanFilterSet]:
    return declare(
        TaskInstance,
        uuid=beginning,
        name=text,
        state=state,
        user__username=text,
        task_type=reference(types),
        task_queue=reference(TaskQueue.objects.all()),
        datetime_created=moment,
        datetime_finished=moment,
        datetime_changed=moment,
        schedule=reference(Schedule.objects.all()),
        label=label,
        **more,
    )


TYPES: Mapping[TaskClass, type[LeanFilterSet]] = {
    TaskClass.EXECUTABLE: _types(),
    TaskClass.CONTAINER: _types(container_image=text, container_type=text),
}
TYPES_OF_EITHER = _types(container_image=text, container_type=text, task_class=task_class)
"""Those of pages, which list both classes together."""
INSTANCES: Mapping[TaskClass, type[LeanFilterSet]] = {
    each: _instances(TaskType.objects.filter(task_class=each)) for each in TaskClass
}
EVENTS = _instances(TaskType.objects.all(), task_class=task_class)
"""Those of the stream of changes, which is about both classes."""
QUEUES = declare(
    TaskQueue,
    name=text,
    description=text,
    user__username=text,
    private=boolean,
    runs_executable_tasks=boolean,
    runs_docker_container_tasks=boolean,
    runs_singularity_container_tasks=boolean,
    active=boolean,
    archived=archived,
)
WHITELISTS = declare(TaskWhitelist, name=text, description=text, user__username=text, archived=archived)
WORKERS = declare(
    Worker,
    name=text,
    host=text,
    version=text,
    user__username=text,
    state=worker_state,
    queue=serves,
    datetime_announced=moment,
    datetime_heartbeat=moment,
)
SCHEDULES = declare(
    Schedule,
    name=text,
    description=text,
    user__username=text,
    task_type=reference(TaskType.objects.all()),
    task_queue=reference(TaskQueue.objects.all()),
    active=boolean,
    datetime_created=moment,
    next_time=moment,
    last_time=moment,
)
REVISIONS = declare(TaskTypeRevision, changed_by=text, datetime_created=moment)
USERS = declare(User, username=text, email=text)

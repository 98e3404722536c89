"""What lists can be filtered by: django-filter's names, made from one table per resource."""

import json
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import django_filters  # type: ignore[import-untyped]
from django.db import connection
from django.db.models import F, Model, Q, QuerySet, TextField, Value
from django.db.models.functions import Left, Right, StrIndex
from django.db.models.lookups import Exact, GreaterThan
from django.http import QueryDict
from django_filters.utils import translate_validation  # type: ignore[import-untyped]
from rest_framework.exceptions import ValidationError

from saltant.server.accounts.models import User
from saltant.server.api import filter_fields as form
from saltant.server.tasks.models import (
    TaskClass,
    TaskInstance,
    TaskLabel,
    TaskQueue,
    TaskType,
    TaskTypeRevision,
    TaskWhitelist,
    Worker,
)
from saltant.server.tasks.schedule_models import Schedule
from saltant.server.tasks.state_lookups import are_indexed
from saltant.server.tasks.worker_state import WorkerState, rows_in
from saltant.states import State

Filters = dict[str, django_filters.Filter]


def _filter(name: str, lookup: str, field: type[Any], **kwargs: Any) -> django_filters.Filter:
    made = type("Filter", (django_filters.Filter,), {"field_class": field})
    # The label is only for pages; without one it is worked out at every request.
    filter_: django_filters.Filter = made(name, lookup, label=name, **kwargs)
    return filter_


class CaseSensitiveFilter(django_filters.Filter):  # type: ignore[misc]
    """Looks for a part of a text. SQLite's LIKE, which Django uses, takes capital and small letters for the same."""

    field_class = form.TextField

    def filter(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        if not value:
            return queryset
        column, wanted = F(self.field_name), Value(value)
        if self.lookup_expr == "contains":
            return queryset.filter(GreaterThan(StrIndex(column, wanted), 0))
        part = Left if self.lookup_expr == "startswith" else Right
        return queryset.filter(Exact(part(column, len(value)), wanted))


def text(name: str) -> Filters:
    """A text column."""
    return {
        name: _filter(name, "exact", form.TextField),
        f"{name}__in": _filter(name, "in", form.TextListField),
        f"{name}__regex": _filter(name, "regex", form.RegexField),
        **{
            f"{name}__{lookup}": CaseSensitiveFilter(name, lookup, label=name)
            for lookup in ("contains", "startswith", "endswith")
        },
    }


def state(name: str) -> Filters:
    """A text column of states, of which a plain one must be known; in version 2 one of several, too."""
    choices = [(each.value, each.value) for each in State]
    return text(name) | {
        name: django_filters.ChoiceFilter(name, label=name, choices=choices),
        f"{name}__in": StatesFilter(name, "in", label=name),
    }


class StatesFilter(django_filters.Filter):  # type: ignore[misc]
    """Instances in one of several states."""

    field_class = form.StateListField

    def filter(self, queryset: QuerySet[Any], value: list[str]) -> QuerySet[Any]:
        if not value:
            return queryset
        wanted = {f"{self.field_name}__in": value}
        if connection.vendor != "sqlite" or not are_indexed(value):
            return queryset.filter(**wanted)
        # By a query of its own: SQLite would rather walk through the index that lists are ordered by.
        found = queryset.model._default_manager.filter(**wanted).order_by()
        return queryset.filter(pk__in=found.values("pk"))


def reference(queryset: "QuerySet[Any]") -> Callable[[str], Filters]:
    """The id of a row of `queryset`."""

    def kind(name: str) -> Filters:
        return {
            name: django_filters.ModelChoiceFilter(name, label=name, queryset=queryset),
            f"{name}__in": _filter(name, "in", form.IdListField),
        }

    return kind


def moment(name: str) -> Filters:
    """A date and time."""
    return {
        name: _filter(name, "exact", form.MomentField),
        f"{name}__year": _filter(name, "year", form.YearField),
        f"{name}__range": _filter(name, "range", form.MomentRangeField),
        **{f"{name}__{lookup}": _filter(name, lookup, form.MomentField) for lookup in ("lt", "lte", "gt", "gte")},
    }


class UUIDBeginningFilter(django_filters.Filter):  # type: ignore[misc]
    """UUIDs that begin so: a range of them, which the index finds."""

    field_class = form.UUIDBeginningField

    def filter(self, queryset: QuerySet[Any], value: tuple[UUID, UUID] | None) -> QuerySet[Any]:
        if value is None:
            return queryset
        # By a query of its own: SQLite would rather walk through the index that lists are ordered by.
        found = queryset.model._default_manager.filter(**{f"{self.field_name}__range": value}).order_by()
        return queryset.filter(pk__in=found.values("pk"))


class LabelFilter(django_filters.Filter):  # type: ignore[misc]
    """Instances that have labels. The parameter may come several times: all must hold."""

    field_class = form.LabelsField

    def filter(self, queryset: QuerySet[Any], value: list[tuple[str, str | None]]) -> QuerySet[Any]:
        for key, wanted in value:
            rows = TaskLabel.objects.filter(key=key, **({} if wanted is None else {"value": wanted}))
            queryset = queryset.filter(pk__in=rows.order_by().values("instance"))
        return queryset


def label(name: str) -> Filters:
    """Labels."""
    return {name: LabelFilter(label=name)}


def beginning(name: str) -> Filters:
    """A column of UUIDs."""
    return {f"{name}__startswith": UUIDBeginningFilter(name, "startswith", label=name)}


def archived(name: str) -> Filters:
    """Whether it is archived."""
    return {name: django_filters.BooleanFilter("datetime_archived", "isnull", label=name, exclude=True)}


def boolean(name: str) -> Filters:
    """A Boolean."""
    return {name: django_filters.BooleanFilter(name, label=name)}


class WorkerStateFilter(django_filters.ChoiceFilter):  # type: ignore[misc]
    """Workers in a state, which no column holds."""

    def filter(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        return queryset.filter(rows_in(WorkerState(value))) if value else queryset


def worker_state(name: str) -> Filters:
    """How a worker is."""
    return {name: WorkerStateFilter(label=name, choices=[(each.value, each.value) for each in WorkerState])}


class ServesFilter(django_filters.Filter):  # type: ignore[misc]
    """Workers that serve a queue, by its name. One that names none serves every queue."""

    field_class = form.TextField

    def filter(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        if not value:
            return queryset
        # As text, between its quotes: that is how a list of names is kept.
        named = GreaterThan(StrIndex(F("queues"), Value(json.dumps(value), output_field=TextField())), 0)
        return queryset.filter(Q(queues=None) | Q(named))


def serves(name: str) -> Filters:
    """The name of a queue."""
    return {name: ServesFilter(label=name)}


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


def task_class(name: str) -> Filters:
    """The class of an instance, or of a type."""
    return {name: django_filters.ChoiceFilter(name, label=name, choices=TaskClass.choices)}


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

"""The kinds of columns that lists can be filtered by: each makes the filters of one column, by their parameters."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import django_filters  # type: ignore[import-untyped]
from django.db import connection
from django.db.models import F, Q, QuerySet, TextField, Value
from django.db.models.functions import Left, Right, StrIndex
from django.db.models.lookups import Exact, GreaterThan

from saltant.server.api import filter_fields as form
from saltant.server.tasks.models import TaskClass, TaskLabel
from saltant.server.tasks.state_lookups import are_indexed
from saltant.server.tasks.worker_state import WorkerState, rows_in
from saltant.states import State

Filters = dict[str, django_filters.Filter]


def _filter(name: str, lookup: str, field: type[Any], **kwargs: Any) -> django_filters.Filter:
    made = type("Filter", (django_filters.Filter,), {"field_class": field})
    # The label is only for pages; without one it is worked out at every request.
    filter_: django_filters.Filter = made(name, lookup, label=name, **kwargs)
    return filter_


def _looked_up(queryset: QuerySet[Any], **wanted: Any) -> QuerySet[Any]:
    """The rows that an index finds, by a query of its own: SQLite would rather walk through the index of the order."""
    found = queryset.model._default_manager.filter(**wanted).order_by()
    return queryset.filter(pk__in=found.values("pk"))


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
        if connection.vendor == "sqlite" and are_indexed(value):
            return _looked_up(queryset, **wanted)
        return queryset.filter(**wanted)


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
        return _looked_up(queryset, **{f"{self.field_name}__range": value})


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


def task_class(name: str) -> Filters:
    """The class of an instance, or of a type."""
    return {name: django_filters.ChoiceFilter(name, label=name, choices=TaskClass.choices)}

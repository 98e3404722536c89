"""Reading the body of a POST of an instance.

It is the request that every job begins with, and setting up a serializer costs more than all the rest of it. So the
serializer's fields are set up once, and what they name is found with queries that are compiled once.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model
from rest_framework.exceptions import ValidationError
from rest_framework.fields import SkipField, empty
from rest_framework.request import Request
from rest_framework.serializers import Field

from saltant.server.accounts.models import User
from saltant.server.api.fields import IdField
from saltant.server.api.forms import plain
from saltant.server.api.limits import take_limits
from saltant.server.api.serializers import InstanceSerializer
from saltant.server.prepared import Prepared
from saltant.server.tasks import services
from saltant.server.tasks.models import TaskClass, TaskQueue, TaskType

TYPE_FIELDS = [field.attname for field in TaskType._meta.concrete_fields]
QUEUE_FIELDS = [field.attname for field in TaskQueue._meta.concrete_fields]
QUEUE, USER = 2**62, 2**61
"""Samples: no row has such an id."""

_queues = Prepared(
    # To its user, a queue that they may not use is none.
    lambda pk, user: services.usable_queues(User(pk=user)).filter(pk=pk).order_by().values_list(*QUEUE_FIELDS),
    TaskQueue._meta.pk,
    QUEUE,
    (User._meta.pk, USER),
)
_types = Prepared(
    lambda pk, task_class: TaskType.objects.filter(pk=pk, task_class=task_class).order_by().values_list(*TYPE_FIELDS),
    TaskType._meta.pk,
    QUEUE,
    (TaskType._meta.get_field("task_class"), "sample"),
)


@dataclass(frozen=True)
class InstanceReader:
    """Reads bodies for instances of one class, in one version."""

    serializer: type[InstanceSerializer]
    task_class: TaskClass

    @cached_property
    def fields(self) -> dict[str, "Field[Any, Any, Any, Any]"]:
        """What a body may say. They keep nothing of a request, so requests share them."""
        return {name: field for name, field in self.serializer().fields.items() if not field.read_only}

    @cached_property
    def optional(self) -> frozenset[str]:
        """What a body need not say, and then says nothing about."""
        return frozenset(name for name, field in self.fields.items() if not field.required and field.default is empty)

    def read(self, request: Request) -> dict[str, Any]:
        """What `services.submit` is to be called with.

        Raises:
            ValidationError: the body says something that cannot be.
        """
        return self.values_of(plain(request, self.fields), self.finder(request))

    def finder(self, request: Request) -> "Finder":
        """What finds the rows that bodies of a request name."""
        user: Any = request.user
        return Finder(user.pk, self.task_class)

    def values_of(self, data: Any, find: "Finder") -> dict[str, Any]:
        """The same, of plain data.

        Raises:
            ValidationError: it says something that cannot be.
        """
        if not isinstance(data, dict):
            kind = type(data).__name__
            message = f"Invalid data. Expected a dictionary, but got {kind}."
            raise ValidationError({"non_field_errors": [message]})
        values: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        for name, field in self.fields.items():
            if name not in data and name in self.optional:
                continue
            try:
                value = field.run_validation(data.get(name, empty))
                values[name] = find(name, field, value) if isinstance(field, IdField) else value
            except ValidationError as error:
                errors[name] = error.detail
            except SkipField:
                pass
        if errors:
            raise ValidationError(errors)
        limits = take_limits(values)
        return {**values, "limits": limits}


class Finder:
    """Finds the rows whose ids bodies give, each of them once."""

    def __init__(self, user: int, task_class: TaskClass) -> None:
        self._user = user
        self._task_class = task_class
        self._found: dict[tuple[str, int], Model | None] = {}

    def __call__(self, name: str, field: IdField, pk: int) -> Model:
        """The row.

        Raises:
            ValidationError: there is none, to this user.
        """
        if (name, pk) not in self._found:
            self._found[name, pk] = self._look(name, pk)
        row = self._found[name, pk]
        if row is None:
            field.fail("does_not_exist", pk_value=pk)
        return row

    def _look(self, name: str, pk: int) -> Model | None:
        if not 0 < pk < 2**63:
            return None
        if name == "task_queue":
            rows: list[Any] = _queues.rows(pk, self._user)
            return TaskQueue.from_db(DEFAULT_DB_ALIAS, QUEUE_FIELDS, rows[0]) if rows else None
        rows = _types.rows(pk, self._task_class)
        return TaskType.from_db(DEFAULT_DB_ALIAS, TYPE_FIELDS, rows[0]) if rows else None

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

    def read(self, request: Request) -> dict[str, Any]:
        """What `services.submit` is to be called with.

        Raises:
            ValidationError: the body says something that cannot be.
        """
        data = plain(request, self.fields)
        if not isinstance(data, dict):
            kind = type(data).__name__
            message = f"Invalid data. Expected a dictionary, but got {kind}."
            raise ValidationError({"non_field_errors": [message]})
        values: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        for name, field in self.fields.items():
            try:
                value = field.run_validation(data.get(name, empty))
                values[name] = self.find(request, name, field, value) if isinstance(field, IdField) else value
            except ValidationError as error:
                errors[name] = error.detail
            except SkipField:
                pass
        if errors:
            raise ValidationError(errors)
        limits = take_limits(values)
        return {**values, "limits": limits}

    def find(self, request: Request, name: str, field: IdField, pk: int) -> Model:
        """The row whose id a body gave."""
        rows: list[Any] = []
        if 0 < pk < 2**63:
            rows = _queues.rows(pk, request.user.pk) if name == "task_queue" else _types.rows(pk, self.task_class)
        if not rows:
            field.fail("does_not_exist", pk_value=pk)
        model, names = (TaskQueue, QUEUE_FIELDS) if name == "task_queue" else (TaskType, TYPE_FIELDS)
        return model.from_db(DEFAULT_DB_ALIAS, names, rows[0])

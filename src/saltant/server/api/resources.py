"""The API's resources: what each is made of. Views are the same for all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any
from uuid import UUID

from django.db.models import Model, QuerySet
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.serializers import ModelSerializer

from saltant.server.accounts.models import User
from saltant.server.api import filters, serializers, serializers_v2
from saltant.server.api.counts import count_instances
from saltant.server.api.filters import LeanFilterSet
from saltant.server.api.instance_input import InstanceReader
from saltant.server.api.ordering import Order
from saltant.server.api.representations import Representation
from saltant.server.api.schedule_serializers import ScheduleSerializer
from saltant.server.api.uuids import read_uuid
from saltant.server.api.worker_serializers import WorkerSerializer
from saltant.server.prepared import Prepared
from saltant.server.tasks.models import TaskClass, TaskInstance, TaskQueue, TaskType, TaskWhitelist, Worker
from saltant.server.tasks.schedule_models import Schedule

SAMPLES = {"id": 2**62, "uuid": UUID(int=2**128 - 1), "username": "\N{BLACK STAR}", "name": "\N{BLACK STAR}"}
"""For each lookup, a value that nothing else in a query has."""


@dataclass(frozen=True)
class Resource:
    """A kind of things that the API shows.

    Attributes:
        serializers: by version, what reads requests and declares answers; a version that is not there is as version 1.
        lookup: the column that a path names: id, uuid, username or name.
        scope: what narrows the rows of the model.
        order: how lists are ordered.
        orders: the columns that version 2 orders them by if it is asked to.
        counter: counts all rows, if there is a better way than to count them.
    """

    model: type[Any]
    serializers: dict[str, type[ModelSerializer[Any]]]
    filters: type[LeanFilterSet]
    lookup: str = "id"
    scope: dict[str, Any] = field(default_factory=dict)
    order: str = "id"
    orders: tuple[str, ...] = ("id", "name")
    page_size: int = 100
    counter: Callable[[QuerySet[Any]], int] | None = None

    def serializer(self, version: str | None) -> type[ModelSerializer[Any]]:
        """What reads requests of `version`."""
        return self.serializers.get(version or "1") or self.serializers["1"]

    @cached_property
    def _representations(self) -> dict[str, Representation]:
        return {
            version: Representation(self.model, serializer, self.order)
            for version, serializer in self.serializers.items()
        }

    def representation(self, version: str | None) -> Representation:
        """What writes answers of `version`."""
        return self._representations.get(version or "1") or self._representations["1"]

    def all(self) -> QuerySet[Any]:
        """Every row."""
        rows: QuerySet[Any] = self.model._default_manager.filter(**self.scope)
        return rows

    @cached_property
    def _bodies(self) -> dict[str, Prepared]:
        def prepare(representation: Representation) -> Prepared:
            return Prepared(
                lambda key: representation.rows(self.all().filter(**{self.lookup: key})).order_by(),
                self.model._meta.get_field(self.lookup),
                SAMPLES[self.lookup],
            )

        return {version: prepare(representation) for version, representation in self._representations.items()}

    def body(self, version: str | None, name: str) -> str:
        """The JSON, in `version`, of the thing that a path names.

        Raises:
            NotFound: there is none.
        """
        version = version if version in self.serializers else "1"
        rows = self._bodies[version].rows(_key(self.lookup, name))
        if not rows:
            raise NotFound
        return self._representations[version].encode(rows)[0]

    def show(self, version: str | None) -> Callable[[Sequence[str]], dict[str, str]]:
        """What makes the bodies, in `version`, of the instances that there are of some UUIDs; always the same."""
        return self._shows.get(version or "1") or self._shows["1"]

    @cached_property
    def _shows(self) -> dict[str, Callable[[Sequence[str]], dict[str, str]]]:
        return {version: partial(self._bodies_of, each) for version, each in self._representations.items()}

    def _bodies_of(self, representation: Representation, uuids: Sequence[str]) -> dict[str, str]:
        rows = representation.by_uuid(self.all(), [UUID(uuid) for uuid in uuids])
        return dict(zip((uuid.hex for uuid in rows), representation.encode(rows.values()), strict=True))

    @cached_property
    def _readers(self) -> dict[str, InstanceReader]:
        return {
            version: InstanceReader(serializer, self.scope["task_class"])
            for version, serializer in self.serializers.items()
            if issubclass(serializer, serializers.InstanceSerializer)
        }

    def reader(self, version: str | None) -> InstanceReader:
        """What reads bodies of `version` that make instances."""
        return self._readers[version or "1"]

    def ordered(self, text: str) -> Order:
        """The order of lists that a request asks for; the usual one if it says nothing.

        Raises:
            ValidationError: lists are not ordered by that.
        """
        if text and text.removeprefix("-") not in self.orders:
            message = f"Order by {', '.join(self.orders[:-1])}{' or ' if self.orders[1:] else ''}{self.orders[-1]}, "
            raise ValidationError({"ordering": [f'{message}with "-" before it for downwards.']})
        return Order.of(self.model, text or self.order)

    def count(self, filtered: LeanFilterSet) -> int:
        """How many rows the filters let through."""
        if self.counter is not None and not filtered.base_filters:
            return self.counter(self.all())
        count: int = filtered.result().count()
        return count

    def get(self, name: str, *, lock: bool = False) -> Any:
        """The object that a path names; `lock` for one that is going to be changed.

        Raises:
            NotFound: there is none.
        """
        rows = self.all().filter(**{self.lookup: _key(self.lookup, name)})
        thing: Model | None = (rows.select_for_update() if lock else rows).first()
        if thing is None:
            raise NotFound
        return thing


def parse_uuid(text: str) -> UUID:
    """The UUID that a path names.

    Raises:
        NotFound: it is no UUID.
    """
    uuid = read_uuid(text)
    if uuid is None:
        raise NotFound
    return uuid


def _key(lookup: str, name: str) -> Any:
    if lookup == "uuid":
        return parse_uuid(name)
    if lookup == "id":
        if not (name.isascii() and name.isdigit() and len(name) < 20 and int(name) < 2**63):
            raise NotFound
        return int(name)
    if "\0" in name:
        raise NotFound
    return name


USERS = Resource(
    User,
    {"1": serializers.UserSerializer, "2": serializers_v2.UserSerializerV2},
    filters.USERS,
    lookup="username",
    order="username",
    orders=("username",),
)
WORKERS = Resource(
    Worker,
    {"1": WorkerSerializer},
    filters.WORKERS,
    lookup="name",
    order="name",
    orders=("name", "host", "datetime_announced", "datetime_heartbeat"),
)
SCHEDULES = Resource(
    Schedule,
    {"1": ScheduleSerializer},
    filters.SCHEDULES,
    orders=("id", "name", "datetime_created", "next_time", "last_time"),
)
QUEUES = Resource(TaskQueue, {"1": serializers.QueueSerializer, "2": serializers_v2.QueueSerializerV2}, filters.QUEUES)
WHITELISTS = Resource(
    TaskWhitelist,
    {"1": serializers.WhitelistSerializer, "2": serializers_v2.WhitelistSerializerV2},
    filters.WHITELISTS,
)
TYPES = {
    one.task_class: Resource(
        TaskType,
        {"1": one, "2": two},
        filters.TYPES[one.task_class],
        scope={"task_class": one.task_class},
        orders=("id", "name", "datetime_created"),
    )
    for one, two in (
        (serializers.ExecutableTypeSerializer, serializers_v2.ExecutableTypeSerializerV2),
        (serializers.ContainerTypeSerializer, serializers_v2.ContainerTypeSerializerV2),
    )
}
INSTANCES = {
    task_class: Resource(
        TaskInstance,
        {"1": serializers.InstanceSerializer, "2": serializers_v2.InstanceSerializerV2},
        filters.INSTANCES[task_class],
        lookup="uuid",
        scope={"task_class": task_class},
        order="-id",
        orders=("datetime_created", "datetime_finished", "datetime_changed", "name", "priority"),
        page_size=10,
        counter=partial(count_instances, task_class),
    )
    for task_class in TaskClass
}

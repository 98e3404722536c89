"""The bodies of answers, made straight from database rows.

A list of objects turned into dictionaries and then into JSON costs many times what the query costs. Here a row is one
formatting of one template: each column has an encoder, and stored JSON is passed on as the text that it is.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from json.encoder import encode_basestring
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.db.models import ExpressionWrapper, F, FilteredRelation, Model, Q, QuerySet, TextField
from rest_framework import serializers

from saltant.server.api.fields import IdListField, JSONValue
from saltant.server.api.ordering import Order
from saltant.server.api.revision_fields import CommandField, PinsField
from saltant.server.api.serializers_v2 import InstanceSerializerV2, WaitingField
from saltant.server.api.worker_serializers import RunningField, WorkerStateField
from saltant.server.tasks import commands, waiting, worker_state
from saltant.server.tasks.fields import JSONTextField
from saltant.server.tasks.leases import live_since
from saltant.server.tasks.models import TaskAttempt, WhitelistPin
from saltant.server.tasks.parts import parts
from saltant.states import WAITING, State

Encoder = Callable[[Any], str]
Row = Sequence[Any]


def _text(value: str | None) -> str:
    return "null" if value is None else encode_basestring(value)


def _text_or_null(value: str | None) -> str:
    return encode_basestring(value) if value else "null"


def _moment(value: Any) -> str:
    return "null" if value is None else f'"{value.isoformat(timespec="microseconds")[:26]}Z"'


def _plain(value: Any) -> str:
    return "null" if value is None else f'"{value}"'


def _raw(value: str | None) -> str:
    return "null" if value is None else value


def _number(value: float | None) -> str:
    return "null" if value is None else repr(value)


def _boolean(value: bool) -> str:
    return "true" if value else "false"


ENCODERS: list[tuple[type[Any], Encoder]] = [
    (JSONValue, _raw),
    (serializers.DateTimeField, _moment),
    (serializers.BooleanField, _boolean),
    (serializers.UUIDField, _plain),
    (serializers.IntegerField, _number),
    (serializers.FloatField, _number),
    (serializers.PrimaryKeyRelatedField, _number),
    (serializers.CharField, _text),
    (serializers.ChoiceField, _text),
]
"""Which encoder a serializer's field gets; the first match counts."""

EMPTY_IS_NULL = frozenset({"reason", "cancelled_by", "image_digest"})
"""Keys whose columns have "" where there is nothing to say."""


@dataclass(frozen=True)
class Computed:
    """What no column holds.

    Attributes:
        needs: the columns that it is found out from.
        prepare: makes the encoder of ids, for some rows: id to what it needs.
    """

    needs: Sequence[str]
    prepare: Callable[[Mapping[int, Row]], Encoder]


@dataclass(frozen=True)
class Column:
    """One key of a body and where it comes from."""

    key: str
    path: str
    encoder: Encoder
    ids: IdListField | None = None
    computed: Computed | None = None

    @classmethod
    def of(cls, key: str, source: "serializers.Field[Any, Any, Any, Any]") -> "Column":
        """The column of a serializer's field."""
        if isinstance(source, IdListField):
            return cls(key, "pk", _number, ids=source)
        if type(source) in COMPUTED:
            return cls(key, "pk", _text, computed=COMPUTED[type(source)])
        encoder = next(encoder for kind, encoder in ENCODERS if isinstance(source, kind))
        if key in EMPTY_IS_NULL:
            encoder = _text_or_null
        path = (source.source or key).replace(".", "__")
        if isinstance(source, serializers.PrimaryKeyRelatedField):
            path += "_id"
        return cls(key, path, encoder)

    @property
    def expression(self) -> Any:
        """What `values_list` is given: a path, or for JSON its text instead of its value."""
        return ExpressionWrapper(F(self.path), output_field=TextField()) if self.encoder is _raw else self.path


@dataclass(frozen=True)
class Representation:
    """The bodies of one resource in one version.

    Attributes:
        model: what the rows are of.
        serializer: declares keys and columns.
        order: the unique column by which lists are ordered, with "-" if downwards; each row ends with it.
    """

    model: type[Model]
    serializer: type["serializers.BaseSerializer[Any]"]
    order: str = "pk"
    columns: list[Column] = field(init=False)

    def __post_init__(self) -> None:
        fields: Mapping[str, serializers.Field[Any, Any, Any, Any]] = self.serializer().fields  # type: ignore[attr-defined]
        columns = [Column.of(key, source) for key, source in fields.items() if not source.write_only]
        object.__setattr__(self, "columns", columns)

    @cached_property
    def template(self) -> str:
        """A body with a gap for each value."""
        return "{" + ",".join(f'"{column.key}":%s' for column in self.columns) + "}"

    @cached_property
    def extra(self) -> list[str]:
        """Columns that follow those of the body, for what is computed and for the next chunk of a long list."""
        needed = (name for column in self.columns if column.computed for name in column.computed.needs)
        return [*dict.fromkeys(name for name in needed if name not in self.shown), self.order.removeprefix("-")]

    @cached_property
    def shown(self) -> dict[str, int]:
        """Where a row has the columns that the body shows as they are."""
        plain = [(each.path, at) for at, each in enumerate(self.columns) if each.ids is None and each.computed is None]
        return dict(plain)

    def needs_of(self, computed: Computed) -> list[int]:
        """Where a row has what `computed` needs."""
        start = len(self.columns)
        return [self.shown[name] if name in self.shown else start + self.extra.index(name) for name in computed.needs]

    def rows(
        self, queryset: QuerySet[Any], order: Order | None = None, *, backwards: bool = False
    ) -> QuerySet[Any, Row]:
        """The rows of `queryset`, as `encode` takes them. Those in an order of their own end with their keys in it."""
        if issubclass(self.serializer, InstanceSerializerV2):
            current = FilteredRelation("attempts", condition=Q(attempts__number=F("attempt")))
            queryset = queryset.alias(current=current)
        columns = [*(column.expression for column in self.columns), *map(self._stored, self.extra)]
        if order is None:
            return queryset.order_by(self.order).values_list(*columns)
        return queryset.order_by(*order.expressions(backwards=backwards)).values_list(*columns, *order.columns)

    def by_uuid(self, queryset: QuerySet[Any], uuids: Sequence[UUID]) -> dict[UUID, Row]:
        """The rows of instances of `queryset`, by their UUIDs: of those that there are."""
        at = next(position for position, column in enumerate(self.columns) if column.key == "uuid")
        found: dict[UUID, Row] = {}
        for some in parts(uuids):
            rows: QuerySet[Any, Row] = self.rows(queryset.filter(uuid__in=some))
            found |= {row[at]: row for row in rows}
        return found

    def _stored(self, name: str) -> Any:
        """What `values_list` is given for an extra column: JSON stays text there, too."""
        is_json = name != "pk" and isinstance(self.model._meta.get_field(name.split("__")[0]), JSONTextField)
        return ExpressionWrapper(F(name), output_field=TextField()) if is_json else name

    def row_of(self, thing: Model) -> Row:
        """The row of an object that was just saved, and so has no attempts."""
        return [value_of(thing) for value_of in self._getters]

    @cached_property
    def _getters(self) -> list[Callable[[Model], Any]]:
        """What finds each value of a row in an object."""
        return [_getter(self.model, path) for path in [*(column.path for column in self.columns), *self.extra]]

    def encode(self, rows: Iterable[Row]) -> list[str]:
        """The JSON of each row."""
        rows = list(rows)
        if not rows:
            return []
        encoders = [column.encoder for column in self.columns]
        for position, column in self._found_out:
            encoders[position] = self._encoder(column, position, rows)
        template = self.template
        # `map` ends with the encoders: the extra columns are left out.
        return [template % tuple(map(_call, encoders, row)) for row in rows]

    @cached_property
    def _found_out(self) -> list[tuple[int, Column]]:
        """The columns whose encoders depend on the rows, and where they are."""
        plain = (None, None)
        return [(at, each) for at, each in enumerate(self.columns) if (each.ids, each.computed) != plain]

    def _encoder(self, column: Column, position: int, rows: Sequence[Row]) -> Encoder:
        if column.ids is not None:
            return _ids(self.model, column.ids, [row[position] for row in rows])
        if column.computed is not None:
            needs = self.needs_of(column.computed)
            return column.computed.prepare({row[position]: [row[at] for at in needs] for row in rows})
        return column.encoder


def _call(encoder: Encoder, value: Any) -> str:
    return encoder(value)


def _getter(model: type[Model], path: str) -> Callable[[Model], Any]:
    """What finds the value of a column in an object of `model`."""
    names = path.split("__")
    if names[0] == "current":
        return _nothing
    if len(names) > 1:
        return lambda thing: reduce(lambda value, name: None if value is None else getattr(value, name), names, thing)
    if path != "pk" and isinstance(model._meta.get_field(path), JSONTextField):
        return lambda thing: json.dumps(getattr(thing, path))
    return attrgetter(path)


def _nothing(thing: Model) -> None:
    return None


def _ids(model: type[Model], relation: IdListField, owners: Sequence[int]) -> Encoder:
    """Encodes an owner's id as the list of the ids that it is related to: one query for all of `owners`."""
    many: Any = model._meta.get_field(relation.relation)
    owner, other = many.m2m_column_name(), many.m2m_reverse_field_name()
    only = {f"{other}__{name}": value for name, value in relation.only.items()}
    pairs = many.remote_field.through.objects.filter(**{f"{owner}__in": owners}, **only).order_by(f"{other}_id")
    found: dict[int, list[str]] = {}
    for owner_id, other_id in pairs.values_list(owner, f"{other}_id"):
        found.setdefault(owner_id, []).append(str(other_id))
    return lambda owner_id: f"[{','.join(found.get(owner_id, ()))}]"


def _waiting(rows: Mapping[int, Row]) -> Encoder:
    """Encodes an instance's id as the reason why it waits, or null: one query, if any of `rows` waits for workers."""
    workers = waiting.live_workers() if any(row[0] == State.PUBLISHED for row in rows.values()) else []
    facts = {pk: waiting.Facts(*row) for pk, row in rows.items() if row[0] in WAITING}
    others = waiting.awaited({pk: each.waits_for for pk, each in facts.items()})
    why = {pk: waiting.explain(each, workers, others.get(pk, ())) for pk, each in facts.items()}
    return lambda pk: _text(why.get(pk))


def _commands(rows: Mapping[int, Row]) -> Encoder:
    """Encodes an instance's id as the words of its command."""
    return lambda pk: commands.command_of(rows[pk])


def _pins(rows: Mapping[int, Row]) -> Encoder:
    """Encodes a whitelist's id as the revisions that it pins: one query for all of `rows`."""
    pins = WhitelistPin.objects.filter(whitelist__in=rows, to_revision__isnull=False).order_by("task_type")
    found: dict[int, list[str]] = {}
    for pk, task_type, number in pins.values_list("whitelist", "task_type", "to_revision"):
        found.setdefault(pk, []).append(f'"{task_type}":{number}')
    return lambda pk: f"{{{','.join(found.get(pk, ()))}}}"


def _worker_states(rows: Mapping[int, Row]) -> Encoder:
    """Encodes a worker's id as its state now."""
    since = live_since()
    states = {pk: worker_state.state_of(*needs, since=since) for pk, needs in rows.items()}
    return lambda pk: _plain(states[pk])


def _running(rows: Mapping[int, Row]) -> Encoder:
    """Encodes a worker's id as the list of what it holds leases for: one query for all of `rows`."""
    held = TaskAttempt.objects.filter(worker__in=[name for (name,) in rows.values()], lease_expires__isnull=False)
    columns = ("worker", "instance__uuid", "instance__name", "instance__task_queue__private", "number")
    found: dict[str, list[str]] = {}
    for worker, uuid, name, private, number, since in held.order_by("pk").values_list(*columns, "datetime_claimed"):
        # What runs on a private queue is its owner's business.
        named = "null" if private else _text(name)
        one = f'{{"uuid":"{uuid}","name":{named},"attempt":{number},"since":{_moment(since)}}}'
        found.setdefault(worker, []).append(one)
    return lambda pk: f"[{','.join(found.get(rows[pk][0], ()))}]"


COMPUTED: Mapping[type[Any], Computed] = {
    WaitingField: Computed(waiting.NEEDS, _waiting),
    CommandField: Computed(commands.NEEDS, _commands),
    PinsField: Computed((), _pins),
    WorkerStateField: Computed(worker_state.NEEDS, _worker_states),
    RunningField: Computed(("name",), _running),
}
"""The fields that no column holds."""

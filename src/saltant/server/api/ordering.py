"""How a list is ordered, and where in that order something stands."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import DateTimeField, Field, IntegerField, Model, OrderBy, Q
from django.db.models.expressions import F

from saltant.server.tasks.arguments import text_flaw

Key = Sequence[Any]
"""Where something stands: its values of an order's columns."""


@dataclass(frozen=True)
class Order:
    """An order of the rows of a model, in which no two are equal.

    Attributes:
        column: the first column that counts; after it the id does, unless it is unique.
        descending: whether it goes downwards, and the id with it. What has no value comes last either way.
    """

    model: type[Model]
    column: str
    descending: bool = False

    @classmethod
    def of(cls, model: type[Model], text: str) -> "Order":
        """The order that a text says: a column, after "-" if downwards."""
        return cls(model, text.removeprefix("-"), text.startswith("-"))

    @property
    def text(self) -> str:
        """As `of` takes it."""
        return f"-{self.column}" if self.descending else self.column

    @property
    def field(self) -> "Field[Any, Any]":
        """The first column."""
        found: Field[Any, Any] = self.model._meta.get_field(self.column)  # type: ignore[assignment]
        return found

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a key."""
        return (self.column,) if self.field.unique else (self.column, "pk")

    def expressions(self, *, backwards: bool = False) -> list[OrderBy]:
        """What `order_by` is given."""
        descending = self.descending is not backwards
        # Only where there may be none: no index is in an order that says where these go.
        nulls = ({"nulls_first": True} if backwards else {"nulls_last": True}) if self.field.null else {}
        first, *rest = (F(column) for column in self.columns)
        return [
            OrderBy(first, descending=descending, **nulls),
            *(OrderBy(each, descending=descending) for each in rest),
        ]

    def beyond(self, key: Key, *, backwards: bool = False) -> Q:
        """The condition of what comes after `key`, or before it."""
        beyond = "lt" if self.descending is not backwards else "gt"
        if len(self.columns) == 1:
            return Q(**{f"{self.column}__{beyond}": key[0]})
        value, pk = key
        is_null = Q(**{f"{self.column}__isnull": True})
        by_id = Q(**{f"pk__{beyond}": pk})
        if value is None:
            return ~is_null | by_id if backwards else is_null & by_id
        further, level = Q(**{f"{self.column}__{beyond}": value}), Q(**{self.column: value})
        if self.field.null and not backwards:
            return further | (level & by_id) | is_null
        # The first condition says nothing new, but an index finds it.
        return Q(**{f"{self.column}__{beyond}e": value}) & (further | (level & by_id))

    def told(self, key: Key) -> list[Any]:
        """A key as JSON can hold it."""
        return [value.isoformat() if isinstance(value, datetime) else value for value in key]

    def key_of(self, told: Any) -> Key:
        """The key that `told` made this.

        Raises:
            ValueError: it did not.
        """
        if not isinstance(told, list) or len(told) != len(self.columns):
            raise ValueError("other columns")
        return [_value(self.field, told[0]), *(_integer(each) for each in told[1:])]


def _value(field: "Field[Any, Any]", value: Any) -> Any:
    if value is None and field.null:
        return None
    if isinstance(field, DateTimeField):
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        if moment is None or moment.tzinfo is None:
            raise ValueError("no moment")
        return moment.astimezone(UTC)
    if isinstance(field, IntegerField):
        return _integer(value)
    if not isinstance(value, str) or text_flaw(value):
        raise ValueError("no text")
    return value


def _integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not -(2**63) <= value < 2**63:
        raise ValueError("no integer")
    return value

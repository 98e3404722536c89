"""Serializer fields of our own. They take plain data: `forms.plain` makes it of what a form sends."""

import shlex
from typing import Any

from django.db.models import Model, QuerySet
from rest_framework import serializers

from saltant.server.tasks import labels
from saltant.server.tasks.arguments import text_flaw


class Unparsed:
    """Stands for a form's JSON field that is no JSON."""


class StrictString(serializers.CharField):
    """A string as it is: a number is none, and spaces stay."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class JSONValue(serializers.Field):  # type: ignore[type-arg]
    """A JSON value. What it may be, subclasses and services say."""

    default_error_messages = {"invalid_json": "Value must be valid JSON."}

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Unparsed):
            self.fail("invalid_json")
        return data

    def to_representation(self, value: Any) -> Any:
        return value


class StringList(JSONValue):
    """A list of strings. Its errors are one flat list, as those of other fields."""

    default_error_messages = {"not_a_list": 'Expected a list of items but got type "{input_type}".'}

    def __init__(self, *, child: StrictString, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.child = child

    def to_internal_value(self, data: Any) -> list[str]:
        data = super().to_internal_value(data)
        if not isinstance(data, list):
            self.fail("not_a_list", input_type=type(data).__name__)
        return [self.child.run_validation(item) for item in data]


class JSONObject(JSONValue):
    """A JSON object whose strings can be stored and passed on."""

    default_error_messages = {
        "not_a_dict": 'Expected a dictionary of items but got type "{input_type}".',
        "flaw": "The value may not hold {flaw}.",
    }

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        data = super().to_internal_value(data)
        if not isinstance(data, dict):
            self.fail("not_a_dict", input_type=type(data).__name__)
        flaw = text_flaw(data)
        if flaw:
            self.fail("flaw", flaw=flaw)
        return dict(data)


class LabelsField(JSONObject):
    """Labels: an object whose values are texts."""

    def to_internal_value(self, data: Any) -> dict[str, str]:
        given: dict[str, str] = super().to_internal_value(data)
        wrong = labels.flaw(given)
        if wrong:
            raise serializers.ValidationError(wrong)
        return given


class IdField(serializers.PrimaryKeyRelatedField[Any]):
    """The id of a row: an integer, or its digits. Whether there is such a row, whoever reads it finds out."""

    def to_internal_value(self, data: Any) -> Any:
        return self.clean(data)

    def rows(self) -> QuerySet[Any]:
        """The rows that may be named."""
        rows: Any = self.get_queryset()
        return rows  # type: ignore[no-any-return]

    def clean(self, data: Any) -> int:
        """`data` as an integer."""
        if isinstance(data, str) and data.isascii() and data.isdigit() and len(data) < 20:
            return int(data)
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("incorrect_type", data_type=type(data).__name__)
        return data


class IdListField(serializers.ManyRelatedField):
    """Ids of related rows, looked up with one query.

    Attributes:
        relation: the many-to-many field that holds them.
        only: what narrows its rows, where two fields share a relation.
    """

    def __init__(self, queryset: QuerySet[Any], *, relation: str, only: dict[str, Any] | None = None) -> None:
        super().__init__(child_relation=IdField(queryset=queryset), required=False)
        self.relation = relation
        self.only = only or {}

    def to_internal_value(self, data: Any) -> list[Model]:
        if not isinstance(data, list):
            self.fail("not_a_list", input_type=type(data).__name__)
        child: IdField = self.child_relation  # type: ignore[assignment]
        ids = [child.clean(item) for item in data]
        found = child.rows().in_bulk([pk for pk in set(ids) if 0 < pk < 2**63])
        for pk in ids:
            if pk not in found:
                child.fail("does_not_exist", pk_value=pk)
        return list(found.values())


def is_splittable(command: str) -> None:
    """Refuse a command that no shell could split into words."""
    try:
        shlex.split(command)
    except ValueError as error:
        raise serializers.ValidationError(f"The command cannot be split into words: {error}.") from None


def is_variable_name(name: str) -> None:
    """Refuse what no environment variable can be called."""
    if "=" in name:
        raise serializers.ValidationError(f'"{name}" is no name of an environment variable: it holds "=".')

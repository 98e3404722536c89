"""What requests about many instances may say, and what becomes of each item."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import APIException, ValidationError

from saltant.server.api.fields import JSONValue
from saltant.server.api.revision_serializers import CloneSerializer
from saltant.server.tasks import services
from saltant.server.tasks.models import TaskInstance

MOST = 10_000
"""Items of one request."""


class ItemsField(JSONValue):
    """A list of things that are looked at one by one; in a form it is text of JSON."""

    default_error_messages = {"not_a_list": f"Give a list of 1 to {MOST} {{things}}."}
    things = "instances"

    def to_internal_value(self, data: Any) -> list[Any]:
        data = super().to_internal_value(data)
        if not isinstance(data, list) or not 0 < len(data) <= MOST:
            self.fail("not_a_list", things=self.things)
        return data


class NamesField(ItemsField):
    """A list of what may be UUIDs of instances. Whether there are such, each item's answer says."""

    things = "UUIDs"

    def to_internal_value(self, data: Any) -> list[str]:
        names: list[Any] = super().to_internal_value(data)
        if not all(isinstance(each, str) for each in names):
            self.fail("not_a_list", things=self.things)
        return names


class ManySerializer(serializers.Serializer[Any]):
    """The body of a request about many instances."""

    all_or_nothing = serializers.BooleanField(
        default=False, help_text="Whether nothing is done if one of them cannot be: the answer is a 400 then."
    )


class ManyInstancesSerializer(ManySerializer):
    """The body of a request that makes many."""

    instances = ItemsField(help_text=f"What single requests would say: {MOST} at most.")


class ManyNamesSerializer(ManySerializer):
    """The body of a request that clones or terminates many."""

    uuids = NamesField(help_text=f"The instances, of this class: {MOST} at most.")


class CloneManySerializer(ManyNamesSerializer, CloneSerializer):
    """The body of a request that clones many."""


class FiltersField(JSONValue):
    """Filters of a list of instances, at least one; in a form it is text of JSON."""

    default_error_messages = {"no_filters": "Give an object of at least one filter: without any, nothing is ended."}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        data = super().to_internal_value(data)
        if not isinstance(data, dict) or not data:
            self.fail("no_filters")
        return dict(data)


class TerminateManySerializer(ManyNamesSerializer):
    """The body of a request that terminates many: by their UUIDs, or all that filters let through."""

    uuids = NamesField(required=False, help_text=f"The instances, of this class: {MOST} at most.")
    filters = FiltersField(
        required=False,
        help_text="Instead of `uuids`: all that these filters let through and that have not ended. They are those of "
        "the list, without regular expressions.",
    )
    expected = serializers.IntegerField(
        min_value=0,
        max_value=MOST,
        required=False,
        help_text="With `filters`: how many they must be, or none is ended.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        by_filters = "filters" in attrs
        if by_filters and "uuids" in attrs:
            raise ValidationError({"filters": ["Say uuids or filters, not both."]})
        if not by_filters and "uuids" not in attrs:
            raise ValidationError({"uuids": ["Say which, or say filters and how many are expected."]})
        if by_filters != ("expected" in attrs):
            raise ValidationError({"expected": ["With filters, say how many are expected to be ended."]})
        return attrs


@dataclass(frozen=True)
class Failure:
    """What a single request would have got.

    Attributes:
        status: of the answer.
        errors: the answer's body.
    """

    status: int
    errors: Any

    @property
    def result(self) -> dict[str, Any]:
        """As it is told."""
        return {"errors": self.errors, "status": self.status}


def attempt(act: Callable[[Any], TaskInstance], item: Any) -> TaskInstance | Failure:
    """What comes of one item."""
    try:
        return act(item)
    except services.Refused as refused:
        return Failure(400, refused.errors)
    except ValidationError as error:
        return Failure(400, error.detail)
    except APIException as error:
        return Failure(error.status_code, {"detail": error.detail})


def told(value: Any) -> str:
    """A value as compact JSON."""
    return json.dumps(value, separators=(",", ":"))
